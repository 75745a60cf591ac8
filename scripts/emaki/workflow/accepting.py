"""Results whose code changed without effect: they are kept, and the report says that they were."""

from collections import Counter
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

from emaki.common import digests
from emaki.common.files import replacing
from emaki.workflow.remaking import Remade

ASKED = "EMAKI_ACCEPT"  # in the environment, of `make accept`
ENTRIES = "accepted"


def file_in(folder: str | Path) -> Path:
    """Where a study's folder says what was accepted; not there where nothing was."""
    return Path(folder, "accepted.json")


def read(folder: str | Path) -> list[dict[str, Any]]:
    """[{"date", "code": [names], "results": {rule: how many}}] of what was accepted in a study."""
    path = file_in(folder)
    return digests.read_json(path)[ENTRIES] if path.exists() else []


def note(folder: str | Path, accepted: Iterable[Remade], today: date | None = None) -> str:
    """Write down what was accepted, together with what else was on this day, and say it.

    "" where it is nothing.
    """
    accepted = list(accepted)
    if not accepted:
        return ""
    day = (today or date.today()).isoformat()
    entries = read(folder)
    entry = {
        "date": day,
        "code": sorted({name for job in accepted for name in job.code}),
        "results": dict(Counter(job.rule for job in accepted)),
    }
    if entries and entries[-1]["date"] == day:
        last = entries.pop()
        entry["code"] = sorted({*entry["code"], *last["code"]})
        entry["results"] = dict(Counter(last["results"]) + Counter(entry["results"]))
    with replacing(file_in(folder)) as temporary:
        digests.write_json(temporary, {ENTRIES: [*entries, entry]})
    jobs = Counter(job.rule for job in accepted)
    told = ", ".join(f"{jobs[rule]} {rule}" for rule in sorted(jobs))
    return f"Kept as made by the code that is there: {told}."
