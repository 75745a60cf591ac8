"""What names of files and folders mean to the field's tools, whose folders people have."""

import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import PurePosixPath

from emaki.data.picture import Reject

# Hugging Face's imagefolder: folders, or beginnings of Parquet files' names.
SIDES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "validation"),
}
# kohya's sd-scripts: how often a picture is repeated, and what all in the folder show
KOHYA = re.compile(r"\d{1,3}_(.*[^\W\d_].*)")
KOHYA_CAPTION = "without a caption of their own, captioned by the name of their kohya folder"
KOHYA_REPEATS = "in kohya folders (10_name), whose repeats are not used"
# OneTrainer's, beside a picture: a.png and a-masklabel.png
MASKS = ("-masklabel", "-condlabel")
MASK = "a mask or condition of the picture beside it, which no training here uses"
# Formats of pictures that are not read at all, lest a preview be taken for the picture.
UNREAD: tuple[str, ...] = (".jp2", ".j2k", ".jpx", ".psd", ".psb", ".xcf", ".svg", ".eps", ".ai")
UNREAD += (".cr2", ".cr3", ".nef", ".arw", ".dng", ".raf", ".orf", ".rw2", ".raw", ".exr", ".hdr")
UNREAD += (".tga", ".dds", ".ico", ".ppm", ".pgm", ".pbm", ".pcx", ".pdf")
# Files that nobody takes for pictures or captions.
OTHERS: tuple[str, ...] = ("", ".md", ".db", ".ini", ".py", ".yaml", ".yml", ".log", ".html")
OTHERS += (".toml", ".cfg", ".sh", ".bat", ".lock", ".arrow")
CAPTIONS_FROM = "captions are read from metadata.jsonl, .csv or .parquet and from .txt files"


def find_splits(names: Iterable[str]) -> dict[str, str]:
    """{name: "train" or "validation"} where folders or Parquet files have both sides, else {}.

    In that case a picture that is on neither side is one to train on.
    """
    found = {name: _side(name) for name in names}
    if {"train", "validation"} <= set(found.values()):
        return {name: side or "train" for name, side in found.items()}
    return {}


def _side(name: str) -> str | None:
    path = PurePosixPath(name)
    folders = [part.lower() for part in path.parts[:-1]]
    for part in folders[:2] if folders[:1] in (["data"], ["images"]) else folders[:1]:
        if part in SIDES:
            return SIDES[part]
    if path.suffix.lower() == ".parquet":
        return SIDES.get(re.split(r"[-._]", path.name.lower())[0])
    return None


def kohya_caption(name: str) -> str | None:
    """What the name of a picture's folder says of it, as sd-scripts reads it ("10_sks dog")."""
    match = KOHYA.fullmatch(PurePosixPath(name).parent.name)
    return " ".join(match[1].split()) if match else None


def is_mask(name: str, names: Collection[str]) -> bool:
    """Whether a picture is another's mask: `names` are all of them without their suffixes."""
    stem = name.rpartition(".")[0]
    return any(stem.endswith(mark) and stem.removesuffix(mark) in names for mark in MASKS)


def name_unread(names: Iterable[str]) -> Iterator[Reject]:
    """Yield what to say of files that are not read: of each picture, of the others by their kind.

    The `file` of the others is their number with the first of them.
    """
    others: dict[str, list[str]] = {}
    for name in names:
        suffix = PurePosixPath(name).suffix.lower()
        if suffix in UNREAD:
            yield Reject(name, f"{suffix}, a format that is not read: save it as JPEG or PNG")
        elif suffix not in OTHERS:
            others.setdefault(suffix, []).append(name)
    for suffix, found in others.items():
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        yield Reject(f"{found[0]}{more}", f"files that are not read ({suffix}): {CAPTIONS_FROM}")
