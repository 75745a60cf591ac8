"""Run one rule's script: its output goes to the rule's log, a failure shows what matters.

    python scripts/jobs/run.py [--warm] [--gpus N] --log LOG SCRIPT [ARGUMENT ...]

The script's stdout and stderr go to LOG. When it fails, the end of the log and the one line that
tells why are printed. With --warm the script runs in a process forked from one that has imported
PyTorch and its company already (scripts/jobs/warm.py), which saves each job 2 to 7 s of CPU. Where
that is not possible (not Linux, a cluster job, EMAKI_WARM=0), it runs in a process of its own.
With --gpus it waits for so many GPUs of its own (scripts/jobs/gpus.py); such a job is never warm.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import gpus
import warm

TAIL_LINES = 15


def main():
    arguments = parse_arguments()
    command = [arguments.script, *arguments.arguments]
    Path(arguments.log).parent.mkdir(parents=True, exist_ok=True)
    locks = gpus.lease(arguments.gpus) if arguments.gpus else []
    with open(arguments.log, "wb") as log:
        if arguments.warm and not locks and warm.is_possible():
            status = run_warm(command, log)
        else:
            status = run_cold(command, log, locks)
    if status:
        explain(arguments.script, arguments.log, status)
    sys.exit(status)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--warm", action="store_true")
    parser.add_argument("--gpus", type=int, default=0)
    parser.add_argument("--log", required=True)
    parser.add_argument("script")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    return parser.parse_args()


def run_warm(command, log):
    """Run the script in a fork of the warm process; return its exit status."""
    with warm.request(command, log.fileno(), sys.stderr.fileno()) as job:
        forward_signals(job.signal)
        return job.wait()


def run_cold(command, log, locks):
    """Run the script in a new interpreter that holds the `locks`; return its exit status."""
    terminal = os.dup(sys.stderr.fileno())  # the script's own descriptor 2 is the log
    process = subprocess.Popen(
        [sys.executable, *command],
        stdout=log,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "EMAKI_TERMINAL": str(terminal)},
        pass_fds=[terminal, *locks],
    )
    forward_signals(process.send_signal)
    status = process.wait()
    return 128 - status if status < 0 else status


def forward_signals(send):
    """Hand SIGTERM and SIGINT on as SIGTERM, so that a training job can save its state."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: send(signal.SIGTERM))


def explain(script, log, status):
    """Print the end of a failed job's log and, last, the line that tells why."""
    lines = Path(log).read_text(errors="replace").splitlines()
    shown = "".join(f"  | {line}\n" for line in lines[-TAIL_LINES:])
    reason = line_that_matters(lines) or f"{script} ended with status {status}"
    print(f"\n{script} failed; the end of {log}:\n{shown}{reason}\n", file=sys.stderr)


def line_that_matters(lines):
    """The last line that reads as an error message, or None.

    Where a training's processes have failed ("[rank1]: ..."), the first: others fail without it.
    """
    error = re.compile(r"(\[rank\d+\]: )?(error: |[A-Za-z_][\w.]*(Error|Exception|Interrupt)\b)")
    found = [match for line in lines if (match := error.match(line))]
    of_several = any(match[1] for match in found)
    return found[0 if of_several else -1].string if found else None


if __name__ == "__main__":
    main()
