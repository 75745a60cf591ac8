"""Squares of one colour each."""

from emaki.common.settings import UniqueTexts
from emaki.data.picture import Picture
from emaki.data.sources import DivisibleSource


class Squares(DivisibleSource):
    """Squares of one colour each."""

    colours: UniqueTexts
    """What they are painted in."""

    side: int = 32
    """Pixels."""

    def pictures(self):
        from PIL import Image

        for colour in self.colours:
            square = Image.new("RGB", (self.side, self.side), colour)
            yield Picture(colour, square, f"a {colour} square", "CC0 1.0", "me")

    def count_pictures(self):
        return len(self.colours)
