"""Where pictures come from. Each module here has one class, whose objects give the pictures.

Such an object is an entry of the config's `sources`, with the module's settings. The same settings
give the same pictures, byte for byte. The rules, the check of a config and the report import these
modules, so that what is heavy is imported by the methods that need it.
"""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from emaki.common.errors import UserError
from emaki.common.plugins import Kind
from emaki.common.settings import Settings
from emaki.data.picture import Picture, Reject

Count = Annotated[int, Field(ge=1, le=1_000_000)]


class Source(Settings):
    """Where pictures come from. A module derives one class from this or from `DivisibleSource`."""

    type: str
    """Where the pictures come from: a module of `emaki.data.sources`, or your own .py file."""

    def pictures(self) -> Iterator[Picture | Reject]:
        """Yield the pictures, and what had to be set aside. A job calls this, and `count_pictures`.

        Raises UserError for what the user can put right.
        """
        raise NotImplementedError

    def count_pictures(self) -> int:
        """How many pictures and rejects there will be about, for the progress bar."""
        raise NotImplementedError

    def inputs(self) -> list[str]:
        """The user's own files that are read, which invalidate the pictures when they change.

        This, `stamps`, `archives` and `shard_names` must be quick: each start of Snakemake asks.
        """
        return []

    def terms(self) -> str:
        """What goes with the pictures, as far as it is known before they are there: a licence."""
        return getattr(self, "licence", None) or ""

    def notes(self) -> list[str]:
        """Sentences for the cards of the datasets made of the pictures, which are there by now."""
        return []

    def stamps(self) -> dict[str, list[int]]:
        """What stands for files that are read and are not among `inputs`: {name: [size, time]}."""
        return {}

    def archives(self) -> dict[str, str]:
        """{name of a shard: its file}, in order, of a source whose pictures stay in its files.

        Such a source has a key `path`; with one of these files there it is the shard's own source.
        Raises UserError, a sentence that goes on after that key, for what is wrong with it.
        """
        return {}

    def problems(self) -> Iterator[tuple[str, str]]:
        """What is wrong with the files (see Settings.problems)."""
        try:
            self.archives()
        except UserError as error:
            yield "path", str(error)

    def shard_names(self) -> list[str]:
        """The names of the shards in their order; none for a source in one piece."""
        return list(self.archives())


class DivisibleSource(Source):
    """A source whose pictures can be divided into shards."""

    shards: int = Field(1, ge=1, le=100_000)
    """How many jobs share captions, latents and features; 1: one of each."""

    def shard_names(self) -> list[str]:
        """Five digits each."""
        return [f"{number:05d}" for number in range(self.shards)] if self.shards > 1 else []


KIND = Kind("source", "emaki.data.sources", Source)
