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
        document.data["runs"] = {
            name: _complete(written, name) if isinstance(run, dict) else run
            for name, run in runs.items()
        }
    return mistakes


def _lineage_mistakes(document, name):
    """What is wrong with a run's `extends`, if it is not told at another run."""
    written, seen = document.own, [name]
    while (parent := written[seen[-1]].get("extends")) is not None:
        message = None
        if not isinstance(parent, str) or parent not in written:
            if len(seen) == 1:
                message = unknown("run", parent, written)
        elif parent in seen:
            circle = seen[seen.index(parent) :]
            if name == min(circle):
                message = f"goes round in a circle: {' -> '.join([*circle, parent])}"
        else:
            seen.append(parent)
            continue
        return [document.error(["runs", name, "extends"], message)] if message else []
    return []


def _complete(written, name):
    said = _said(written, name)
    # What is inherited from a LoRA says nothing about a full fine-tune.
    mute = set(LORA_KEYS) - set(written[name]) if said.get("method") == "full" else set()
    try:
        run = recipes.resolve(said)
    except (KeyError, TypeError, AttributeError):  # the schema tells what is wrong
        run = said
    if "steps" in run:
        run.setdefault("checkpoint_every", run["steps"])
    return {key: value for key, value in run.items() if key not in mute}


def _said(written, name):
    """What the run and those that it extends say, the nearest first."""
    run = written[name]
    inherited = _said(written, run["extends"]) if run.get("extends") is not None else {}
    return inherited | run
