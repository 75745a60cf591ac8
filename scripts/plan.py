"""Print what a study will take, without running it: jobs, time, memory, disk, download and cost."""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

import yte

from emaki.config import load
from emaki.errors import UserError, friendly
from emaki.planning import plan


@friendly
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", default="config/config.yaml", help="the study's file")
    parser.add_argument("--profile", default="profiles/local", help="where it would run")
    arguments = parser.parse_args()
    machine = machine_of(arguments.profile)
    config = load(arguments.config, machine)
    free = shutil.disk_usage("results" if Path("results").is_dir() else ".").free
    jobs = dry_run(arguments.config, arguments.profile)
    print(plan(config, jobs, free, arguments.config if machine is None else arguments.profile))


def machine_of(profile):
    """The `machine` that a profile gives its studies; None where it leaves that to them."""
    text = Path(profile, "config.yaml").read_text()
    return yte.process_yaml(text, require_use_yte=True).get("config", {}).get("machine")


def dry_run(config, profile):
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
    if "Job stats:" not in shown:
        return []
    return shown.partition("Job stats:\n")[2].partition("\n\n")[0].splitlines()


if __name__ == "__main__":
    main()
