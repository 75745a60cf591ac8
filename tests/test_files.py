import numpy as np
import pytest
from safetensors.numpy import save_file

from emaki.files import replacing


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
