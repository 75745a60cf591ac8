"""Arguments of scripts: settings as JSON."""

import json
from typing import TypeVar

from pydantic import ValidationError

from emaki.common.errors import UserError
from emaki.common.messages import explain, spell
from emaki.common.settings import Settings

S = TypeVar("S", bound=Settings)


def read_settings(option: str, class_: type[S], text: str) -> S:
    """The object of a class of settings that the JSON of an option gives.

    Raises UserError, a sentence that names the option, the key and what is wrong with it.
    """
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{option} is not JSON: {error}") from error
    try:
        return class_.model_validate(data)
    except ValidationError as error:
        path, problem = next(iter(explain(error, class_, data).items()))
        raise UserError(f"{option}: {spell(path)} {problem}") from error
