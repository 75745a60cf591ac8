"""Tars of pictures with their captions, as the library webdataset writes them: each a shard.

What is in such a tar is said in emaki.data.tars.
"""

import glob
import os
import re
from collections.abc import Iterator
from itertools import islice
from typing import Literal

from pydantic import Field

from emaki.common.errors import UserError
from emaki.common.settings import Text
from emaki.data.picture import Reject
from emaki.data.picture_files import ArchivedPicture, PictureReader
from emaki.data.shard_names import MOST, expand_numbers, name_shards
from emaki.data.sources import Source
from emaki.data.tars import count_tar_pictures, read_tar


class WebDataset(Source):
    """Tars of pictures with their captions, as the library webdataset writes them: each a shard."""

    type: Literal["webdataset"] = "webdataset"

    path: Text
    """Which tars: `{00000..00099}` counts, `*`, `?` and `[...]` match names."""

    caption_column: Text | None = "text"
    """Key of the captions in a tar's `.json`; null: none."""

    min_size: int = Field(32, ge=1)
    """Pictures with a shorter side, in pixels, are set aside."""

    licence: str = "unknown"
    """Licence of the pictures, where their JSON does not tell."""

    credit: str = ""
    """Whom to credit, where their JSON does not tell."""

    def archives(self) -> dict[str, str]:
        """The tars by their names. Raises UserError if one is not there."""
        path = os.path.expanduser(self.path)
        named = [path] if os.path.isfile(path) else list(islice(expand_numbers(path), MOST + 1))
        if len(named) > MOST:
            raise UserError(f"is {self.path}, which names more than {MOST:,} files")
        tars = [tar for name in named for tar in _matching(name)]
        if not tars:
            raise UserError(f"is {self.path}, which matches no file")
        if missing := [tar for tar in tars if not os.path.isfile(tar)]:
            raise UserError(
                f"is {self.path}, of which {len(missing)} of {len(tars)} files are not there; "
                f"the first is {missing[0]}"
            )
        return name_shards(tars, (".tar",))

    def inputs(self) -> list[str]:
        """The tars."""
        return list(self.archives().values())

    def pictures(self) -> Iterator[ArchivedPicture | Reject]:
        """Yield a picture or a reject for every picture or orphan in the tars.

        Raises UserError for what is no tar, or is damaged or cut off.
        """
        reader = PictureReader(self.min_size, self.licence, self.credit, self.caption_column)
        for archive in self.archives().values():
            yield from read_tar(reader, archive)

    def count_pictures(self) -> int:
        """How many pictures there are to read, good or bad."""
        return sum(map(count_tar_pictures, self.archives().values()))


def _matching(name: str) -> list[str]:
    return sorted(glob.glob(name, recursive=True)) if re.search(r"[*?\[]", name) else [name]
