"""Photographs of the Unsplash Lite dataset, chosen by keyword and size and then downloaded.

Options: `path`, the folder with the dataset's `photos.tsv000` and `keywords.tsv000` (whoever takes
them there accepts its licence); `keywords`, of which a photograph has one or more; `count`;
`min_size`, the least length of a side in pixels (512); `width` to ask for (1024); `connections` at
a time (8); `downloads`, the folder that keeps what has arrived whole, with its SHA-256.
"""

import csv
import hashlib
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path

from emaki.common.errors import UserError
from emaki.common.files import replacing, sha256
from emaki.data.picture import Reject
from emaki.data.sources.folder import FilePicture

TRIES = 5
PASSING = (408, 425, 429, 500, 502, 503, 504)  # what may be over at the next try


def inputs(source):
    """The dataset's tables. Raises UserError where they are not."""
    folder = Path(source["path"]).expanduser()
    found = {stem: sorted(folder.glob(f"{stem}.tsv*")) for stem in ("photos", "keywords")}
    for stem, files in found.items():
        if not files:
            raise UserError(
                f"{source['path']} has no {stem}.tsv000: accept the licence of the Unsplash Lite "
                "dataset, unpack it there and name that folder as the source's path"
            )
    return [str(path) for files in found.values() for path in files]


def pictures(source):
    """Yield a `FilePicture`, or a `Reject` for what could not be had, per chosen photograph."""
    chosen = choose(source)
    with ThreadPoolExecutor(source.get("connections", 8)) as pool:
        arrived = pool.map(lambda photo: _download(source, photo), chosen)
        for photo, (data, problem) in zip(chosen, arrived, strict=True):
            yield Reject(photo["photo_id"], problem) if problem else _picture(source, photo, data)


def choose(source):
    """`count` rows of photos.tsv, by the SHA-256 of their ids: the same whatever their order.

    A greater count keeps those of a smaller one. Raises UserError where there are too few.
    """
    files = inputs(source)
    wanted = {keyword.casefold() for keyword in source["keywords"]}
    named = {
        row["photo_id"]
        for row in _rows(files, "keywords", ("photo_id", "keyword"))
        if row["keyword"].casefold() in wanted
    }
    least = source.get("min_size", 512)
    columns = ("photo_id", "photo_image_url", "photo_width", "photo_height")
    found = {
        row["photo_id"]: row
        for row in _rows(files, "photos", columns)
        if row["photo_id"] in named and min(_sides(row)) >= least
    }
    if len(found) < source["count"]:
        raise UserError(
            f"{source['path']} has {len(found)} photographs of {least} pixels with one of the "
            f"keywords, not {source['count']}: take a smaller count or more keywords"
        )
    order = sorted(found, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    return [found[name] for name in order[: source["count"]]]


def _rows(files, stem, columns):
    for file in files:
        if Path(file).name.startswith(stem):
            with open(file, encoding="utf-8", newline="") as table:
                reader = csv.DictReader(table, delimiter="\t")
                missing = [name for name in columns if name not in (reader.fieldnames or ())]
                if missing:
                    raise UserError(f"{file} has no column {missing[0]}")
                yield from reader


def _sides(row):
    sides = row["photo_width"], row["photo_height"]
    return [int(side) if side and side.isdigit() else 0 for side in sides]


def _download(source, photo):
    """(bytes, None) of a photograph, from the disk if it is whole there, or (None, problem)."""
    path = Path(source.get("downloads", "results/downloads/unsplash")) / f"{photo['photo_id']}.jpg"
    digest = path.with_suffix(".sha256")
    if path.is_file() and digest.is_file() and digest.read_text() == sha256(path):
        return path.read_bytes(), None
    for attempt in range(TRIES):
        try:
            data = _get(f"{photo['photo_image_url']}?w={source.get('width', 1024)}&fm=jpg")
        except urllib.error.HTTPError as error:
            problem = f"not downloaded: status {error.code}"
            if error.code not in PASSING:
                return None, problem
            after = error.headers.get("Retry-After", "")
            wait = min(int(after), 300) if after.isdigit() else 2**attempt
        except (OSError, HTTPException, ValueError) as error:
            problem, wait = f"not downloaded: {error}", 2**attempt
        else:
            with replacing(path) as temporary:
                temporary.write_bytes(data)
            digest.write_text(hashlib.sha256(data).hexdigest())
            return data, None
        if attempt < TRIES - 1:
            time.sleep(wait)
    return None, f"{problem}, {TRIES} times"


def _get(url):
    request = urllib.request.Request(url, headers={"User-Agent": "emaki"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read()  # raises HTTPException where less arrives than was announced


def _picture(source, photo, data):
    from emaki.data.decoding import BadPicture, decode, is_plain

    try:
        image = decode(data)
    except BadPicture as problem:
        return Reject(photo["photo_id"], str(problem))
    caption = photo.get("photo_description") or photo.get("ai_description") or ""
    names = (photo.get(f"photographer_{part}_name") or "" for part in ("first", "last"))
    return FilePicture(
        id=f"unsplash-{photo['photo_id']}",
        image=image,
        caption=" ".join(caption.split()) or None,
        licence="Unsplash",
        credit=", ".join(filter(None, [" ".join(filter(None, names)), photo.get("photo_url")])),
        file=photo["photo_id"],
        data=data if is_plain(data) else None,
    )
