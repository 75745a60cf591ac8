"""What a command line and a profile say: which study, and on what machine."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from emaki.common.errors import UserError
from emaki.config import load, save, to_text
from emaki.config.machine import Machine
from emaki.config.settings import Study

DEFAULT = "config/config.yaml"


def load_study(files: Sequence[str], arguments: Mapping[str, Any]) -> Study:
    """The study of the config file that is named, or of config/config.yaml.

    Of what `--config` may say there is only `machine`: where it runs is for the profile to say.
    Raises UserError for anything else, which would be ignored, and for what is wrong in the file.
    """
    path, *others = files or [DEFAULT]
    ignored = [f"--configfile {name}" for name in others]
    ignored += [f"--config {key}" for key in arguments if key != "machine"]
    if ignored:
        raise UserError(
            f"{ignored[0]} would be ignored: a study is one file, which may say `extends`"
        )
    return load(path, arguments.get("machine"))


def check_yaml(path: str) -> None:
    """Raise UserError where Snakemake cannot read a file that Emaki can.

    Snakemake reads the file of `--configfile` too, by PyYAML's own parser, which takes less than
    libyaml's, and says neither line nor reason.
    """
    try:
        for _ in yaml.parse(Path(path).read_text("utf-8"), yaml.SafeLoader):
            pass
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UserError(
            f"{path}:{line}: Snakemake cannot read this: {error.problem}; put the text there into "
            "quotation marks"
        ) from None


def keep_study(study: Study, folder: str = ".snakemake/emaki") -> str:
    """Write a study, as far as it decides results, for its jobs; return the JSON file.

    Its name has the digest of its content: jobs read what Snakemake has read, whatever becomes of
    the config while they run. One that is damaged is written again.
    """
    study = study.replace(machine=Machine())
    digest = hashlib.sha256(json.dumps(study.as_json()).encode()).hexdigest()
    path = Path(folder, f"{study.study}-{digest[:16]}.json")
    if not path.exists() or path.read_bytes() != to_text(study).encode():
        save(study, path)
    return str(path)
