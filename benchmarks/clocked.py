"""Run a training script and note when each optimizer step ended.

    python clocked.py REPORT SCRIPT [ARGUMENT ...]

A hook on every torch optimizer does it, so that each trainer is measured in the same way and
unchanged. REPORT (JSON): `start`, when the process began, and per step `wall`, both in seconds of
one clock of the machine, `cpu`, the process's CPU seconds so far, and `peak_memory` in bytes.
"""

import json
import os
import resource
import runpy
import sys
import time
from pathlib import Path

STEPS = []


def note(*_):
    STEPS.append((time.monotonic(), time.process_time()))


def process_start():
    """When this process was started, on time.monotonic()'s clock (Linux)."""
    ticks = float(Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19])
    return ticks / os.sysconf("SC_CLK_TCK")


def main():
    report, script, *arguments = sys.argv[1:]
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
            "peak_memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        }
        with open(report, "w") as file:
            json.dump(about, file)


if __name__ == "__main__":
    main()
