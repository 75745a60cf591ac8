"""The config of a study: read, made into objects, checked. Every start of Snakemake imports it.

Everything that can be wrong with a config is told here, before anything runs, with the file, the
line, the entry, what is allowed and the valid name that is nearest.
"""

import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from emaki.common.errors import UserError
from emaki.common.files import replacing
from emaki.common.messages import explain
from emaki.common.settings import Settings
from emaki.config import checks, matrix, runs
from emaki.config.derived import kept_steps, overrides, steps_of, trained, variants
from emaki.config.reading import Document, read
from emaki.config.settings import Study, TinyModels

__all__ = ["kept_steps", "load", "load_tiny_models", "overrides", "read_saved", "read_study"]
__all__ += ["save", "steps_of", "to_text", "trained", "variants"]

S = TypeVar("S", bound=Settings)
MOST_TOLD = 50  # lines of mistakes


def load(path: str | Path, machine: dict[str, Any] | None = None) -> Study:
    """The study that the config at `path` declares, complete: nothing is left to look up.

    What it `extends` is merged in, a run has what it inherits and what its recipe says, and so on
    (see Study). Relative paths are left as they are: they count from the working directory.
    `machine`, where a profile names one, takes the place of the file's. Raises UserError with one
    line per mistake.
    """
    study, document = read_study(path, machine)
    _raise(checks.find_mistakes(study, document))
    return checks.complete(study)


def load_tiny_models(path: str | Path) -> TinyModels:
    """What the config at `path` (config/tiny.yaml) says of the models in resources/."""
    return _make(TinyModels, read(_shorten(path)))


def read_study(path: str | Path, machine: dict[str, Any] | None = None) -> tuple[Study, Document]:
    """A study each of whose settings is valid, and the Document that it is from.

    What the settings refer to is not looked at. Raises UserError with one line per mistake.
    """
    document = read(_shorten(path))
    if machine is not None:
        document.replace("machine", machine, "the profile's config")
    _raise(runs.inherit(document))
    _raise(matrix.expand(document))
    return _make(Study, document), document


def to_text(study: Study) -> str:
    """A study as JSON, its entries in their order: the same text for the same study."""
    return json.dumps(study.as_json(), indent=1, ensure_ascii=False) + "\n"


def save(study: Study, path: str | Path) -> None:
    """Write what `to_text` makes of a study."""
    with replacing(path) as temporary:
        Path(temporary).write_text(to_text(study), encoding="utf-8")


def read_saved(path: str | Path) -> Study:
    """A study that `save` wrote. The files that it names need not be there.

    Raises UserError where there is none.
    """
    try:
        return Study.model_validate_json(Path(path).read_bytes())
    except (OSError, ValidationError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None


def _make(kind: type[S], document: Document) -> S:
    """The object of a Document's data. Raises UserError with one line per mistake."""
    try:
        return kind.model_validate(document.data)
    except ValidationError as error:
        found, whole = explain(error, kind, document.data).items(), str(error)
    told = [document.error(path, text) for path, text in found if document.says_itself(path)]
    _raise(told)
    raise UserError(f"{document.file} is not valid: {whole}")


def _raise(mistakes: list[str]) -> None:
    """Raise a UserError with a line for each mistake, the first of many, if there are any."""
    lines = list(dict.fromkeys(mistakes))
    if len(lines) > MOST_TOLD:
        lines[MOST_TOLD:] = [f"and {len(lines) - MOST_TOLD} more such lines"]
    if lines:
        raise UserError("\n".join(lines))


def _shorten(path: str | Path) -> Path:
    """Snakemake gives an absolute path; people read the messages."""
    path, here = Path(path), Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
