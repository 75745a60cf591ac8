"""The base of everything that the config holds: one definition of each setting.

A class says of each of its keys the type, the default, the bounds and, in words, what it means. The
check of a config, the JSON Schema that editors use and the tables of config/README.md are made of
that, and an object of the class is what the code reads.
"""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """An entry of the config, whole and valid: frozen, without unknown keys, nothing converted.

    `RENAMED` has the keys of older versions: {old: what it is called now}.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True
    )

    RENAMED: ClassVar[dict[str, str]] = {}
