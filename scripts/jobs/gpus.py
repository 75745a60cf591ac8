"""A lease of GPUs: every job on this machine gets devices that no other job has.

One kernel lock per device. A job passes the open locks on to the process that uses the GPUs, so a
device is free again exactly when the last process that could use it has ended, however it ended.
"""

import fcntl
import os
import re
import subprocess
import sys
import tempfile
import time
from itertools import takewhile
from pathlib import Path

VISIBLE = "CUDA_VISIBLE_DEVICES"
LOOK_EVERY = 0.2  # seconds between two looks at devices that are all taken


def lease(count):
    """Wait for `count` GPUs of this job's own and make only them visible to what it starts.

    CUDA_VISIBLE_DEVICES, where it is set (by SLURM, by the user), says which there are to choose
    from. Returns the file descriptors of the locks; the GPUs are ours while a process has them
    open. Exits with a sentence if there are fewer GPUs than that.
    """
    devices = visible()
    if len(devices) < count:
        sys.exit(f"error: {too_few(count, devices)}")
    folder = locks_folder()
    locks = {}
    # One job at a time chooses, so that two which want two each never hold one each.
    with open(folder / "turn", "w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        while len(locks) < count:
            for device in devices:
                if device not in locks and (lock := try_lock(folder / f"{device}.lock")):
                    locks[device] = lock
                if len(locks) == count:
                    break
            else:
                time.sleep(LOOK_EVERY)
    os.environ[VISIBLE] = ",".join(locks)
    return list(locks.values())


def visible():
    """The names of the GPUs that this job may use."""
    if VISIBLE in os.environ:  # read as CUDA does, up to the first that is none ("-1")
        names = (name.strip() for name in os.environ[VISIBLE].split(","))
        return list(takewhile(re.compile(r"\d|GPU-|MIG-").match, names))
    if "SLURM_JOB_ID" in os.environ:
        return []  # SLURM names the GPUs of a job that asked for some
    try:
        shown = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True).stdout
    except OSError:
        return []
    return [str(n) for n in range(sum(line.startswith("GPU ") for line in shown.splitlines()))]


def too_few(count, devices):
    wanted = f"this job needs {count} GPU{'s' if count > 1 else ''}"
    if VISIBLE in os.environ:
        return f"{wanted}, and {VISIBLE} names {len(devices)} ({','.join(devices) or 'none'})"
    if "SLURM_JOB_ID" in os.environ:
        return f"{wanted}, and SLURM gave it none: is its partition one with GPUs?"
    seen = f"shows {len(devices)}" if devices else "shows none"
    return f"{wanted}, and `nvidia-smi -L` {seen}; without GPUs use --profile profiles/local"


def locks_folder():
    """Where the locks of this user lie; in a SLURM job devices count from 0 again, so its own."""
    job = os.environ.get("SLURM_JOB_ID")
    folder = (
        Path(tempfile.gettempdir()) / f"emaki-{os.getuid()}" / f"gpus{f'-{job}' if job else ''}"
    )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def try_lock(path):
    """A descriptor that holds the lock of a device, or None."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return descriptor
    except BlockingIOError:
        os.close(descriptor)
        return None
