# What every rule needs: Emaki's own folder, its package, the interpreter of jobs.
import os
import sys
from pathlib import Path

if not Path("scripts/emaki").is_dir() or not Path(workflow.basedir).resolve().is_relative_to(
    Path.cwd()
):
    sys.exit(
        "error: start Snakemake in Emaki's own folder: paths count from there, and it is no module"
    )

# Where no environment is deployed, jobs run in the interpreter that runs Snakemake.
os.environ.update(PATH=f"{Path(sys.executable).parent}:{os.getenv('PATH', '')}")
sys.path.insert(0, str(Path("scripts").resolve()))

from emaki.common.errors import UserError
from emaki.workflow import snakemake_internals
from emaki.workflow.code_files import code_of, write_digests
from emaki.workflow.parameters import as_json, folder_of, folder_of_input, keep_plan

write_digests()
