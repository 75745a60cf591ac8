"""Colour profiles: a picture whose colours are those of another than sRGB is converted to it.

Models and viewers take numbers without a profile for sRGB. The rendering intent is relative
colorimetric with black point compensation, as photo editors convert: what sRGB has stays as it is,
and what it has not becomes the nearest colour that it has.
"""

import functools
import io

from PIL import Image, ImageCms

CONVERTED = "converted from another colour profile to sRGB"
UNUSABLE = "with a colour profile that cannot be used, taken for sRGB"
# Profiles that move no colour by more than so many of 255 levels are taken for sRGB: it has many.
TOLERANCE = 3
# {colour space of a profile: the mode of pictures that it is for}
MODES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}


def to_srgb(image: Image.Image, profile: bytes) -> tuple[Image.Image, str | None]:
    """A picture without transparency, and what `profile`, its own, has changed in it, if anything.

    A profile that is broken or for other pictures changes nothing.
    """
    try:
        mode, transform = find_transform(profile)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image, UNUSABLE
    if mode == "RGB" and image.mode in ("L", "1", "P"):
        image = image.convert("RGB")
    if mode == "L" and image.mode == "1":
        return image, None
    if image.mode != mode:
        return image, UNUSABLE
    if transform is None:
        return image, None
    if mode == "RGB":  # no second copy of a large picture
        ImageCms.applyTransform(image, transform, inPlace=True)
        return image, CONVERTED
    converted = ImageCms.applyTransform(image, transform)
    assert converted is not None  # as it is in place only
    return converted, CONVERTED


def changes_colours(profile: bytes) -> bool:
    """Whether pictures with this profile are converted."""
    try:
        return find_transform(profile)[1] is not None
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return False


@functools.lru_cache(8)
def find_transform(profile: bytes) -> tuple[str, ImageCms.ImageCmsTransform | None]:
    """The mode that a profile is for and the transform to sRGB, None where that is none.

    Raises PyCMSError, OSError, ValueError or TypeError for a profile that cannot be used.
    """
    opened = ImageCms.getOpenProfile(io.BytesIO(profile))
    space = opened.profile.xcolor_space
    if space not in MODES:
        raise ValueError(f"a profile of the colour space {space}")
    mode = MODES[space]
    transform = ImageCms.buildTransform(
        opened,
        ImageCms.createProfile("sRGB"),
        mode,
        "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    samples = _samples(mode)
    moved = ImageCms.applyTransform(samples, transform)
    assert moved is not None  # as it is in place only
    if mode == "CMYK":
        return mode, transform
    pairs = zip(samples.convert("RGB").tobytes(), moved.tobytes())
    same = all(abs(before - after) <= TOLERANCE for before, after in pairs)
    return mode, None if same else transform


def _samples(mode: str) -> Image.Image:
    """Colours from all over the space of a mode, as a picture."""
    levels = range(0, 256, 17)
    if mode == "RGB":
        data = bytes(
            level
            for red in levels
            for green in levels
            for blue in levels
            for level in (red, green, blue)
        )
    else:
        data = bytes(level for level in levels for _ in mode)
    return Image.frombytes(mode, (len(data) // len(mode), 1), data)
