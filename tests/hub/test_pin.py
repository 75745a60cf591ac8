"""`make pin`: the commits that a config lacks, asked of a hub on loopback."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from server import Hub

ROOT = Path(__file__).parents[2]
CONFIG = """\
extends: {root}/config/config.yaml
study: mine
models:
  tiny: {{repo: somebody/sd}}
measures:
  clip_score: {{type: clip-score, model: {{repo: somebody/clip}}}}
sources:
  rooms: {{type: hub, repo: somebody/rooms}}
  critters: {{type: hub, repo: nobody/gone}}
"""


def pin(url, *, config):
    command = [sys.executable, ROOT / "scripts/tools/pin.py", "--config", config]
    env = {**os.environ, "HF_ENDPOINT": url}
    return subprocess.run(command, env=env, cwd=config.parent, capture_output=True, text=True)


def test_what_is_there_is_printed_and_what_is_gone_is_told(tmp_path):
    config = tmp_path / "my.yaml"
    config.write_text(CONFIG.format(root=ROOT))
    with Hub() as hub:
        sd = hub.add("somebody/sd", {"model_index.json": b"{}"})
        raw = {"unet/diffusion_pytorch_model.bin": b"a pickle"}
        non_ema = hub.add("somebody/sd", raw, "non-ema")
        clip = hub.add("somebody/clip", {"config.json": b"{}"})
        rooms = hub.add("somebody/rooms", {"README.md": b""})
        done = pin(hub.url, config=config)
        hub.shutdown()
    assert done.returncode == 1
    digest = hashlib.sha256(b"a pickle").hexdigest()
    assert done.stdout.splitlines() == [
        "my.yaml:4: models.tiny (somebody/sd): put in",
        f"    revision: '{sd}'",
        "my.yaml:6: measures.clip_score.model (somebody/clip): put in",
        f"    revision: '{clip}'",
        "my.yaml:8: sources.rooms (somebody/rooms): put in",
        f"    revision: '{rooms}'",
        "my.yaml:4: models.tiny (somebody/sd): put in",
        f"    non_ema_revision: '{non_ema}'",
        f"    non_ema_sha256: '{digest}'",
    ]
    assert done.stderr.startswith("error: sources.critters: nobody/gone is not on the hub")
    assert "{type: folder, path: my/pictures}" in done.stderr


def test_nothing_to_pin():
    done = pin("http://127.0.0.1:9", config=ROOT / "config/config.yaml")
    assert done.returncode == 0, done.stderr
    assert "has a commit for every repository" in done.stdout
