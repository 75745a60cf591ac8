"""Go on after a Snakemake that was killed: python scripts/jobs/resume.py --profile slurm TARGET ...

The jobs of a killed Snakemake live on in SLURM's queue and write into the same files as those of
the next one. So they are cancelled first (a training saves its state), then the folder is unlocked,
then Snakemake runs with the given arguments. Where there is no SLURM, it only unlocks and goes on.
Nothing here stops a Snakemake that still runs: do that with Ctrl-C.
"""

import os
import shutil
import subprocess
import sys
import time

JOB_NAME = "emaki_"  # slurm-jobname-prefix in profiles/slurm
LONGEST_END = 180  # seconds; SLURM's KillWait is 30 where nobody changed it


def main() -> None:
    if shutil.which("squeue"):
        cancel(os.getcwd())
    snakemake = [sys.executable, "-m", "snakemake", *sys.argv[1:]]
    subprocess.run([*snakemake, "--unlock"], check=True)
    os.execv(sys.executable, [*snakemake, "--rerun-incomplete"])  # noqa: S606


def cancel(folder: str) -> None:
    """Cancel the jobs that were submitted from `folder` and wait until they have ended."""
    jobs = jobs_of(folder)
    if not jobs:
        return
    print(f"cancelling {len(jobs)} jobs of the run before: {' '.join(jobs)}", file=sys.stderr)
    subprocess.run(["scancel", *jobs], check=True)
    deadline = time.monotonic() + LONGEST_END
    while jobs_of(folder):
        if time.monotonic() > deadline:
            sys.exit(f"error: {' '.join(jobs_of(folder))} did not end; see squeue, then try again")
        time.sleep(1)


def jobs_of(folder: str) -> list[str]:
    """The ids of this user's jobs that wait, run or end, and work in `folder`."""
    states = "PENDING,CONFIGURING,RUNNING,SUSPENDED,COMPLETING,REQUEUED"
    command = ["squeue", "--me", "--noheader", f"--states={states}", "--format=%i|%j|%Z"]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rows = [line.split("|", 2) for line in shown.splitlines()]
    return [
        job
        for job, name, where in rows
        if name.startswith(JOB_NAME) and os.path.realpath(where) == os.path.realpath(folder)
    ]


if __name__ == "__main__":
    main()
