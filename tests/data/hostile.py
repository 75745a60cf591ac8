"""80 or more hostile pictures and 40 captions, by a seed, and what becomes of them.

    PYTHONPATH=scripts .venv/bin/python tests/data/hostile.py [SEED]

Each goes the whole way of a study: the source `folder`, the captions beside the pictures, the
dataset with its card and contact sheet. Prints how many were used and why the others were set
aside, whether colours are right, and the most memory that it took.
"""

import io
import os
import random
import resource
import struct
import sys
import tempfile
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import profiles
import pyarrow.parquet as pq
from PIL import Image

from emaki.captioners.alt import Alt
from emaki.data import dataset_files, images
from emaki.data.captions import write_captions
from emaki.data.settings import Dataset
from emaki.data.sources.folder import Folder

SIZE = (64, 48)
RED, GREEN, BLUE = (200, 30, 40), (20, 160, 60), (30, 60, 200)
GREY = (107, 107, 107)
USED = "used"


@dataclass(frozen=True)
class Hostile:
    """A picture's file: `data`, what is to become of it (USED or a part of the reason, either where
    both are right), and the colours that its corners are to have where it is used."""

    name: bytes
    data: bytes
    outcome: str = USED
    corners: tuple = (RED, GREEN, BLUE)
    tolerance: int = 14


