"""SVG to PIL, by resvg: the same bytes on every machine, no system library or font needed."""

import io

from PIL import Image

SIZE = 128  # pixels: twice what the tiny models draw


def render(svg: str) -> Image.Image:
    """The SVG text `svg`, SIZE pixels wide, as an RGB picture on white."""
    import resvg_py

    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=SIZE, height=SIZE))
    picture = Image.open(io.BytesIO(png)).convert("RGBA")
    page = Image.new("RGBA", picture.size, "white")
    page.alpha_composite(picture)
    return page.convert("RGB")
