"""Tars of pictures with their captions, as the library webdataset writes them.

What belongs together are members that follow each other and are named the same up to the first
dot: `a/0001.jpg` with `a/0001.txt` or `a/0001.json`, of which the text wins. A tar is read member
by member and nothing is unpacked: a picture is found again by its place in the tar. Python's
`tarfile` does that; the library's own readers are made for shuffled streams without places.
"""

import itertools
import json
import posixpath
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from emaki.common.errors import UserError
from emaki.data.picture import Reject
from emaki.data.picture_files import (
    LARGEST,
    PICTURES,
    ArchivedPicture,
    PictureReader,
    replace_half_characters,
)

TEXT, JSON = ".txt", ".json"
BLOCK = 512  # bytes; a tar is made of these and ends with blocks of zeros


def read_tar(reader: PictureReader, archive: str) -> Iterator[ArchivedPicture | Reject]:
    """Yield the pictures and rejects of a tar, a path or a place of the hub (emaki.data.archives).

    Raises UserError for what is no tar, or is damaged or cut off.
    """
    with _open_tar(archive) as tar:
        seen = set()
        for key, members in itertools.groupby(_files(tar), _key):
            if key in seen:
                yield Reject(_place(tar, key), "members of this name are elsewhere in the tar too")
            else:
                seen.add(key)
                yield from _read_sample(reader, tar, key, list(members))


def count_tar_pictures(archive: str) -> int:
    """How many pictures there are in a tar, good or bad."""
    with _open_tar(archive) as tar:
        return sum(_kind(member) in PICTURES for member in _files(tar))


@contextmanager
def _open_tar(archive):
    from emaki.data import archives

    with ExitStack() as stack:
        try:
            file = stack.enter_context(archives.open_archive(archive))
            tar = stack.enter_context(tarfile.open(fileobj=file, mode="r:"))
        except tarfile.TarError as error:
            raise UserError(f"{archive} is no uncompressed tar: {error}") from None
        except OSError as error:
            raise UserError(f"{archive} cannot be read: {error.strerror}") from None
        tar.name = archive
        yield tar


def _files(tar):
    """The members that are files, and links, which stand for files. UserError if the tar is cut."""
    name = "its beginning"
    try:
        for member in tar:
            name = member.name
            if not member.isdir() and not posixpath.basename(name).startswith("."):
                yield member
        tar.fileobj.seek(tar.offset)
        # tarfile takes a header that it cannot read for the end
        if tar.fileobj.read(BLOCK) != bytes(BLOCK):
            raise tarfile.ReadError("the blocks of zeros are missing that end a tar")
    except tarfile.TarError as error:
        where = replace_half_characters(name)
        raise UserError(
            f"{tar.name} is damaged or cut off at {where} or after it: {error}"
        ) from None


def _read_sample(reader, tar, key, members):
    """Yield the picture of members of one name, and `Reject`s for what cannot be used of them."""
    found, about = [], {}
    for member in members:
        name, kind = _place(tar, member.name), _kind(member)
        if kind not in (*PICTURES, TEXT, JSON):
            continue  # what else a sample may have: classes, embeddings
        if not member.isreg() or member.issparse():
            yield Reject(name, "a link or another special file")
        elif member.size > LARGEST:
            yield Reject(name, f"more than {LARGEST} bytes")
        elif kind in PICTURES:
            found.append(member)
        else:
            try:
                about[kind] = _read_texts(reader, kind, _read_member(tar, member))
            except ValueError as error:
                yield Reject(name, str(error))
    for member in found[1:]:
        yield Reject(_place(tar, member.name), f"a second picture beside {found[0].name}")
    if found:
        yield _read_picture(reader, tar, found[0], about.get(JSON, {}) | about.get(TEXT, {}))
    elif about:
        yield Reject(_place(tar, key), "a caption without a picture beside it")


def _read_texts(reader, kind, data):
    """Caption, licence and credit, as far as a text or JSON has them; ValueError says why not."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("a caption that is not UTF-8 text") from None
    if kind == TEXT:
        caption = replace_half_characters(" ".join(text.split()))
        return {"caption": caption} if caption else {}
    try:
        record = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from None
    if not isinstance(record, dict):
        raise ValueError("JSON, but not an object")
    try:
        return reader.read_texts(record, "its JSON")
    except UserError as error:
        raise ValueError(str(error)) from None


def _read_picture(reader, tar, member, texts):
    name = f"{Path(tar.name).stem}/{member.name}"
    made = reader.read_picture(name, _read_member(tar, member), texts)
    if isinstance(made, Reject):
        return made
    return ArchivedPicture(
        **vars(made), archive=tar.name, offset=member.offset_data, size=member.size
    )


def _read_member(tar, member):
    try:
        return tar.extractfile(member).read()
    except tarfile.TarError as error:
        where = replace_half_characters(member.name)
        raise UserError(f"{tar.name} is cut off at {where}: {error}") from None


def _key(member):
    place, name = posixpath.split(member.name)
    return posixpath.join(place, name.split(".")[0])


def _kind(member):
    """What follows the first dot: .jpg; of `0001.mask.png` .mask.png, no picture."""
    return "".join(posixpath.basename(member.name).lower().partition(".")[1:])


def _place(tar, name):
    return replace_half_characters(f"{Path(tar.name).stem}/{name}")
