"""Results that a start would make again because of code, told with what they cost before it does.

An edit of a module, or `git pull`, makes again what runs it: that is right, and may take days.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from emaki.common.errors import UserError
from emaki.report import costs
from emaki.workflow.code_files import file_of, is_code

LIMIT = 3600  # seconds that trainings, pictures and the like took; below it nobody is asked
ALLOWED = "EMAKI_REMAKE"  # in the environment: "1", or how many seconds need no question


class Remade(NamedTuple):
    """A job that will run although its result is there."""

    rule: str
    benchmark: str
    """The file that says how long it took; "" where there is none."""
    updated: list[str]
    """Its inputs that are others than they were."""


def refuse(jobs: Iterable[Remade], environment: Mapping[str, str] = os.environ) -> None:
    """Raise UserError where changed code makes results again that took more than a stated time.

    Nothing is said where no code has changed: what the config changes is asked for.
    """
    jobs = list(jobs)
    changed = sorted({file_of(path) for job in jobs for path in job.updated if is_code(path)})
    allowed = environment.get(ALLOWED, "")
    timed = [(job.rule, path) for job in jobs if (path := Path(job.benchmark)).is_file()]
    taken: dict[str, float] = {}
    for rule, path in timed:
        (timing,) = costs.read([path])
        taken[rule] = taken.get(rule, 0.0) + timing["seconds"]
    limit = float(allowed) if allowed not in ("", "1") else LIMIT
    if not changed or allowed == "1" or sum(taken.values()) <= limit:
        return
    parts = ", ".join(f"{rule} {taken[rule] / 3600:.1f} h" for rule in sorted(taken))
    raise UserError(
        f"{sum(taken.values()) / 3600:.1f} hours of results would be made again ({parts}), because "
        f"{_some(changed)} changed: to have that, set {ALLOWED}=1; to keep them as they are, take "
        "the change back, or accept them with `snakemake --touch` (docs/workflow.md)"
    )


def _some(files: list[str]) -> str:
    more = f" and {len(files) - 3} more" if len(files) > 3 else ""
    return ", ".join(files[:3]) + more
