"""Opening pictures that nobody has checked: 8-bit RGB, upright, on white, or a reason why not."""

import hashlib
import io
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from emaki.data import archives

# Raster formats that Pillow decodes itself; EPS and the like, left out, start programs. A camera's
# MPO is opened as JPEG.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
MAX_PIXELS = 178_956_970  # where Pillow too speaks of a decompression bomb: 0.5 GiB as RGB
ORIENTATION = 0x0112
GIT_LFS = b"version https://git-lfs"


class BadPicture(Exception):  # noqa: N818 - it is a finding about a file, not a failure of ours
    """A file or bytes that give no usable picture; the message is the reason."""


def decode(data: bytes, min_size: int = 1) -> Image.Image:
    """The picture in `data` (bytes) as an RGB `Image`: the first frame, EXIF rotation applied.

    Alpha is put on white, 16-bit greyscale scaled to 8 bits, CMYK and palettes converted (without
    colour profiles). Raises BadPicture if the bytes are no picture, are broken or cut off, or give
    a picture of more than MAX_PIXELS or with a side of less than `min_size` pixels.
    """
    if not data:
        raise BadPicture("empty file")
    if data.startswith(GIT_LFS):
        raise BadPicture("a Git LFS pointer instead of the picture: run git lfs pull")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Pillow only warns of is checked below
            image = _rgb(_open(data))
    except BadPicture:
        raise
    except UnidentifiedImageError:
        raise BadPicture(f"not a picture ({', '.join(FORMATS)}), or broken at its start") from None
    except Image.DecompressionBombError:
        raise BadPicture(f"more than {MAX_PIXELS} pixels") from None
    except Exception as error:  # damaged bytes raise nearly anything inside the decoders
        raise BadPicture(f"broken picture: {' '.join(str(error).split())}") from None
    if min(image.size) < min_size:
        raise BadPicture(f"{image.width} x {image.height} pixels: a side is under {min_size}")
    return image


def is_plain(data: bytes) -> bool:
    """Whether any reader sees in `data`, a PNG or JPEG, just what `decode` makes of it."""
    image = _open(data)
    eight_bit = image.format != "PNG" or data[24] == 8  # IHDR's bit depth
    still = image.format == "MPO" or not getattr(image, "is_animated", False)
    upright = image.getexif().get(ORIENTATION, 1) == 1
    opaque_rgb = image.mode == "RGB" and not image.has_transparency_data
    return image.format in ("PNG", "JPEG", "MPO") and eight_bit and still and upright and opaque_rgb


def read_stored_bytes(folder: str | Path, row: Mapping[str, Any]) -> bytes:
    """The bytes, PNG or JPEG, of the picture that a row of the images stage's metadata describes.

    They are in `folder`/pictures or, where the row says so, in an archive.
    """
    if not row.get("archive"):
        return (Path(folder) / "pictures" / row["file"]).read_bytes()
    return read_archived_picture(row)


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
    for top in range(0, image.height, 256):  # in bands: a copy of all may be half a GiB
        digest.update(image.crop((0, top, image.width, min(top + 256, image.height))).tobytes())
    return digest.hexdigest()


def _open(data):
    image = Image.open(io.BytesIO(data), formats=FORMATS)
    if image.width * image.height > MAX_PIXELS:
        raise BadPicture(f"{image.width} x {image.height} pixels: more than {MAX_PIXELS}")
    return image


def _rgb(image):
    image.load()
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith("I;16"):  # Pillow's own conversion clips instead of scaling
        image = Image.fromarray(np.rint(np.asarray(image) / 257).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise BadPicture("32 bits per pixel: save it with 8 or 16")
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    rgb = image if image.mode == "RGB" else image.convert("RGB")  # a copy may be half a GiB
    rgb.info.clear()  # a profile or EXIF block of the old file would be wrong in the new one
    return rgb
