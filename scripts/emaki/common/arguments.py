"""Arguments of scripts: settings as JSON."""

import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from emaki.common.errors import UserError
from emaki.common.messages import explain, spell
from emaki.common.settings import Settings

S = TypeVar("S", bound=Settings)


def from_json(text: str) -> Any:
    """The value of an argument that is JSON, or "@" and the path of a file with JSON.

    A command has no room for a long one.
    """
    return json.loads(Path(text[1:]).read_text("utf-8") if text.startswith("@") else text)


def read_settings(option: str, class_: type[S], text: str) -> S:
    """The object of a class of settings that the JSON of an option gives, as `from_json` reads it.

    Raises UserError, a sentence that names the option, the key and what is wrong with it.
    """
    try:
        data = from_json(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{option} is not JSON: {error}") from error
    try:
        return class_.model_validate(data)
    except ValidationError as error:
        path, problem = next(iter(explain(error, class_, data).items()))
        raise UserError(f"{option}: {spell(path)} {problem}") from error
