"""A folder with the project and the small studies that run on the cluster."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from cluster import ask, wait_for

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PARTS = ("Snakefile", "rules", "scripts", "config", "envs", "profiles", "resources", "slurm")
REPORT = "results/report.html"
LONG = "results/tiny-cluster/runs/long/000900/checkpoint.json"
# What a study makes that holds no times: all but benchmarks, tensorboard and the page.
COMPARED = (".parquet", ".safetensors", ".json", ".png")
LOCALLY = ["--profile", "profiles/local"]
# The profile as it is, but for the environments: jobs run in the interpreter that runs the tests.
ON_SLURM = ["--profile", "slurm", "--software-deployment-method", "env-modules"]
ON_SLURM += ["--slurm-init-seconds-before-status-checks", "3", "--latency-wait", "10"]


class Study:
    """A folder with the project and its studies; `config` is that of its report."""

    def __init__(self, folder, config="study.yaml"):
        self.folder = folder
        self.config = config
        self.log = folder / "snakemake.log"
        self.started = []

    def command(self, target, *arguments):
        config = "long.yaml" if target == LONG else self.config
        return [target, *arguments, "--configfile", config]

    def start(self, target, *arguments, program=("-m", "snakemake")):
        """Start Snakemake in the background; what it says goes to `log`."""
        with open(self.log, "a") as log:
            process = subprocess.Popen(
                [sys.executable, *program, *self.command(target, *arguments)],
                cwd=self.folder,
                env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.started.append(process)
        return process

    def stop(self):
        """End what a test that failed has left running."""
        for process in self.started:
            process.kill()
            process.wait()

    def finish(self, process, seconds=600):
        assert process.wait(seconds) == 0, self.log.read_text()[-5000:]

    def run(self, target, *arguments):
        self.finish(self.start(target, *arguments))

    def read(self, file):
        return (self.folder / file).read_bytes()

    def slurm_jobs(self):
        """{comment: [its jobs, as `scontrol` shows them]} of this folder, in order."""
        shown = ask("scontrol", "--oneliner", "--details", "show", "job").splitlines()
        jobs = [dict(re.findall(r"(\S+?)=(\S*)", line)) for line in shown]
        jobs = [job for job in jobs if job.get("WorkDir") == str(self.folder)]
        jobs.sort(key=lambda job: int(job["JobId"]))
        return {
            comment: [job for job in jobs if job["Comment"] == comment]
            for comment in {job["Comment"] for job in jobs}
        }

    def training_log(self):
        path = self.folder / "logs/tiny-cluster/runs/long/000900.log"
        return path.read_text() if path.exists() else ""

    def wait_for_training(self):
        """Wait until the long training has made steps."""
        wait_for(lambda: re.search(r"\d+/\d+ steps", self.training_log()), 120)


def make_folder(folder):
    for part in PARTS:
        source = ROOT / part
        if source.is_symlink():
            (folder / part).symlink_to(os.readlink(source))
        else:
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, folder / part)
    for config in HERE.glob("*.yaml"):
        shutil.copy(config, folder)
    return folder
