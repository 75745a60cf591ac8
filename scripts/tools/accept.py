"""Keep results whose code changed without effect: `make accept`.

A look at the answers decides what is drawn further, so that Snakemake knows of later results only
once it takes the earlier ones for done: it is asked until it has nothing more to accept.
"""

import argparse
import os
import subprocess
import sys

from emaki.common.errors import UserError, friendly
from emaki.config import load
from emaki.workflow import accepting
from emaki.workflow.command_line import DEFAULT
from emaki.workflow.profiles import read_profile


@friendly
def main() -> None:
    arguments = parse_arguments()
    config = arguments.config or read_profile(arguments.profile).get("configfile", DEFAULT)
    folder = f"results/{load(config).study}"
    command = [sys.executable, "-m", "snakemake", f"{folder}/report.html", "--quiet", "all"]
    command += ["--profile", arguments.profile, "--configfile", config]
    first, before = accepting.read(folder), None
    while (now := accepting.read(folder)) != before:
        before = now
        done = subprocess.run(command, env=os.environ | {accepting.ASKED: "1"})
        if done.returncode:
            raise UserError("Snakemake could not say what is there: see above")
    if now == first:
        print("Nothing was to be accepted: no code has changed that made a result here.")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", help="the study's file; by default the profile's")
    parser.add_argument("--profile", default="profiles/local", help="where it runs")
    return parser.parse_args()


if __name__ == "__main__":
    main()
