"""Progress of a long step: a bar as a line, for the log and for the terminal.

Several jobs share one terminal, so a bar is a new line every few seconds, not a line that is
drawn over. `scripts/jobs/run.py` gives a job the terminal in the file descriptor EMAKI_TERMINAL.
"""

import os
import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar, cast

T = TypeVar("T")

WIDTH = 20
LOG_SECONDS = 5
TERMINAL_SECONDS = 10


def bar(
    iterable: Iterable[T], *, total: int | None = None, unit: str = "items", label: str = ""
) -> Iterator[T]:
    """Yield from `iterable` and report how far it is, its speed and the time left in seconds.

    `total` is taken from len(iterable) where it is not given; `unit` is a plural noun.
    """
    total = len(cast(Sized, iterable)) if total is None else total
    start = time.monotonic()
    logged = shown = start
    done = 0
    for done, item in enumerate(iterable, 1):
        yield item
        now = time.monotonic()
        if now - logged >= LOG_SECONDS:
            logged = now
            print(line(label, done, total, unit, now - start), file=sys.stderr, flush=True)
        if now - shown >= TERMINAL_SECONDS:
            shown = now
            tell(line(label, done, total, unit, now - start))
    print(line(label, done, total, unit, time.monotonic() - start), file=sys.stderr, flush=True)


def tell(line: str) -> None:
    """Write one line to the user's terminal where a job runs under `scripts/jobs/run.py`."""
    if descriptor := os.environ.get("EMAKI_TERMINAL"):
        os.write(int(descriptor), f"{line}\n".encode())


def line(label: str, done: int, total: int, unit: str, seconds: float) -> str:
    """A bar as text: how much of `total` is done after `seconds`, the speed and the time left."""
    filled = WIDTH * min(done, total) // max(total, 1)
    rate = done / seconds if seconds > 0 else 0.0
    left = (total - done) / rate if rate else 0.0
    return (
        f"{label:<32} {'█' * filled}{'░' * (WIDTH - filled)} {done}/{total} {unit}, "
        f"{rate:.1f}/s, {int(left) // 60}:{int(left) % 60:02d} left"
    )
