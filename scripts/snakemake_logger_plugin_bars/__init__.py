"""What `make report` shows: one overall bar, the failures, and nothing else.

A logger plugin of Snakemake (`--logger bars`; found because `scripts/` is on PYTHONPATH). The bars
of single jobs, and the end of a failed job's log, come from the jobs themselves (jobs/run.py).
"""

import logging
import sys
import time

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from emaki.common.progress import line

SECONDS_BETWEEN = 2


class LogHandler(LogHandlerBase):
    """Prints progress as a line every few seconds, messages only where they matter."""

    writes_to_stream = True
    writes_to_file = False
    has_filter = True
    has_formatter = True
    needs_rulegraph = False

    def __post_init__(self):
        self.start = self.shown = time.monotonic()

    def emit(self, record):
        event = getattr(record, "event", None)
        if event == LogEvent.PROGRESS:
            self.progress(record.done, record.total)
        elif event == LogEvent.JOB_ERROR:
            show(f"{record.rule_name} failed; its log: {', '.join(record.log)}")
        elif matters(record, event):
            show(record.getMessage())

    def progress(self, done, total):
        now = time.monotonic()
        if done == total or now - self.shown >= SECONDS_BETWEEN:
            self.shown = now
            show(line("all jobs", done, total, "jobs", now - self.start))


def matters(record, event):
    """Whether a message is for a person: not the trace of a job that told its failure itself."""
    if event == LogEvent.ERROR:
        return getattr(record, "exception", "") not in ("RuleException", "CalledProcessError")
    return event is None and (
        record.levelno >= logging.WARNING or str(record.msg).startswith("Nothing to be done")
    )


def show(text):
    print(text, file=sys.stderr, flush=True)