def quarters(number=0, size=SIZE):
    """Red at the top left, green at the top right, blue below, and a dot that makes it its own."""
    image = Image.new("RGB", size, BLUE)
    image.paste(RED, (0, 0, size[0] // 2, size[1] // 2))
    image.paste(GREEN, (size[0] // 2, 0, size[0], size[1] // 2))
    image.paste((number, number, 128), (28, 28, 36, 36))
    return image


def encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width, height, depth, colour, raw, *chunks):
    """A PNG by hand, with what `chunks` says before the pixels."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = [chunk(b"IHDR", header), *(chunk(*part) for part in chunks)]
    parts += [chunk(b"IDAT", zlib.compress(raw)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def pictures(seed):
    """All hostile pictures; those that are the same but for the seed have other places of cuts."""
    chance, number = random.Random(seed), iter(range(250))
    found = [*_cut(chance, number), *_bombs(number), *_modes(number), *_turned(number)]
    found += [*_profiles(number), *_names(number), *_no_pictures(chance), *_sizes(number)]
    return found


def _cut(chance, number):
    """Five formats, each cut off at five places."""
    pixels = np.random.default_rng(chance.randrange(2**32)).integers(0, 256, (64, 64, 3), np.uint8)
    for kind in ("PNG", "JPEG", "WEBP", "TIFF", "BMP"):
        whole = encoded(Image.fromarray(pixels), kind)
        for part in range(5):
            end = chance.randrange(1 + part * len(whole) // 5, (part + 1) * len(whole) // 5)
            name = f"cut-{part}.{kind.lower()}".encode()
            yield Hostile(name, whole[:end], "broken|not a picture", ())


def _bombs(number):
    """Little files that claim, or hold, much."""
    text = zlib.compress(bytes(50_000_000))
    row = b"\0" + bytes(GREY) * 40
    yield Hostile(b"huge.png", png(60_000, 60_000, 8, 2, b""), "pixels", ())
    yield Hostile(b"large.png", png(20_000, 20_000, 1, 0, b"\0" * 4000), "pixels", ())
    for name, part in (
        (b"text.png", (b"zTXt", b"Comment\0\0" + text)),
        (b"profile.png", (b"iCCP", b"x\0\0" + text)),
        (b"itxt.png", (b"iTXt", b"x\0\1\0\0\0" + text)),
    ):
        outcome = "broken|used|the same pixels"
        yield Hostile(name, png(40, 40, 8, 2, row * 40, part), outcome, (GREY,) * 3)
    yield Hostile(b"short.png", png(64, 64, 8, 2, b"\0" * 50), "broken", ())
    yield Hostile(b"deflated.png", png(64, 64, 8, 2, bytes(50_000_000)), "broken|used", ())
    frames = [quarters(next(number))] * 2 + [Image.new("RGB", SIZE)] * 300
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    yield Hostile(b"frames.gif", data)
    tiff = bytearray(encoded(quarters(), "TIFF"))
    tiff[4:8] = struct.pack("<I", 0xFFFFFFF0)  # where its first directory is said to be
    yield Hostile(b"directory.tiff", bytes(tiff), "broken|not a picture", ())


def _modes(number):
    """What Pillow writes of each mode, and what it does not."""
    grey = (93, 106, 71)
    for mode, kind, corners in (
        ("1", "PNG", ()),
        ("L", "PNG", ((85,) * 3, (107,) * 3, (67,) * 3)),
        ("LA", "PNG", ((85,) * 3, (107,) * 3, (67,) * 3)),
        ("P", "PNG", (RED, GREEN, BLUE)),
        ("P", "GIF", (RED, GREEN, BLUE)),
        ("RGBA", "PNG", (RED, GREEN, BLUE)),
        ("RGBA", "WEBP", (RED, GREEN, BLUE)),
        ("CMYK", "JPEG", (RED, GREEN, BLUE)),
        ("CMYK", "TIFF", (RED, GREEN, BLUE)),
        ("YCbCr", "JPEG", (RED, GREEN, BLUE)),
        ("YCbCr", "TIFF", (RED, GREEN, BLUE)),
    ):
        options = {"quality": 95} if kind in ("JPEG", "WEBP") else {}
        image = quarters(next(number))
        image = image.quantize(8) if mode == "P" else image.convert(mode)
        name = f"mode-{mode}.{kind.lower()}".encode()
        yield Hostile(name, encoded(image, kind, **options), USED, corners)
    clear = quarters(next(number)).convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(SIZE).point(lambda v: 0))
    yield Hostile(b"clear.png", encoded(clear), USED, ((255, 255, 255),) * 3)
    ramp = np.full((40, 40), 257 * grey[0], np.uint16)
    yield Hostile(b"deep.png", encoded(Image.fromarray(ramp)), USED, ((grey[0],) * 3,) * 3)
    row = b"\0" + struct.pack(">HHH", *(257 * value for value in RED)) * 40
    yield Hostile(b"deep-rgb.png", png(40, 40, 16, 2, row * 40), USED, (RED,) * 3)
    for mode in ("I", "F"):
        data = encoded(Image.new(mode, (40, 40), 1), "TIFF")
        yield Hostile(f"mode-{mode}.tiff".encode(), data, "32 bits", ())


def _turned(number):
    """EXIF orientations, also those that there are not."""
    # what undoes each, as Image.Transpose counts
    undo = dict(zip(range(2, 9), (0, 3, 1, 5, 2, 6, 4)))
    for orientation in range(10):
        exif = Image.Exif()
        exif[0x0112] = orientation
        image = quarters(next(number))
        if orientation in undo:
            image = image.transpose(Image.Transpose(undo[orientation]))
        data = encoded(image, "JPEG", quality=95, exif=exif)
        yield Hostile(f"turned-{orientation}.jpg".encode(), data)


def _profiles(number):
    """Other colour spaces, a profile of another kind, and one that is none."""
    spaces = {"adobe": (profiles.ADOBE, profiles.GAMMA), "p3": (profiles.P3, None)}
    for name, (columns, gamma) in spaces.items():
        corners = tuple(profiles.in_srgb(colour, columns, gamma) for colour in (RED, GREEN, BLUE))
        profile = profiles.profile(columns, gamma)
        data = encoded(quarters(next(number)), icc_profile=profile)
        yield Hostile(f"{name}.png".encode(), data, USED, corners, 3)
    for name, profile in (("grey", profiles.grey_profile(2.2)), ("no", b"profile" * 40)):
        data = encoded(quarters(next(number)), icc_profile=profile)
        yield Hostile(f"{name}-profile.png".encode(), data)


def _names(number):
    """Names that a shell, Snakemake, Python, SQL, HTML or YAML reads as something else."""
    for name in (
        b"new\nline.png",
        b"{braces}.png",
        b"{config[models]}.png",
        b"$(touch pwned).png",
        b"`touch pwned`.png",
        b"a; touch pwned;.png",
        b"'quotes\".png",
        b"--output=pwned.png",
        b"%s%n.png",
        b"*.png",
        b"[a-z]?.png",
        b"<script>alert(1)<script>.png",
        b"a|b|c.png",
        b"robert'); DROP TABLE pictures;--.png",
        b"\xff\xfe\x80.png",
        b"caf\xe9.png",
        "\u202egnp.exe.png".encode(),
        "\u732b \U0001f408\u200d\u2b1b.png".encode(),
        b"a" * 240 + b".png",
        b" .png",
        b"con.PNG",
        b"back\\slash.png",
        b"\x1b[31mred.png",
        "up\u2215..\u2215..\u2215outside.png".encode(),
    ):
        yield Hostile(name, encoded(quarters(next(number))))


def _no_pictures(chance):
    """What has a picture's name and is none."""
    for name, data, reason in (
        (b"empty.png", b"", "empty file"),
        (b"text.jpg", b"a couch", "not a picture"),
        (b"noise.jpg", chance.randbytes(5000), "not a picture"),
        (b"page.png", b"<html><script>alert(1)</script></html>", "a web page"),
        (b"vector.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"pointer.png", b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (b"zip.jpg", b"PK\3\4" + bytes(200), "not a picture"),
        (b"script.webp", b"#!/bin/sh\ntouch pwned\n", "not a picture"),
        (b"print.png", b"%!PS-Adobe-3.0\n(pwned) print\n", "PostScript"),
        (b"phone.heic", b"\0\0\0\x18ftypheic" + bytes(100), "HEIC"),
        (b"pickle.png", b"cos\nsystem\n(S'touch pwned'\ntR.", "not a picture"),
    ):
        yield Hostile(name, data, reason, ())


def _sizes(number):
    """Too small, and as long as they come."""
    yield Hostile(b"dot.png", encoded(Image.new("RGB", (1, 1))), "under 32", ())
    yield Hostile(b"thin.png", encoded(quarters(1, (31, 400))), "under 32", ())
    yield Hostile(b"long.png", encoded(quarters(next(number), (20_000, 33))))


CAPTIONS = [
    b"<script>document.title='pwned'</script>",
    b"<img src=x onerror=\"document.title='pwned'\">",
    b'"><svg onload=alert(1)>',
    b"</style><script>alert(1)</script>",
    b"<!-- a comment that never ends",
    b"]]><a href='javascript:alert(1)'>x</a>",
    b"[a link](javascript:alert(1)) ![x](http://example.org/x.png)",
    b"<iframe src=//example.org></iframe>",
    b"data:text/html,<script>alert(1)</script>",
    b"&lt;b&gt; &amp; &#x3c;script&#x3e;",
    b"{{ 7 * 7 }} {% for x in ().__class__.__mro__ %}{{ x }}{% endfor %}",
    b"{% raw %}{{ config }}",
    b"{{ self.__init__.__globals__ }}",
    b"{0} {prompt!r:>{width}} {wildcards.variant}",
    b"%s %n %(prompt)s %d",
    b"${HOME} $(touch pwned) `touch pwned`",
    b"'; touch pwned; '",
    b"${jndi:ldap://example.org/a}",
    b"'); DROP TABLE captions; --",
    b"=cmd|' /C calc'!A0",
    b"__import__('os').system('touch pwned')",
    b"\\input{/etc/passwd} \\write18{touch pwned}",
    b"../../../../etc/passwd",
    b"--- pretty_name: pwned",
    b"| a | table | \\| of | pipes |",
    b"# a heading * and * stars _ and ` ticks",
    "\u202ea room from right to left \u2066".encode(),
    "\u05d7\u05d3\u05e8 \u0648\u063a\u0631\u0641\u0629".encode(),
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f6cb\ufe0f a family".encode(),
    "a\u0301\u0302\u0303".encode() + "\u0304".encode() * 2000,
    "\u2028a line\u2029a paragraph".encode(),
    b"nul \0 and \x07 bell \x1b[31m red",
    b"<|startoftext|> <|endoftext|> </w>",
    b"null",
    b"a word " * 150_000,
    b"w" * 1_000_000,
    b"\xef\xbb\xbfwith a mark before it",
    b"\xff\xfeU\0T\0F\0-\0001\0006\0",
    b"caf\xe9 in Latin-1",
    b" \t\r\n ",
    b"",
]
NONE = 4  # the last of them are no text, or nothing


def write(folder, seed):
    """Write all pictures and captions into a folder; return the pictures by name."""
    folder.mkdir()
    found = pictures(seed)
    for one in found:
        (folder / os.fsdecode(one.name)).write_bytes(one.data)
        _caption(folder, one.name, b"a plain caption")
    for number, text in enumerate(CAPTIONS):
        name = f"captioned-{number:02d}.png"
        (folder / name).write_bytes(encoded(quarters(200, (40 + number, 48))))
        _caption(folder, name.encode(), text)
    os.mkfifo(folder / "pipe.png")
    (folder / "device.png").symlink_to("/dev/zero")
    (folder / "lost.png").symlink_to("nowhere")
    found += [Hostile(name, b"", "a named pipe", ()) for name in (b"pipe.png", b"device.png")]
    found.append(Hostile(b"lost.png", b"", "cannot be read", ()))
    return {os.fsdecode(one.name): one for one in found}


def _caption(folder, name, text):
    stem = os.path.splitext(os.fsdecode(name))[0]
    (folder / f"{stem}.txt").write_bytes(text)


def take_the_way(folder, output):
    """From the folder to the dataset, as the jobs of a study do."""
    source = Folder(path=str(folder))
    images.write(source.pictures(), output / "images")
    write_captions(Alt().caption_pictures(output / "images", []), output / "alt.parquet")
    dataset = Dataset(source="hostile", captions="alt", validation=0.2)
    dataset_files.write(
        "hostile", dataset, output / "images", output / "alt.parquet", output / "dataset"
    )
    return output / "dataset"


def colours_of(data, number):
    """The picture's corners: top left, top right, bottom left."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    width, height = image.size
    return [image.getpixel(c) for c in ((3, 3), (width - 4, 3), (3, height - 4))][:number]


def judge(output, expected):
    """[(name, what became of it, whether that is right)] of every picture."""
    rows = pq.read_table(output / "images/metadata.parquet").to_pylist()
    rejects = pq.read_table(output / "images/rejects.parquet").to_pylist()
    stored = {row["origin"]: output / "images/pictures" / row["file"] for row in rows}
    reasons = {row["file"]: row["reason"] for row in rejects if not row["file"].endswith(".txt")}
    found = []
    for name, one in expected.items():
        shown = "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in name)
        if shown in stored:
            seen = colours_of(stored[shown].read_bytes(), len(one.corners))
            near = all(
                np.abs(np.subtract(a, b)).max() <= one.tolerance for a, b in zip(seen, one.corners)
            )
            found.append((name, USED, USED in one.outcome and near))
        else:
            reason = reasons.get(shown, "nothing was said")
            right = any(part in reason for part in one.outcome.split("|"))
            found.append((name, reason, right))
    return found


def main():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    with tempfile.TemporaryDirectory() as place:
        expected = write(Path(place, "pictures"), seed)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        take_the_way(Path(place, "pictures"), Path(place))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        found = judge(Path(place), expected)
        texts = pq.read_table(Path(place, "alt.parquet"))["caption"].null_count
    kinds = Counter(said if said == USED else "set aside" for _, said, _ in found)
    wrong = [(name, said) for name, said, right in found if not right]
    print(f"{len(found)} pictures: {kinds[USED]} used, {kinds['set aside']} set aside", end="; ")
    print(f"{len(wrong)} wrongly {wrong or ''}")
    print(f"{len(CAPTIONS)} captions: {len(CAPTIONS) - texts} used, {texts} set aside")
    print(f"most memory: {peak // 1024} MiB, of which {before // 1024} before the first picture")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
