"""Files and folders that are either whole or not there."""

import contextlib
import hashlib
import os
import shutil
from pathlib import Path


@contextlib.contextmanager
def replacing(path):
    """Yield a temporary path beside `path` and rename it to `path` when the block succeeds.

    The block may create a file or a folder there. After an exception nothing is left behind
    and an older `path` stays as it was. The temporary name keeps the suffix of `path`. Files get
    the mode that the umask asks for: safetensors makes its own 0600, which a group cannot read.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    _remove(temporary)
    try:
        yield temporary
        _set_modes(temporary)
        if temporary.is_dir():
            _remove(path)
        os.replace(temporary, path)
    except BaseException:
        _remove(temporary)
        raise


def sha256(path):
    """The hexadecimal SHA-256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _set_modes(path):
    umask = os.umask(0)
    os.umask(umask)
    for file in [path, *path.rglob("*")]:
        if file.is_file() and not file.is_symlink():
            file.chmod(0o666 & ~umask)


def _remove(path):
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
