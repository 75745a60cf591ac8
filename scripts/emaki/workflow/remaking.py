"""Results that a start would make again because of code, told with what they cost before it does.

An edit of a module, or `git pull`, makes again what runs it: that is right, and may take days.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from emaki.common.errors import UserError
from emaki.costs import timings

LIMIT = 3600  # seconds that trainings, pictures and the like took; below it nobody is asked
ALLOWED = "EMAKI_REMAKE"  # in the environment: "1", or how many seconds need no question


class Remade(NamedTuple):
    """A job that will run although its result is there, since code has changed."""

    rule: str
    benchmark: str
    """The file that says how long it took; "" where there is none."""
    code: list[str]
    """What has changed: files, and what has no file, in words."""


def refuse(jobs: Iterable[Remade], environment: Mapping[str, str] = os.environ) -> None:
    """Raise UserError where changed code makes results again that took more than a stated time."""
    jobs = list(jobs)
    allowed = environment.get(ALLOWED, "")
    timed = [(job.rule, path) for job in jobs if (path := Path(job.benchmark)).is_file()]
    taken: dict[str, float] = {}
    for rule, path in timed:
        (timing,) = timings.read([path])
        taken[rule] = taken.get(rule, 0.0) + timing["seconds"]
    limit = float(allowed) if allowed not in ("", "1") else LIMIT
    if allowed == "1" or sum(taken.values()) <= limit:
        return
    parts = ", ".join(f"{rule} {taken[rule] / 3600:.1f} h" for rule in sorted(taken))
    changed = sorted({name for job in jobs for name in job.code})
    raise UserError(
        f"{sum(taken.values()) / 3600:.1f} hours of results would be made again ({parts}), because "
        f"{_some(changed)} changed: to have that, set {ALLOWED}=1; to keep them as they are, take "
        "the change back, or accept it with `make accept`, if it has no effect (docs/workflow.md)"
    )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
