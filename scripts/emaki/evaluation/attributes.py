"""What prompts name of the attributes that a classifier reads in pictures.

The folder of a classifier has attributes.json beside the model: which attributes there are, the
values of each, and by which words prompts name them.
"""

import functools
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, ValidationError

from emaki.common.errors import UserError
from emaki.common.messages import explain, spell
from emaki.common.settings import Maybe, Settings, UniqueTexts, Words

if TYPE_CHECKING:
    import numpy as np

FILE = "attributes.json"
# {rug} in a phrase; not {2,3}, which repeats
PLACE = re.compile(r"\{([^\W\d][\w ]*)\}")


class Attribute(Settings):
    """Something about a picture that has one of several values."""

    name: Words
    """What one calls it: couch."""

    values: UniqueTexts
    """Its values: red, green. The classifier has a label for each, in this order, after those of
    the attributes before."""

    phrases: UniqueTexts
    """Regular expressions by which a prompt names a value, as whole words in large or small
    letters; {couch} stands for any value of the attribute of that name."""

    of: dict[str, str] = Field(default_factory=dict)
    """Attributes with the values without which a picture has none of this one: what is no room has
    no red couch."""

    accuracy: Maybe[float] = Field(None, ge=0, le=1)
    """The share of held-out pictures in which it is read right, for the report."""


class Attributes(Settings):
    """All that a classifier reads: what attributes.json holds."""

    attributes: list[Attribute] = Field(min_length=1)
    """In the order of the classifier's labels."""

    @functools.cached_property
    def columns(self) -> dict[tuple[str, str], int]:
        """{(attribute, value): the number of the classifier's label}."""
        pairs = [(one.name, value) for one in self.attributes for value in one.values]
        return {pair: column for column, pair in enumerate(pairs)}

    @functools.cached_property
    def patterns(self) -> dict[str, list[re.Pattern[str]]]:
        """{attribute: its phrases}, in which the group `value` is one of its values.

        Raises UserError for a phrase that is no regular expression or does not name its attribute.
        """
        choices = {
            one.name: "|".join(re.escape(v) for v in sorted(one.values, key=len, reverse=True))
            for one in self.attributes
        }
        return {
            one.name: [_pattern(one.name, phrase, choices) for phrase in one.phrases]
            for one in self.attributes
        }

    def named(self, prompt: str) -> dict[str, list[str]]:
        """{attribute: the values that a prompt names}, of those attributes that it names."""
        found: dict[str, list[str]] = {}
        for one in self.attributes:
            spelt = {value.lower(): value for value in one.values}
            for pattern in self.patterns[one.name]:
                for match in pattern.finditer(prompt):
                    found.setdefault(one.name, []).append(spelt[match["value"].lower()])
        return found

    def shown(self, chances: "np.ndarray", prompts: Sequence[str]) -> list[float]:
        """How much of what each prompt names its picture shows, in 0..1.

        `chances` (pictures, labels) are the chances that each attribute has each of its values. Of
        a prompt that names nothing all is shown.
        """
        found = []
        for own, prompt in zip(chances, prompts, strict=True):
            each = [self._chance(own, name, vs) for name, vs in self.named(prompt).items()]
            found.append(float(sum(each) / len(each)) if each else 1.0)
        return found

    def _chance(self, chances, name, values):
        """That an attribute has one of these values, and a picture that attribute."""
        (one,) = (one for one in self.attributes if one.name == name)
        chance = chances[sorted({self.columns[name, value] for value in values})].sum()
        for pair in one.of.items():
            chance = chance * chances[self.columns[pair]]
        return chance


def read(folder: str | Path) -> Attributes:
    """The attributes that the classifier in a folder reads. Raises UserError where they are wrong.

    The message names the file, the key and what is wrong with it.
    """
    path = Path(folder) / FILE
    try:
        data = json.loads(path.read_text("utf-8"))
        found = Attributes.model_validate(data)
    except (OSError, json.JSONDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None
    except ValidationError as error:
        keys, problem = next(iter(explain(error, Attributes, data).items()))
        raise UserError(f"{path}: {spell(keys)} {problem}") from None
    try:
        found.patterns  # noqa: B018 - whether there are any
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    for one in found.attributes:
        for name, value in one.of.items():
            if (name, value) not in found.columns:
                raise UserError(f"{path}: {one.name} is of {name}: {value}, which there is not")
    return found


def _pattern(name, phrase, choices):
    """A phrase with values in its places; those of its own attribute are the group `value`."""
    places = PLACE.findall(phrase)
    unknown = [place for place in places if place not in choices]
    if unknown or places.count(name) != 1:
        problem = (
            f"has {{{unknown[0]}}}, which there is not" if unknown else f"lacks one {{{name}}}"
        )
        raise UserError(f"the phrase {phrase!r} of {name} {problem}")

    def fill(match):
        group = "P<value>" if match[1] == name else ":"
        return f"(?{group}{choices[match[1]]})"

    try:
        return re.compile(rf"(?<!\w)(?:{PLACE.sub(fill, phrase)})(?!\w)", re.IGNORECASE)
    except re.error as error:
        raise UserError(f"the phrase {phrase!r} of {name} is no pattern: {error}") from None
