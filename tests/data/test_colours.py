"""Pictures with a colour profile: the model sees the colours that their owner sees."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms
from profiles import ADOBE, GAMMA, P3, SRGB, grey_profile, in_srgb, profile
from test_decoding import encoded, png_by_hand

from emaki.data import colours, decoding
from emaki.data.decoding import decode, decode_noting, is_plain

SCRIPTS = Path(__file__).parents[2] / "scripts"
COLOURS = [(100, 150, 200), (200, 180, 90), (0, 0, 0), (255, 255, 255), (128, 128, 128)]


def close(seen, right, tolerance=2):
    return np.abs(np.subtract(seen, right)).max() <= tolerance


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize(("columns", "gamma"), [(ADOBE, GAMMA), (P3, None)])
def test_other_spaces_become_srgb(kind, columns, gamma):
    icc = profile(columns, gamma)
    quality = {} if kind == "PNG" else {"quality": 100}
    tolerance = 6 if kind in ("WEBP", "AVIF") else 2  # they are not exact
    for colour in COLOURS:
        data = encoded(Image.new("RGB", (40, 40), colour), kind, icc_profile=icc, **quality)
        image, changes = decode_noting(data)
        assert close(image.getpixel((9, 9)), in_srgb(colour, columns, gamma), tolerance)
        assert changes == (colours.CONVERTED,)
        assert not is_plain(data), "a reader who knows no profiles would see other colours"
        again = decode(decoding.to_png(image))
        assert decoding.sha256(again) == decoding.sha256(image), "it is not converted twice"


def test_the_formulas_are_right():
    assert in_srgb((100, 150, 200), SRGB) == (100, 150, 200)
    assert in_srgb((255, 0, 0), P3)[0] == 255
    assert in_srgb((100, 150, 200), ADOBE, GAMMA)[0] < 90, "Adobe RGB's cyan is further out"


@pytest.mark.parametrize(
    "icc", [profile(SRGB), ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()]
)
def test_srgb_stays_as_it_is(icc):
    data = encoded(Image.new("RGB", (40, 40), (100, 150, 200)), icc_profile=icc)
    image, changes = decode_noting(data)
    assert (image.getpixel((9, 9)), changes) == ((100, 150, 200), ())
    assert is_plain(data)


@pytest.mark.parametrize(
    "icc",
    [b"no profile", profile(P3)[:200], profile(P3)[:-40], grey_profile(2.2), bytes(500)],
)
def test_a_broken_profile_costs_no_picture(icc):
    image, changes = decode_noting(
        encoded(Image.new("RGB", (40, 40), (100, 150, 200)), icc_profile=icc)
    )
    assert image.getpixel((9, 9)) == (100, 150, 200)
    assert changes == (colours.UNUSABLE,)


def test_grey_and_transparency_with_profiles():
    grey = encoded(Image.new("L", (40, 40), 100), icc_profile=grey_profile(1.0))
    assert close(decode(grey).getpixel((9, 9)), in_srgb([100] * 3, SRGB, 1.0))
    coloured = encoded(Image.new("L", (40, 40), 100), icc_profile=profile(SRGB, 1.0))
    assert close(decode(coloured).getpixel((9, 9)), in_srgb([100] * 3, SRGB, 1.0))
    half = Image.new("RGBA", (40, 40), (100, 150, 200, 0))
    half.paste((100, 150, 200, 255), (0, 0, 20, 40))
    seen = decode(encoded(half, icc_profile=profile(P3)))
    assert close(seen.getpixel((5, 5)), in_srgb((100, 150, 200), P3))
    assert seen.getpixel((35, 5)) == (255, 255, 255)
    palette = Image.new("RGB", (40, 40), (100, 150, 200)).quantize(4)
    assert close(
        decode(encoded(palette, icc_profile=profile(P3))).getpixel((5, 5)),
        in_srgb((100, 150, 200), P3),
    )
    deep = png_by_hand(40, 40, depth=16, colour=0, raw=(b"\0" + b"\x64\x64" * 40) * 40)
    assert decode(deep).getpixel((9, 9)) == (100, 100, 100)


def test_a_large_jpeg_is_read_at_a_part_of_its_size(monkeypatch):
    monkeypatch.setattr(decoding, "LARGE_JPEG", 100_000)
    monkeypatch.setattr(decoding, "MIN_DRAFT", 100)
    monkeypatch.setattr(decoding, "MAX_PIXELS", 300_000)
    picture = Image.linear_gradient("L").resize((700, 640)).convert("RGB")
    data = encoded(picture, "JPEG", quality=95)
    image, changes = decode_noting(data)
    assert (image.size, changes) == ((175, 160), (decoding.SMALLER,))
    assert not is_plain(data), "it is kept as small as it was read"
    assert close(image.getpixel((image.width // 2, image.height // 2)), (127,) * 3)
    with pytest.raises(decoding.BadPicture, match="more than 300000"):
        decode(encoded(picture, "JPEG", progressive=True))
    with pytest.raises(decoding.BadPicture, match="more than 300000"):
        decode(encoded(picture))
    strip = encoded(picture.resize((2000, 110)), "JPEG")
    assert decode(strip).size == (2000, 110), "its short side is needed whole"
    small = encoded(picture.resize((300, 300)), "JPEG")
    assert decode(small).size == (300, 300)
    assert is_plain(small)


MEMORY = r"""
import resource, struct, sys, zlib
from emaki.data.decoding import decode

def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

side = 5000
rows = zlib.compressobj(1)
body = b"".join(rows.compress(bytes(8 * side + 1)) for _ in range(side)) + rows.flush()
header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 16, 6, 0, 0, 0))
data = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", body) + chunk(b"IEND", b"")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert decode(data).getpixel((9, 9)) == (255, 255, 255)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / side**2)
"""


def test_the_stated_bound_of_memory_holds():
    """A picture of 16 bits and four channels was held four times."""
    command = [sys.executable, "-c", MEMORY]
    done = subprocess.run(command, cwd=SCRIPTS, check=True, capture_output=True, text=True)
    assert float(done.stdout) < 9, "bytes for each pixel"
