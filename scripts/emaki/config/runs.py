"""Runs resolved: what they inherit by `extends`, and the defaults of their recipe."""

from emaki.config.reading import unknown
from emaki.training import recipes

LORA_KEYS = ("rank", "lora_alpha", "target_modules")


def resolve(document):
    """Complete the runs of a Document in place and keep what each says itself in `document.own`.

    A key that a run gives replaces the inherited value whole. Returns the mistakes (sentences).
    """
    runs = document.data.get("runs")
    if not isinstance(runs, dict):
        return []  # the schema tells, as it does of a run that is no mapping
    written = {name: run if isinstance(run, dict) else {} for name, run in runs.items()}
    document.own = written
    mistakes = [mistake for name in written for mistake in _lineage_mistakes(document, name)]
    if not mistakes:
        document.data["runs"] = runs | {
            name: _complete(written, name) for name in runs if runs[name]
        }
    return mistakes


def _lineage_mistakes(document, name):
    written, seen = document.own, [name]
    while (parent := written[seen[-1]].get("extends")) is not None:
        if not isinstance(parent, str) or parent not in written:
            mine = len(seen) == 1  # else it is told at the run that says it
            return [
                document.error(["runs", name, "extends"], unknown("run", parent, written))
            ] * mine
        if parent in seen:
            circle = seen[seen.index(parent) :]
            message = f"goes round in a circle: {' -> '.join([*circle, parent])}"
            mine = name == min(circle)
            return [document.error(["runs", name, "extends"], message)] * mine
        seen.append(parent)
    return []


def _complete(written, name):
    said = _said(written, name)
    if said.get("method") == "full":  # what is inherited from a LoRA says nothing here
        foreign = [key for key in LORA_KEYS if key not in written[name]]
    else:
        foreign = []
    said = {key: value for key, value in said.items() if key not in foreign}
    try:
        run = recipes.resolve(said)
    except (KeyError, TypeError, AttributeError):  # the schema tells what is wrong
        return said
    if "steps" in run:
        run.setdefault("checkpoint_every", run["steps"])
    return {key: value for key, value in run.items() if key not in foreign}


def _said(written, name):
    """What the run and those that it extends say, the nearest first."""
    run = written[name]
    inherited = _said(written, run["extends"]) if run.get("extends") is not None else {}
    return inherited | run
