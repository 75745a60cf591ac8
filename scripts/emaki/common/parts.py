"""Where one of the tables of a Parquet file lies (emaki.common.parquet_groups), to plan with."""

import os
from typing import NamedTuple

Key = tuple[str, ...]


class Part(NamedTuple):
    """One of the tables of a file: the file, and its key there."""

    path: str
    key: Key

    def below(self, place: str | os.PathLike) -> "Part":
        """The same in another place than the current folder."""
        return self._replace(path=os.path.join(place, self.path))
