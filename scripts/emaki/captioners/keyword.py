"""The captions of another captioner, each with the same words before or after it."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from emaki.captioners import Captioner
from emaki.data.picture import Caption


class Keyword(Captioner):
    """Another captioner's captions with a keyword."""

    type: Literal["keyword"] = "keyword"

    of: str = Field(json_schema_extra={"value": "captioner"})
    """Captioner whose captions are changed."""

    keyword: Annotated[str, Field(pattern=r"\S")]
    """The words; a caption that has them there is left as it is."""

    position: Literal["prefix", "suffix"] = "suffix"
    """Where they go."""

    separator: str = ", "
    """Between them and the caption."""

    def caption_pictures(self, images: Path, below: list[Caption]) -> Iterable[Caption]:
        """Yield the captions `below`, each with the keyword.

        A picture without a caption keeps None: a keyword alone says nothing about it.
        """
        for identifier, caption in below:
            yield identifier, caption and self.add_keyword(caption)

    def add_keyword(self, caption: str) -> str:
        """`caption` with the keyword at its `position`, once.

        >>> Keyword(of="alt", keyword="interior design").add_keyword("a red couch")
        'a red couch, interior design'
        >>> Keyword(of="alt", keyword="interior design").add_keyword("a couch, interior design")
        'a couch, interior design'
        """
        keyword = self.keyword.strip()
        first = self.position == "prefix"
        parts = [keyword, caption] if first else [caption, keyword]
        glue = self.separator.strip()
        here, there = caption.casefold(), keyword.casefold()
        rest = here.removeprefix(there) if first else here.removesuffix(there)
        # "designs" does not begin with the keyword "design": what follows it must not be a letter
        edge = rest[:1] if first else rest[-1:]
        present = rest != here and not edge.isalnum()
        return caption if present else self.separator.join(p.strip().strip(glue) for p in parts)
