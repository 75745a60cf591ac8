"""Tars of pictures with their captions, as the library webdataset writes them: each a shard.

Options: `path`, which tars: `{00000..00099}` counts, `*`, `?` and `[...]` match names;
`caption_column` ("text"; null: none), the key of the caption in a picture's `.json`;
`min_size`, `licence` and `credit` as of a folder.

What belongs together are members that follow each other and are named the same up to the first
dot: `a/0001.jpg` with `a/0001.txt` or `a/0001.json`, of which the text wins. A tar is read member
by member and nothing is unpacked: a picture is found again by its place in the tar. Python's
`tarfile` does that; the library's own readers are made for shuffled streams without places.
"""

import glob
import itertools
import json
import os
import posixpath
import re
import tarfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from emaki.common.errors import UserError
from emaki.data.picture import Reject
from emaki.data.sources import folder

TEXT, JSON = ".txt", ".json"
LARGEST = 512 << 20  # bytes of a member that is read: as much as the pixels of a picture may take
BLOCK = 512  # bytes; a tar is made of these and ends with blocks of zeros
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"  # as of the config's entries, since paths are made of it


@dataclass(frozen=True)
class ArchivedPicture(folder.FilePicture):
    """A picture that stays where it is (see emaki.data.archives)."""

    archive: str
    offset: int
    size: int | None


def shards(source):
    """{name of a shard: path of its tar}, in order. Imports nothing heavy: the Snakefile calls it.

    Raises UserError, a sentence that goes on after the path's key, if a tar is not there.
    """
    path = os.path.expanduser(source["path"])
    named = [path] if os.path.isfile(path) else list(counted(path))
    tars = [tar for name in named for tar in _matching(name)]
    if not tars:
        raise UserError(f"is {source['path']}, which matches no file")
    if missing := [tar for tar in tars if not os.path.isfile(tar)]:
        raise UserError(
            f"is {source['path']}, of which {len(missing)} of {len(tars)} files are not there; "
            f"the first is {missing[0]}"
        )
    return named_after(tars, (".tar",))


def named_after(paths, kinds):
    """{name of a shard: its path}: the file's without its ending, which must be one of `kinds`."""
    found = {}
    for path in paths:
        name, kind = os.path.splitext(os.path.basename(path))
        if kind not in kinds:
            raise UserError(
                f"has {path}, which is not named {' or '.join(kinds)}; "
                "a compressed one must be unpacked"
            )
        if not re.fullmatch(NAME, name) or re.search("[{}]", path):
            raise UserError(f"has {path}: name it with letters, digits and . _ - only")
        if name in found:
            raise UserError(f"has {found[name]} and {path}: two shards of one name")
        found[name] = path
    return found


def pictures(source):
    """Yield an `ArchivedPicture` or a `Reject` for every picture or orphan in the tars.

    Raises UserError for what is no tar, or is damaged or cut off.
    """
    for archive in shards(source).values():
        yield from pictures_in(source, archive)


def total(source):
    """How many pictures there are to read, good or bad."""
    return sum(map(total_in, shards(source).values()))


def total_in(archive):
    """How many pictures there are in a tar, good or bad."""
    with _opened(archive) as tar:
        return sum(_kind(member) in folder.PICTURES for member in _files(tar))


def counted(path):
    """`path` once for each number of the first {N..M} in it, with as many digits as N has."""
    match = re.search(r"\{(\d+)\.\.(\d+)\}", path)
    if not match:
        yield path
        return
    first, last = match.groups()
    for number in range(int(first), int(last) + 1):
        numbered = f"{path[: match.start()]}{number:0{len(first)}d}{path[match.end() :]}"
        yield from counted(numbered)


def _matching(name):
    return sorted(glob.glob(name, recursive=True)) if re.search(r"[*?\[]", name) else [name]


@contextmanager
def _opened(archive):
    from emaki.data import archives

    with ExitStack() as stack:
        try:
            file = stack.enter_context(archives.opened(archive))
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
        raise UserError(
            f"{tar.name} is damaged or cut off at {folder.shown(name)} or after it: {error}"
        ) from None


def pictures_in(source, archive):
    """Yield the `ArchivedPicture`s and `Reject`s of a tar (see emaki.data.archives)."""
    with _opened(archive) as tar:
        seen = set()
        for key, members in itertools.groupby(_files(tar), _key):
            if key in seen:
                yield Reject(_place(tar, key), "members of this name are elsewhere in the tar too")
            else:
                seen.add(key)
                yield from _sample(source, tar, key, list(members))


def _sample(source, tar, key, members):
    """Yield the picture of members of one name, and `Reject`s for what cannot be used of them."""
    found, about = [], {}
    for member in members:
        name, kind = _place(tar, member.name), _kind(member)
        if kind not in (*folder.PICTURES, TEXT, JSON):
            continue  # what else a sample may have: classes, embeddings
        if not member.isreg() or member.issparse():
            yield Reject(name, "a link or another special file")
        elif member.size > LARGEST:
            yield Reject(name, f"more than {LARGEST} bytes")
        elif kind in folder.PICTURES:
            found.append(member)
        else:
            try:
                about[kind] = _described(source, kind, _bytes(tar, member))
            except ValueError as error:
                yield Reject(name, str(error))
    for member in found[1:]:
        yield Reject(_place(tar, member.name), f"a second picture beside {found[0].name}")
    if found:
        yield _picture(source, tar, found[0], about.get(JSON, {}) | about.get(TEXT, {}))
    elif about:
        yield Reject(_place(tar, key), "a caption without a picture beside it")


def _described(source, kind, data):
    """Caption, licence and credit, as far as a text or JSON has them; ValueError says why not."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("a caption that is not UTF-8 text") from None
    if kind == TEXT:
        caption = folder.shown(" ".join(text.split()))
        return {"caption": caption} if caption else {}
    try:
        record = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from None
    if not isinstance(record, dict):
        raise ValueError("JSON, but not an object")
    try:
        return folder.described(source, record, "its JSON")
    except UserError as error:
        raise ValueError(str(error)) from None


def _picture(source, tar, member, about):
    made = folder.picture(
        source, f"{Path(tar.name).stem}/{member.name}", _bytes(tar, member), about
    )
    if isinstance(made, Reject):
        return made
    return ArchivedPicture(
        **vars(made), archive=tar.name, offset=member.offset_data, size=member.size
    )


def _bytes(tar, member):
    try:
        return tar.extractfile(member).read()
    except tarfile.TarError as error:
        raise UserError(f"{tar.name} is cut off at {folder.shown(member.name)}: {error}") from None


def _key(member):
    place, name = posixpath.split(member.name)
    return posixpath.join(place, name.split(".")[0])


def _kind(member):
    """What follows the first dot: .jpg; of `0001.mask.png` .mask.png, no picture."""
    return "".join(posixpath.basename(member.name).lower().partition(".")[1:])


def _place(tar, name):
    return folder.shown(f"{Path(tar.name).stem}/{name}")
