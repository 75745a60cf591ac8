"""Runs resolved: what they inherit by `extends`, and the defaults of their recipe."""

from emaki.config.reading import nearest
from emaki.training import recipes

LORA_KEYS = ("rank", "lora_alpha", "target_modules")


def resolve(document):
    """Complete the runs of a Document in place and keep what each says itself in `document.own`.

    A key that a run gives replaces the inherited value whole. Returns the mistakes (sentences).
    """
    document.own = written = document.data.get("runs")
    if not isinstance(written, dict) or not all(isinstance(run, dict) for run in written.values()):
        document.own = {}
        return []  # the schema tells
    mistakes = []
    for name in written:
        mistakes += _lineage_mistakes(document, name)
    if not mistakes:
        document.data["runs"] = {name: _complete(written, name) for name in written}
    return mistakes


def _lineage_mistakes(document, name):
    written, seen = document.own, [name]
    while (parent := written[seen[-1]].get("extends")) is not None:
        where = ["runs", seen[-1], "extends"]
        if not isinstance(parent, str) or parent not in written:
            hint = nearest(parent, written)
            return [document.error(where, f"there is no run {parent!r}{hint}")]
        if parent in seen:
            circle = " -> ".join([*seen[seen.index(parent) :], parent])
            return [document.error(["runs", parent, "extends"], f"runs in a circle: {circle}")]
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
