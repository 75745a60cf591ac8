"""What runs inherit from each other by `extends`."""

from typing import Any

from emaki.config.reading import Document, unknown
from emaki.training.settings import SEED_KEYS


def inherit(document: Document) -> list[str]:
    """Give each run of a Document what it inherits, and keep what it says itself in `document.own`.

    A key that a run gives replaces the inherited value whole, and `seed` and `seeds` each other.
    Returns the mistakes (sentences).
    """
    runs = document.data.get("runs")
    if not isinstance(runs, dict):
        return []  # its type is told later, as it is of a run that is no mapping
    document.own = {name: run if isinstance(run, dict) else {} for name, run in runs.items()}
    mistakes = []
    for name, run in runs.items():
        ancestors, mistake = _ancestors(document.own, name)
        if mistake:
            mistakes.append(document.error(["runs", name, "extends"], mistake))
        elif isinstance(run, dict):
            merged: dict[str, Any] = {}
            for other in reversed([name, *ancestors]):
                own = document.own[other]
                if own.keys() & set(SEED_KEYS):
                    merged = {key: value for key, value in merged.items() if key not in SEED_KEYS}
                merged |= own
            document.data["runs"][name] = merged
    return mistakes


def _ancestors(written: dict[str, Any], name: str) -> tuple[list[str], str | None]:
    """The runs that a run extends, the nearest first; and what is wrong if it is to be told here.

    Of a circle that is at its first run, of a name that there is not where it stands.
    """
    seen = {name: None}  # a dict has an order and is quick to search
    current = name
    while (parent := written[current].get("extends")) is not None:
        if not isinstance(parent, str) or parent not in written:
            return [], unknown("run", parent, written) if current == name else None
        if parent in seen:
            circle = list(seen)[list(seen).index(parent) :]
            told = f"goes round in a circle: {' -> '.join([*circle, parent])}"
            return [], told if name == min(circle) else None
        seen[parent] = None
        current = parent
    return list(seen)[1:], None
