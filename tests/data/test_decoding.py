"""Every kind of picture file that people have becomes the same upright RGB, or a reason."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from emaki.data import decoding
from emaki.data.decoding import BadPicture, decode, is_plain

RED, GREEN, BLUE = (200, 30, 40), (20, 160, 60), (30, 60, 200)


def quarters(size=(64, 48)):
    """Red at the top left, green at the top right, blue at the bottom."""
    image = Image.new("RGB", size, BLUE)
    image.paste(RED, (0, 0, size[0] // 2, size[1] // 2))
    image.paste(GREEN, (size[0] // 2, 0, size[0], size[1] // 2))
    return image


def encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def looks_right(image, tolerance=12):
    """Whether the corners have the colours of `quarters` (JPEG and CMYK are not exact)."""
    width, height = image.size
    corners = [(5, 5), (width - 6, 5), (5, height - 6)]
    seen = np.array([image.getpixel(corner) for corner in corners], dtype=int)
    return np.abs(seen - [RED, GREEN, BLUE]).max() <= tolerance


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "AVIF"])
def test_usual_formats(kind):
    image = decode(encoded(quarters(), kind, **({} if kind in ("PNG", "BMP") else {"quality": 95})))
    assert (image.mode, image.size) == ("RGB", (64, 48))
    assert looks_right(image)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_exif_rotation_is_applied(kind, orientation):
    undo = {  # how a camera that was held so has stored what was upright
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = quarters() if orientation == 1 else quarters().transpose(undo[orientation])
    exif = Image.Exif()
    exif[decoding.ORIENTATION] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(stored, kind, exif=exif, **options)
    image = decode(data)
    assert image.size == (64, 48)
    assert looks_right(image)
    assert is_plain(data) == (orientation == 1 and kind != "WEBP")
    again = Image.open(io.BytesIO(decoding.to_png(image)))
    assert again.getexif().get(decoding.ORIENTATION) is None, "nobody turns it a second time"


def test_alpha_is_put_on_white():
    clear = quarters().convert("RGBA")
    clear.putalpha(Image.new("L", clear.size, 0))
    assert decode(encoded(clear)).getextrema() == ((255, 255),) * 3
    half = quarters().convert("RGBA")
    half.putalpha(128)
    assert decode(encoded(half)).getpixel((5, 5)) == pytest.approx((227, 142, 147), abs=1)


def test_transparent_palette_and_grey():
    palette = quarters().quantize(8)
    background = palette.getpixel((5, 5))
    image = decode(encoded(palette, transparency=background))
    assert image.getpixel((5, 5)) == (255, 255, 255)
    assert image.getpixel((60, 5)) == GREEN
    grey = Image.merge("LA", [Image.new("L", (40, 40), 10), Image.new("L", (40, 40), 0)])
    assert decode(encoded(grey)).getpixel((0, 0)) == (255, 255, 255)
    keyed = encoded(quarters(), transparency=RED)  # a PNG's transparent colour, no alpha channel
    assert decode(keyed).getpixel((5, 5)) == (255, 255, 255)
    assert not is_plain(keyed)


@pytest.mark.parametrize("mode", ["L", "1"])
def test_grey_and_black_and_white(mode):
    image = Image.new(mode, (40, 40), 255)
    image.paste(0, (0, 0, 20, 40))
    seen = decode(encoded(image))
    assert (seen.getpixel((5, 5)), seen.getpixel((35, 5))) == ((0, 0, 0), (255, 255, 255))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_not_clipped(kind):
    ramp = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
    seen = np.asarray(decode(encoded(Image.fromarray(ramp), kind)))[:, :, 0]
    assert np.array_equal(seen, np.rint(ramp / 257).astype(np.uint8))


def test_sixteen_bit_rgb_is_written_anew():
    row = b"\0" + struct.pack(">HHH", 65535, 257 * 100, 0) * 40
    data = png_by_hand(40, 40, depth=16, colour=2, raw=row * 40)
    assert decode(data).getpixel((3, 3)) == (255, 100, 0)
    assert not is_plain(data)


def png_by_hand(width, height, depth, colour, raw):
    def chunk(kind, body):
        check = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + check

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def test_cmyk():
    data = encoded(quarters().convert("CMYK"), "JPEG", quality=95)
    assert b"Adobe" in data[:200], "Pillow writes it as Photoshop does: inverted, with a marker"
    assert looks_right(decode(data))
    start = data.index(b"\xff\xee")
    length = int.from_bytes(data[start + 2 : start + 4])
    assert looks_right(decode(data[:start] + data[start + 2 + length :])), "without the marker"
    assert looks_right(decode(encoded(quarters().convert("CMYK"), "TIFF")))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_the_first_frame_of_an_animation(kind):
    frames = [Image.new("RGB", (40, 40), colour) for colour in (BLUE, GREEN, RED)]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert decode(data).getpixel((20, 20)) == pytest.approx(BLUE, abs=2)
    assert not is_plain(data)


def test_plain_files_are_known():
    assert is_plain(encoded(quarters()))
    assert is_plain(encoded(quarters(), "JPEG"))
    assert not is_plain(encoded(quarters().convert("L")))
    assert not is_plain(encoded(quarters().convert("CMYK"), "JPEG"))


def test_broken_exif_does_not_cost_the_picture():
    image = decode(encoded(quarters(), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xffgarbage"))
    assert looks_right(image)


def bomb():
    """A PNG of a few hundred bytes that says that it is 30,000 pixels wide and high."""
    return png_by_hand(30_000, 30_000, depth=8, colour=2, raw=b"")


def noise():
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (b"a couch, a window", "not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n", "not a picture"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "Git LFS pointer"),
        (encoded(noise(), "JPEG")[:1500], "broken picture: image file is truncated"),
        (encoded(noise())[:3000], "broken picture"),
        (encoded(noise(), "WEBP")[:1500], "broken picture"),
        (encoded(noise()).replace(b"IDAT", b"IDAX"), "broken at its start"),
        (png_by_hand(64, 64, depth=8, colour=2, raw=b"\0" * 50), "broken picture"),
        (bomb(), "30000 x 30000 pixels|more than 178956970 pixels"),
        (encoded(quarters((8, 40))), "8 x 40 pixels: a side is under 32"),
        (encoded(Image.new("F", (40, 40), 0.5), "TIFF"), "32 bits per pixel"),
    ],
)
def test_unusable_pictures_have_a_reason(data, reason):
    with pytest.raises(BadPicture, match=reason):
        decode(data, min_size=32)


def test_no_bytes_make_it_crash():
    """Flip and cut bytes of real files: each attempt gives a picture or a reason of one line."""
    random = np.random.default_rng(0)
    for kind in ("PNG", "JPEG", "WEBP", "GIF", "TIFF"):
        whole = np.frombuffer(encoded(quarters(), kind), np.uint8)
        for _ in range(60):
            data = whole.copy()
            data[random.integers(0, len(data), 4)] = random.integers(0, 256, 4)
            outcome = outcome_of(data[: random.integers(1, len(data) + 1)].tobytes())
            assert outcome == "RGB" or (outcome and "\n" not in outcome)


def outcome_of(data):
    try:
        return decode(data).mode
    except BadPicture as reason:
        return str(reason)


def test_the_hash_is_of_pixels():
    png, webp = encoded(quarters()), encoded(quarters(), "WEBP", lossless=True)
    assert decoding.sha256(decode(png)) == decoding.sha256(decode(webp))
    flat, tall = Image.new("RGB", (64, 32)), Image.new("RGB", (32, 64))
    assert decoding.sha256(flat) != decoding.sha256(tall)
