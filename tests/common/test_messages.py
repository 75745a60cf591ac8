"""What is said of values that are not what a class of settings asks for."""

from typing import Annotated, Literal

import pytest
from pydantic import Field, ValidationError, field_validator

from emaki.common.messages import explain, spell
from emaki.common.settings import Maybe, ModelFolder, Settings, Unique


class Inner(Settings):
    """Of another class."""

    number: int


class Outer(Settings):
    """Of all kinds of values."""

    RENAMED = {"old": "number"}  # noqa: RUF012

    number: int | None = None
    pair: tuple[int, int] = (1, 2)
    choice: Literal["one", "two"] | Inner = "one"
    several: Literal["all"] | Annotated[Unique[int], Field(min_length=1)] = "all"
    model: ModelFolder | None = None
    left_out: Maybe[str] = None
    inner: dict[str, Inner] = Field({})
    even: int = 0

    @field_validator("even")
    @classmethod
    def _check_even(cls, value):
        if value % 2:
            raise ValueError("is odd")
        return value


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"number": "x"}, "number is 'x', but must be a whole number or null"),
        ({"number": True}, "number is true, but must be a whole number or null"),
        ({"pair": 3}, "pair is 3, but must be a tuple"),
        ({"choice": "ones"}, "choice is 'ones', but must be one of 'one', 'two' or a mapping; did"),
        ({"choice": {}}, "choice.number is missing"),
        ({"choice": {"number": 1.5}}, "choice.number is 1.5, but must be a whole number"),
        ({"choice": {"number": 1, "numbre": 2}}, "choice.numbre is not a key here; there are: n"),
        ({"several": "al"}, "several is 'al', but must be one of 'all' or a list; did you mean"),
        ({"several": []}, "several is empty"),
        ({"several": [1, 1]}, "several has 1 twice"),
        ({"several": [1, "x"]}, "several[1] is 'x', but must be a whole number"),
        ({"model": {"revision": "main"}}, "model.repo is missing; model.revision is 'main', but"),
        ({"model": []}, "model is a list, but must be a folder, or a mapping with repo and"),
        ({"left_out": 3}, "left_out is 3, but must be text"),
        ({"inner": {"a": {"number": 1}, "b": 3}}, "inner.b is 3, but must be a mapping"),
        ({"even": 3}, "even is odd"),
        ({"old": 3}, "old is called number now"),
    ],
)
def test_each_mistake_is_a_sentence(values, told):
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(values)
    found = explain(caught.value, Outer, values)
    assert "; ".join(f"{spell(path)} {text}" for path, text in found.items()).startswith(told)
