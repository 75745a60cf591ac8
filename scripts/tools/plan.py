"""Print what a study will take, without running it: jobs, time, memory, disk, download and cost."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from emaki.common.errors import UserError, friendly
from emaki.config import load
from emaki.costs.study_plan import plan, provisional
from emaki.workflow.command_line import check_yaml
from emaki.workflow.profiles import read_profile
from emaki.workflow.snakemake_internals import job_table


@friendly
def main() -> None:
    arguments = parse_arguments()
    machine = read_profile(arguments.profile).get("config", {}).get("machine")
    free = shutil.disk_usage("results" if Path("results").is_dir() else ".").free
    written, lacking = provisional(arguments.config)
    check_yaml(arguments.config)
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.config
        if lacking:
            path = f"{folder}/plan.yaml"
            Path(path).write_text(json.dumps(written))
        try:
            config = load(path, machine)
        except UserError:
            load(arguments.config)  # tells what is wrong by the lines of the user's own file
            raise
        jobs = dry_run(path, arguments.profile)
    source = arguments.config if machine is None else arguments.profile
    print(plan(config, jobs, free, source, lacking))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", default="config/config.yaml", help="the study's file")
    parser.add_argument("--profile", default="profiles/local", help="where it would run")
    return parser.parse_args()


def dry_run(config: str, profile: str) -> list[str]:
    """Snakemake's own table of the jobs that would run for the report, as its lines."""
    command = [sys.executable, "-m", "snakemake", "results/report.html", "--dry-run"]
    command += ["--quiet", "all", "--profile", profile, "--configfile", config]
    if not shutil.which("conda"):  # the machine that is planned for has it
        command += ["--software-deployment-method", "env-modules"]  # none are named
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    shown = done.stdout + done.stderr
    if done.returncode:
        raise UserError(f"Snakemake cannot plan {config}:\n{shown.strip()}")
    return job_table(shown)


if __name__ == "__main__":
    main()
