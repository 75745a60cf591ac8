"""Look at all that a study needs before it runs: hub, licences, disk, GPU, memory, time, price.

Nothing is downloaded. Exit status 1 where there is something to do first.
"""

import argparse
import shutil
import sys
from collections.abc import Iterator
from typing import Any

import huggingface_hub.utils.logging

from emaki.common.errors import friendly
from emaki.config import load
from emaki.costs.preflight import PASSED, TO_DO, Check, check_study, page
from emaki.workflow.profiles import read_profile


@friendly
def main() -> None:
    arguments = parse_arguments()
    profile = read_profile(arguments.profile)
    study = load(arguments.config, profile.get("config", {}).get("machine"))
    huggingface_hub.utils.logging.set_verbosity_error()  # what it says of each try hides the page
    checks = [*check_profile(profile), *check_study(study, "executor" in profile)]
    print(f"Before {arguments.config} runs with {arguments.profile}")
    print(page(checks))
    sys.exit(any(check.verdict == TO_DO for check in checks))


def check_profile(profile: dict[str, Any]) -> Iterator[Check]:
    """Whether conda is there where the profile has environments made by it."""
    if "conda" in str(profile.get("software-deployment-method", "")):
        text = "makes the environments of the profile"
        if shutil.which("conda"):
            yield Check("conda", PASSED, text)
        else:
            yield Check("conda", TO_DO, f"{text}, but is not there: install Miniforge")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="config/config.yaml", help="the study's file")
    parser.add_argument("--profile", default="profiles/local", help="where it would run")
    return parser.parse_args()


if __name__ == "__main__":
    main()
