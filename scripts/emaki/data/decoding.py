"""Opening pictures that nobody has checked: 8-bit RGB, upright, on white, or a reason why not."""

import hashlib
import io
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from emaki.common.digests import ANEW
from emaki.common.errors import UserError
from emaki.data import archives, colours

# Raster formats that Pillow decodes itself; EPS and the like, left out, start programs. A camera's
# MPO is opened as JPEG.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
# What a picture may have: it is held twice at most, with 4 bytes a pixel, so in 1.4 GiB.
MAX_PIXELS = 178_956_970
# A JPEG of more pixels, far more than any model is trained at, is decoded at a half, a quarter or
# an eighth of its size, as its format can, and may have twice as many.
LARGE_JPEG = 64_000_000
MIN_DRAFT = 2048  # pixels of the shorter side that remain then
SMALLER = f"JPEG of over {LARGE_JPEG // 1_000_000} million pixels, read at a part of its size"
BAND = 256  # rows that are converted at a time
# Pillow refuses twice as many by itself, at opening; what is below that `_open` decides.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
ORIENTATION = 0x0112
GIT_LFS = b"version https://git-lfs"


class BadPicture(Exception):  # noqa: N818 - it is a finding about a file, not a failure of ours
    """A file or bytes that give no usable picture; the message is the reason."""


def decode(data: bytes, min_size: int = 1) -> Image.Image:
    """The picture in `data` (bytes) as an RGB `Image`: the first frame, EXIF rotation applied.

    Alpha is put on white, 16-bit greyscale scaled to 8 bits, CMYK and palettes converted, colours
    of another profile converted to sRGB. Raises BadPicture if the bytes are no picture, are broken
    or cut off, or give a picture of more than MAX_PIXELS or with a side of less than `min_size`
    pixels.
    """
    return decode_noting(data, min_size)[0]


def decode_noting(data: bytes, min_size: int = 1) -> tuple[Image.Image, tuple[str, ...]]:
    """The same with what was changed in the picture that its owner should know."""
    if not data:
        raise BadPicture("empty file")
    if data.startswith(GIT_LFS):
        raise BadPicture("a Git LFS pointer instead of the picture: run git lfs pull")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Pillow only warns of is checked below
            image, changes = _rgb(_open(data))
    except BadPicture:
        raise
    except UnidentifiedImageError:
        raise BadPicture(_explain_unknown(data)) from None
    except Image.DecompressionBombError:
        raise BadPicture(f"more than {MAX_PIXELS} pixels") from None
    except Exception as error:  # damaged bytes raise nearly anything inside the decoders
        raise BadPicture(f"broken picture: {' '.join(str(error).split())}") from None
    if min(image.size) < min_size:
        raise BadPicture(f"{image.width} x {image.height} pixels: a side is under {min_size}")
    return image, changes


def is_plain(data: bytes) -> bool:
    """Whether any reader sees in `data`, a PNG or JPEG, just what `decode` makes of it."""
    image = _open(data)
    eight_bit = image.format != "PNG" or data[24] == 8  # IHDR's bit depth
    still = image.format == "MPO" or not getattr(image, "is_animated", False)
    upright = image.getexif().get(ORIENTATION, 1) == 1
    opaque_rgb = image.mode == "RGB" and not image.has_transparency_data
    as_it_is = eight_bit and still and upright and opaque_rgb and _draft_scale(image) == 1
    known = image.format in ("PNG", "JPEG", "MPO")
    return known and as_it_is and not colours.changes_colours(image.info.get("icc_profile") or b"")


def read_stored_bytes(folder: str | Path, row: Mapping[str, Any]) -> bytes:
    """The bytes, PNG or JPEG, of the picture that a row of the images stage's metadata describes.

    They are in `folder`/pictures or, where the row says so, in an archive. Raises UserError where
    they are not those that were stored there.
    """
    if row.get("archive"):
        return read_archived_picture(row)
    path = Path(folder) / "pictures" / row["file"]
    if not path.exists():
        raise UserError(f"{path} is missing: delete {path.parent} {ANEW}")
    data = path.read_bytes()
    if (digest := row.get("file_sha256")) and hashlib.sha256(data).hexdigest() != digest:
        raise UserError(
            f"{path} is damaged, its SHA-256 is not that in {Path(folder) / 'metadata.parquet'}: "
            f"delete {path.parent} {ANEW}"
        )
    return data


