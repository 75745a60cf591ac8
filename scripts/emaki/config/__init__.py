"""The config of a study: read, resolved, checked. Imported at every start of Snakemake, so light.

Everything that can be wrong with a config is told here, before anything runs, with the file, the
line, the entry, what is allowed and the valid name that is nearest.
"""

import json
from pathlib import Path

from emaki.common.errors import UserError
from emaki.common.files import replacing
from emaki.config import checks, runs, schema
from emaki.config.derived import kept_steps, overrides, shards_of, steps_of, trained, variants
from emaki.config.reading import read

__all__ = ["kept_steps", "load", "overrides", "save", "shaped", "shards_of", "steps_of"]
__all__ += ["trained", "variants"]


def load(path, machine=None):
    """The config at `path` as a plain dict, complete: nothing is left to look up or to default.

    What it `extends` is merged in, every run holds all of its hyper-parameters (and `extends`
    still), every experiment its `reference`, and a set of prompts is {"texts": [...]} (also
    where the YAML names a file) or {"dataset": ..., "count": ...}. Relative paths are left as
    they are: they count from the working directory. `machine`, where a profile names one, takes
    the place of the file's. Raises UserError with one line per mistake.
    """
    document = shaped(path, machine)
    if mistakes := checks.check(document):
        raise UserError("\n".join(dict.fromkeys(mistakes)))
    return document.data


def shaped(path, machine=None):
    """The Document of a config whose shape is right; what it refers to is not looked at.

    Raises UserError with one line per mistake.
    """
    # Snakemake gives an absolute path; people read the messages
    path, here = Path(path), Path.cwd()
    document = read(path.relative_to(here) if path.is_relative_to(here) else path)
    if machine is not None:
        document.replace("machine", machine, "the profile's config")
    mistakes = runs.resolve(document)
    mistakes += schema.check(document)
    if mistakes:
        raise UserError("\n".join(dict.fromkeys(mistakes)))
    return document


def save(config, path):
    """Write a loaded config as JSON: the same bytes for the same config."""
    with replacing(path) as temporary:
        text = json.dumps(config, indent=1, sort_keys=True, ensure_ascii=False)
        Path(temporary).write_text(f"{text}\n", encoding="utf-8")
