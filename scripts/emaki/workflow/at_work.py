"""Which Snakemakes are at work in this folder, so that a second one can be told what is true.

Snakemake locks the files that a start will make. One that comes upon a locked file ends with the
advice to `--unlock`, which is for a Snakemake that has died and would be wrong beside a living one.
Each start that has jobs holds a file here under a lock of the kernel's, which goes when it ends,
however it ends.
"""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

FOLDER = ".snakemake/emaki/at-work"
INHERITED = "EMAKI_AT_WORK"  # set for jobs, some of which are Snakemakes again


_held: list[BinaryIO] = []


def register(study: str, folder: str = FOLDER) -> None:
    """Say that this process works on a study, until it ends."""
    path = Path(folder, str(os.getpid()))
    path.parent.mkdir(parents=True, exist_ok=True)
    file = open(path, "wb")  # noqa: SIM115 - closed by the process's end
    fcntl.flock(file, fcntl.LOCK_EX)
    file.write(study.encode())
    file.flush()
    os.environ[INHERITED] = "1"
    _held.append(file)


def find_others(folder: str = FOLDER) -> Iterator[tuple[int, str]]:
    """(process, study) of each that is at work; what dead ones have left is removed."""
    if INHERITED in os.environ or not Path(folder).is_dir():
        return
    for path in sorted(Path(folder).iterdir()):
        try:
            with open(path, "rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                path.unlink(missing_ok=True)
        except BlockingIOError:
            yield int(path.name), path.read_text()
        except OSError:  # it was just done, or the disk knows no such locks
            continue


def explain(process: int, other: str, own: str) -> str:
    """What somebody should know who starts a second Snakemake here, on the study `own`."""
    told = f"note: a Snakemake (process {process}) is at work here on the study {other!r}."
    if other == own:
        return f"{told} Wait until it has ended; --unlock is for one that has died."
    return (
        f"{told} Both make results/report.html, and a LockException would be about that: give "
        f"results/{own}/report.html as target, and both studies run at once. --unlock is for a "
        "Snakemake that has died."
    )
