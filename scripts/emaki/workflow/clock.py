"""Results with dates that are still to come: the clock was set back since they were made.

Snakemake would take what a job makes now for older than what it is made of, and stop after the job
without saying why.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from emaki.common.errors import UserError

TOLERANCE = 60  # seconds by which the clocks of two machines may lie apart


def refuse(folder: str | Path, now: float | None = None) -> None:
    """Raise UserError, with the command that goes on, where a folder has files of the future."""
    latest = (time.time() if now is None else now) + TOLERANCE
    late = {path: date for path, date in _dates(folder) if date > latest}
    if late:
        path = max(late, key=lambda path: late[path])
        date = datetime.fromtimestamp(late[path]).strftime("%Y-%m-%d %H:%M")
        raise UserError(
            f"{len(late)} files in {folder} have dates that are still to come, such as {path} of "
            f"{date}: the clock was set back. Date them now, and start again: "
            f"find {folder} -newermt now -exec touch -h {{}} +"
        )


def _dates(folder: str | Path) -> Iterator[tuple[str, float]]:
    """(path, date) of all below a folder. Every start asks it of tens of thousands of files."""
    waiting = [os.fspath(folder)]
    while waiting:
        with contextlib.suppress(FileNotFoundError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                with contextlib.suppress(FileNotFoundError):  # of another study, just then
                    date = entry.stat(follow_symlinks=False).st_mtime
                    yield entry.path, date
