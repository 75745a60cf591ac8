import ctypes
import errno
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from safetensors import SafetensorError
from safetensors.numpy import save_file

from emaki.common.errors import UserError
from emaki.common.files import replacing


def test_weights_can_be_read_by_whoever_the_umask_allows(tmp_path):
    (tmp_path / "plain").touch()
    with replacing(tmp_path / "weights") as temporary:
        temporary.mkdir()
        save_file({"weight": np.zeros(3)}, temporary / "model.safetensors")
    mode = (tmp_path / "weights" / "model.safetensors").stat().st_mode
    assert mode == (tmp_path / "plain").stat().st_mode


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "table.txt"
    path.write_text("old")

    def fail():
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("table.txt", "old")]


def obey_modes():
    """Let this process, if it is root's, write no more than modes allow."""
    drop_from_bounding_set, override = 24, 1
    ctypes.CDLL(None).prctl(drop_from_bounding_set, override)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        OSError(errno.EDQUOT, "Disk quota exceeded", "elsewhere"),
        SafetensorError(
            "Error while serializing: I/O error: No space left on device (os error 28)"
        ),
        pa.ArrowException("[errno 28] No space left on device"),
    ],
)
def test_a_full_disk_is_told_with_the_file(error, tmp_path):
    told = r"table\.txt cannot be written, the disk is full: make room"
    with pytest.raises(UserError, match=told), replacing(tmp_path / "table.txt"):
        raise error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_disk_that_is_full_in_truth(tmp_path):
    def write():
        with replacing(tmp_path / "table.txt") as temporary:
            temporary.symlink_to("/dev/full")
            temporary.write_text("much")

    with pytest.raises(UserError, match="the disk is full"):
        write()


def test_a_folder_that_may_not_be_written_is_told_with_the_command(tmp_path):
    code = "import sys; from emaki.common import files; files.replacing(sys.argv[1]).__enter__()"
    tmp_path.chmod(0o555)  # and so no folder `runs` can be made in it
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "runs/table.txt"],
        capture_output=True,
        text=True,
        preexec_fn=obey_modes,
    )
    tmp_path.chmod(0o755)
    place = f"{tmp_path}/runs/table.txt"
    assert f"UserError: {place} cannot be written, Permission denied" in done.stderr
    assert f"(chmod -R u+w {tmp_path}) and give the same command again" in done.stderr


def test_a_file_that_is_named_in_words_alone_is_told_too(tmp_path):
    def write():
        with replacing(tmp_path / "table.parquet") as temporary:
            raise PermissionError(errno.EACCES, f"Failed to open local file '{temporary}'")

    with pytest.raises(
        UserError, match=r"table\.parquet cannot be written, Permission denied: let"
    ):
        write()


def test_what_cannot_be_read_is_no_matter_of_writing(tmp_path):
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "table.txt"):
        (tmp_path / "none").read_text()


def test_what_killed_writers_left_is_removed_and_what_others_write_is_not(tmp_path):
    host, elsewhere = platform.node(), "another-machine"
    ended = subprocess.check_output([sys.executable, "-c", "import os; print(os.getpid())"])
    dead = int(ended)
    left = [f".table.{host}-{dead}.txt", f".table.{host}-{dead}.old.txt"]
    left += [f".table.{elsewhere}-7.txt"]
    others = [f".table.{host}-{os.getppid()}.txt", f".table.{elsewhere}-8.txt"]
    others += [f".table-2.{host}-{dead}.txt", f".table.{host}-{dead}"]  # of other files
    for name in left + others:
        (tmp_path / name).write_text("half")
    two_days_ago = time.time() - 2 * 24 * 3600
    os.utime(tmp_path / left[-1], (two_days_ago, two_days_ago))
    with replacing(tmp_path / "table.txt") as temporary:
        temporary.write_text("whole")
    assert {path.name for path in tmp_path.iterdir()} == {"table.txt", *others}


def test_a_folder_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    events, sync, rename = [], os.fsync, os.replace

    def synced(descriptor):
        events.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)
        sync(descriptor)

    def renamed(old, new):
        events.append("renamed")
        rename(old, new)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    with replacing(tmp_path / "state") as temporary:
        (temporary / "sub").mkdir(parents=True)
        (temporary / "sub" / "weights").write_text("w")
        (temporary / "state.json").write_text("s")
    named = events.index("renamed")
    assert {temporary.name, "sub", "weights", "state.json"} == set(events[:named])
    assert events[named + 1 :] == [tmp_path.name]