def read_dataset_bytes(row: Mapping[str, Any]) -> bytes:
    """The bytes, PNG or JPEG, of the picture of a row of a dataset's file, which holds it or its
    place in an archive."""
    return row["image"]["bytes"] if "image" in row else read_archived_picture(row)


def read_archived_picture(place: Mapping[str, Any], whole: bool = True) -> bytes:
    """The bytes, PNG or JPEG, of the picture at a place (see archives.py): as they are there, or
    converted where not any reader would see the same."""
    data = archives.read_archived_bytes(place, whole)
    return data if is_plain(data) else to_png(decode(data))


def to_png(image: Image.Image) -> bytes:
    """The bytes of `image` as PNG."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def sha256(image: Image.Image) -> str:
    """The hexadecimal SHA-256 of an RGB image's size and pixels, whatever file held them."""
    digest = hashlib.sha256(f"{image.width}x{image.height}".encode())
    for top in range(0, image.height, BAND):  # in bands: a copy of all may be half a GiB
        digest.update(image.crop((0, top, image.width, min(top + BAND, image.height))).tobytes())
    return digest.hexdigest()


def _open(data):
    image = Image.open(io.BytesIO(data), formats=FORMATS)
    # a progressive one is held whole, whatever the size that it is decoded at
    double = _draft_scale(image) > 1 and not image.info.get("progressive")
    if image.width * image.height > MAX_PIXELS * (2 if double else 1):
        raise BadPicture(f"{image.width} x {image.height} pixels: more than {MAX_PIXELS}")
    return image


# What files of formats that are not read begin with: (first byte, bytes there, name).
UNREAD = [
    *((4, b"ftyp" + brand, "HEIC") for brand in (b"heic", b"heix", b"hevc", b"heim", b"heis")),
    *((4, b"ftyp" + brand, "HEIC") for brand in (b"mif1", b"msf1")),
    (4, b"ftyp", "a video"),
    (0, b"\0\0\0\x0cJXL ", "JPEG XL"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"8BPS", "Photoshop's PSD"),
    (0, b"%!PS", "PostScript"),
    (0, b"%PDF", "PDF"),
    (0, b"<svg", "SVG"),
    (0, b"<?xml", "XML or SVG"),
    (0, b"<!DOCTYPE html", "a web page"),
    (0, b"<html", "a web page"),
]


def _explain_unknown(data):
    for start, known, name in UNREAD:
        if data.startswith(known, start):
            return f"not a picture that can be read, but {name}: save it as JPEG or PNG"
    return f"not a picture ({', '.join(FORMATS)}), or broken at its start"


def _draft_scale(image):
    """By how much a large JPEG is made smaller while it is decoded: 1, 2, 4 or 8."""
    if image.format not in ("JPEG", "MPO"):
        return 1
    for scale in (1, 2, 4, 8):
        if image.width * image.height <= LARGE_JPEG * scale**2:
            return scale if scale == 1 or min(image.size) >= MIN_DRAFT * scale else 1
    return 1


def _rgb(image):
    """An opened picture as `decode` makes it, and what was changed in it."""
    changes = []
    if (scale := _draft_scale(image)) > 1:
        image.draft(image.mode, (image.width // scale, image.height // scale))
        changes.append(SMALLER)
    image.load()
    profile = image.info.get("icc_profile")
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith("I;16"):  # Pillow's own conversion clips instead of scaling
        image = _in_bands(
            image,
            "L",
            lambda band: Image.fromarray(np.rint(np.asarray(band) / 257).astype(np.uint8)),
        )
    if image.mode in ("I", "F"):
        raise BadPicture("32 bits per pixel: save it with 8 or 16")
    if image.has_transparency_data:
        image = _in_bands(image, "L" if image.mode in ("L", "LA") else "RGB", _put_on_white)
    if profile:
        image, change = colours.to_srgb(image, profile)
        changes += [change] if change else []
    rgb = image if image.mode == "RGB" else image.convert("RGB")  # a copy may be half a GiB
    rgb.info.clear()  # a profile or EXIF block of the old file would be wrong in the new one
    return rgb, tuple(changes)


def _put_on_white(image):
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA"))


def _in_bands(image, mode, convert):
    """A picture of `mode` made a band at a time: what is between takes little memory."""
    whole = Image.new(mode, image.size)
    for top in range(0, image.height, BAND):
        band = image.crop((0, top, image.width, min(top + BAND, image.height)))
        whole.paste(convert(band).convert(mode), (0, top))
    return whole
