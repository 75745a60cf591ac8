"""Run a training script and note when each optimizer step ended.

    python clocked.py REPORT SCRIPT [ARGUMENT ...]

A hook on every torch optimizer does it, so that each trainer is measured in the same way and
unchanged. After its first step it waits until all trainers that write into REPORT's folder are as
far (as many as the environment's CLOCKED says), so that they train at the same time.

REPORT (JSON): `start`, when the process began, and per step `wall`, both in seconds of one clock
of the machine, `cpu`, the process's CPU seconds so far, and `peak_memory` in bytes.
"""

import json
import os
import runpy
import sys
import time
from pathlib import Path

STEPS = []
REPORT = Path(sys.argv[1])


def note(*_):
    STEPS.append((time.monotonic(), time.process_time()))
    if len(STEPS) == 1:
        REPORT.with_suffix(".ready").touch()
        while len(list(REPORT.parent.glob("*.ready"))) < int(os.environ["CLOCKED"]):
            time.sleep(0.1)


def process_start():
    """When this process was started, on time.monotonic()'s clock (Linux)."""
    ticks = float(Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19])
    return ticks / os.sysconf("SC_CLK_TCK")


def peak_memory():
    """The most memory that this process has held, in bytes (ru_maxrss begins with the parent's)."""
    line = Path("/proc/self/status").read_text().split("VmHWM:")[1]
    return int(line.split()[0]) * 1024


def main():
    script, *arguments = sys.argv[2:]
    sys.argv = [script, *arguments]
    sys.path[0] = os.path.dirname(os.path.abspath(script))
    from torch.optim.optimizer import register_optimizer_step_post_hook

    register_optimizer_step_post_hook(note)
    try:
        runpy.run_path(script, run_name="__main__")
    finally:
        about = {
            "start": process_start(),
            "wall": [wall for wall, _ in STEPS],
            "cpu": [cpu for _, cpu in STEPS],
            "peak_memory": peak_memory(),
        }
        REPORT.write_text(json.dumps(about))


if __name__ == "__main__":
    main()
