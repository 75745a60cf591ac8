"""The hyper-parameters of a training, checked."""

import json
from pathlib import Path

from emaki.common.errors import UserError
from emaki.training import recipes

SCHEMA = Path(__file__).parents[3] / "config/schemas/run.schema.yaml"

# These change no number that a run is meant to have, so they may differ when it is resumed.
FREE = ("recipe", "threads", "steps", "checkpoint_every", "extends", "model", "dataset")


def read(text):
    """A run's hyper-parameters from its JSON, complete (recipes.resolve) and valid.

    Raises UserError for a key or a value that cannot be, naming it.
    """
    import jsonschema
    import yaml

    try:
        run = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"--run is not JSON: {error}") from error
    _check(jsonschema, yaml.safe_load(SCHEMA.read_text()), run)
    run = recipes.resolve(run)
    if run["lr_scheduler"] in ("linear", "cosine") and run["lr_horizon"] is None:
        raise UserError(
            f"lr_scheduler {run['lr_scheduler']} needs lr_horizon: the step where it reaches 0"
        )
    return run


def _check(jsonschema, schema, run):
    for error in jsonschema.Draft202012Validator(schema).iter_errors(run):
        where = ".".join(str(part) for part in error.absolute_path)
        raise UserError(f"run: {where + ': ' if where else ''}{error.message}")


def differences(ours, theirs):
    """What two runs differ in, as sentences ("rank is 4 here and 64 there").

    A run from before a key was introduced has its default.
    """
    ours, theirs = (_flat(recipes.resolve(run)) for run in (ours, theirs))
    return [
        f"{key} is {json.dumps(ours.get(key))} here and {json.dumps(theirs.get(key))} there"
        for key in sorted(ours.keys() | theirs.keys())
        if ours.get(key) != theirs.get(key)
    ]


def _flat(run):
    ema = run.get("ema") or {}
    flat = {key: value for key, value in run.items() if key not in (*FREE, "ema")}
    return flat | {f"ema.{key}": value for key, value in ema.items() if key != "preset"}
