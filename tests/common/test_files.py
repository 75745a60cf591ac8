import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

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
