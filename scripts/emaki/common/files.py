"""Files and folders that are either whole or not there."""

import contextlib
import errno
import hashlib
import os
import platform
import re
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from emaki.common.errors import UserError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
PROTECTED = (errno.EACCES, errno.EPERM, errno.EROFS)
ABANDONED = 24 * 3600  # seconds; by then nobody on another machine still writes


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` and rename it to `path` when the block succeeds.

    The block may create a file or a folder there. It is on the disk before it gets its name, so
    that a loss of power leaves no empty file. After an exception nothing is left behind and an
    older `path` stays as it was; what a process that was killed left behind is removed by the next
    that writes `path`. The temporary name keeps the suffix of `path`. Files get the mode that the
    umask asks for: safetensors makes its own 0600, which a group cannot read. Raises UserError
    where the disk is full or the folder may not be written.
    """
    path = Path(path)
    with _explaining(path), _replacing(path) as temporary:
        yield temporary


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path)
    owner = f".{path.stem}.{platform.node()}-{os.getpid()}"
    temporary, old = (
        path.with_name(owner + path.suffix),
        path.with_name(f"{owner}.old{path.suffix}"),
    )
    try:
        yield temporary
        _set_modes(temporary)
        _sync(temporary)
        if temporary.is_dir() and path.exists():  # a folder takes the place of none
            os.replace(path, old)
        os.replace(temporary, path)
        _sync(path.parent, deep=False)
        _remove(old)
    except BaseException:
        _remove(temporary)
        if old.exists() and not path.exists():
            os.replace(old, path)
        raise


@contextlib.contextmanager
def _explaining(path: Path) -> Iterator[None]:
    """Say what is to be done where `path` cannot be written; some libraries lose the errno."""
    try:
        yield
    except Exception as error:
        number = getattr(error, "errno", None)
        again = "and give the same command again"
        if number in FULL or "No space left on device" in str(error):
            raise UserError(
                f"{path} cannot be written, the disk is full: make room {again}"
            ) from error
        told = str(getattr(error, "filename", None) or error)  # pyarrow says it in words alone
        folder = next(parent for parent in path.parents if parent.exists())
        if number in PROTECTED and str(folder) in told:
            raise UserError(
                f"{path} cannot be written, {os.strerror(number)}: let yourself write there "
                f"(chmod -R u+w {folder}) {again}"
            ) from error
        raise


def place_in_study(path: str | Path) -> str:
    """Where a file lies in its study: scores/kid/... of results/{study}/scores/kid/...; "" in none.

    Of a temporary path from `replacing`, in the process that it was made for, that of the file
    which it will be.
    """
    results, *parts = Path(os.path.relpath(path)).parts
    if results != "results":
        return ""
    own = f".{platform.node()}-{os.getpid()}"
    return "/".join(p[1:].replace(own, "", 1) if own in p else p for p in parts[1:])


def sha256(path: str | Path) -> str:
    """The hexadecimal SHA-256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_special(path: str | Path) -> bool:
    """Whether a path, or what it links to, is there but neither a regular file nor a folder.

    A named pipe, a socket or a device: who opens it may wait, or read, for ever.
    """
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _remove_leftovers(path: Path) -> None:
    """Remove the temporary files of `path` whose writers are gone."""
    name = re.compile(
        rf"\.{re.escape(path.stem)}\.(.+)-(\d+)(?:\.old)?{re.escape(path.suffix)}", re.DOTALL
    )
    for other in path.parent.iterdir():
        if (match := name.fullmatch(other.name)) and _is_left_over(other, match[1], int(match[2])):
            _remove(other)


def _is_left_over(path: Path, host: str, pid: int) -> bool:
    """Whether the process `pid` of `host` writes `path` no more; of other hosts' its age tells."""
    if host == platform.node():
        return pid == os.getpid() or not _is_alive(pid)
    with contextlib.suppress(FileNotFoundError):  # its owner was just done
        return time.time() - path.lstat().st_mtime > ABANDONED
    return False


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        pass
    return True


def _set_modes(path: Path) -> None:
    umask = os.umask(0)
    os.umask(umask)
    for file in [path, *path.rglob("*")]:
        if file.is_file() and not file.is_symlink():
            file.chmod(0o666 & ~umask)


def _sync(path: Path, deep: bool = True) -> None:
    """Wait until a file, or a folder with all in it, is on the disk."""
    for file in [path, *path.rglob("*")] if deep else [path]:
        if file.is_symlink():
            continue
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError as error:  # some file systems do not sync folders
            if error.errno != errno.EINVAL or not file.is_dir():
                raise
        finally:
            os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
