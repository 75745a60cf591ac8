"""The letters of pictures that are made for people."""

from importlib.resources import files

from PIL import ImageFont


def dejavu(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans of `size` pixels, from matplotlib: Pillow's own font lacks even accents."""
    path = files("matplotlib") / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(path), size)
