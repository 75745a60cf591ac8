"""The base of everything that the config holds: one definition of each setting.

A class says of each of its keys the type, the default, the bounds and, in words, what it means. The
check of a config, the JSON Schema that editors use and the tables of config/README.md are made of
that, and an object of the class is what the code reads.
"""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetCoreSchemaHandler, JsonValue
from pydantic_core import core_schema

from emaki.common.model_folders import HUB_FOLDER

T = TypeVar("T")


class Settings(BaseModel):
    """An entry of the config, whole and valid: frozen, without unknown keys, nothing converted.

    `RENAMED` has the keys of older versions: {old: what it is called now}.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )

    RENAMED: ClassVar[dict[str, str]] = {}

    def problems(self) -> Iterator[tuple[str, str]]:
        """What goes ill together or is not there, which a look at each key by itself does not tell.

        Pairs of a key and a sentence that goes on after it ("is my/cat, which is no folder").
        Asked once all the entries of a config are valid.
        """
        yield from ()


def _check_unique(values: list[T]) -> list[T]:
    seen = set()
    for value in values:
        if value in seen:
            raise ValueError(f"has {value!r} twice")
        seen.add(value)
    return values


def _allowed(words: str, short: str) -> dict[str, JsonValue]:
    """What may stand there where the type does not tell: for messages, and for tables."""
    return {"allowed": words, "value": short}


# A key that may be left out and then is None: nobody writes null to say so.
Maybe = Annotated[T | None, Field(json_schema_extra={"left_out": True})]
Text = Annotated[str, Field(min_length=1)]
# Not of white space alone.
Words = Annotated[str, Field(pattern=r"\S")]
Unique = Annotated[
    list[T], Field(json_schema_extra={"uniqueItems": True}), AfterValidator(_check_unique)
]
UniqueTexts = Annotated[Unique[Text], Field(min_length=1)]
Positive = Annotated[float, Field(gt=0)]
# Part of a path.
Name = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$",
        json_schema_extra=_allowed(
            "a name of letters, digits and . _ -, 100 at most, beginning with a letter or digit",
            "name",
        ),
    ),
]
RepositoryName = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*$",
        json_schema_extra=_allowed("a repository of the hub as owner/name", "owner/name"),
    ),
]
Commit = Annotated[
    str,
    Field(
        pattern=r"^[0-9a-f]{40}$",
        json_schema_extra=_allowed(
            "a commit hash of 40 hexadecimal digits: branches and tags move, so pin the commit that"
            " the repository's history shows",
            "commit hash",
        ),
    ),
]


class Pinned(Settings):
    """A repository of the hub by commit."""

    repo: RepositoryName
    """A repository on the Hugging Face hub."""

    revision: Maybe[Commit] = None
    """Which commit; `make pin` prints it."""


class ModelFolder(str):
    """The folder of a model, a text. A config may also say {repo, revision} of the hub.

    Then it is the folder where that will lie, and `pinned` says what was written.
    """

    pinned: Pinned | None = None
    WRITTEN: ClassVar[Any] = Annotated[
        str | Pinned,
        Field(
            json_schema_extra=_allowed(
                "a folder, or a mapping with repo and revision", "folder or mapping"
            )
        ),
    ]

    @classmethod
    def read(cls, written: str | Pinned) -> Self:
        """The folder that is written, or the one of the repository that is."""
        if isinstance(written, str):
            return cls(written)
        # by the commit, so that studies share it safely
        folder = cls(f"{HUB_FOLDER}/{written.repo}/{written.revision}")
        folder.pinned = written
        return folder

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(
            cls.read,
            handler.generate_schema(cls.WRITTEN),
            serialization=core_schema.to_string_ser_schema(),
        )
