"""The examples at full scale, one for each family: nothing is left to put in."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from emaki.config import load

ROOT = Path(__file__).parents[2]
RULES = {"sdxl": "hub_pipeline_xl", "sd35": "hub_pipeline_in_parts"}
SIZES = {
    "sdxl": "stable-diffusion-xl-base-1.0: 13.88 GB (fp32, the size of SDXL 1.0)",
    "sd35": "stable-diffusion-3.5-medium: 15.82 GB (fp16, the size of SD 3.5 medium)",
}


@pytest.mark.parametrize("name", RULES)
def test_the_plan_leaves_nothing_open(name, tmp_path):
    for part in ("Snakefile", "rules", "scripts", "config", "envs", "profiles", "resources"):
        (tmp_path / part).symlink_to(ROOT / part)
    command = [sys.executable, "scripts/tools/plan.py", "--config", f"config/{name}.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    text = done.stdout + done.stderr
    assert done.returncode == 0, text
    assert "Left open" not in text
    assert "size not known" not in text
    jobs = {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", text, re.MULTILINE)}
    trained = sum(count for rule, count in jobs.items() if rule.startswith("train"))
    assert trained == 2 * 2000 / 500
    assert (jobs[RULES[name]], jobs["hub_model"]) == (1, 2)
    assert all(f"{run}: " in text for run in ("lora", "full"))
    assert SIZES[name] in text


def test_stable_diffusion_3_is_asked_the_same(monkeypatch):
    monkeypatch.chdir(ROOT)
    xl, three = (load(f"config/{name}.yaml") for name in RULES)
    assert three.experiments == xl.experiments
    theirs = three.runs["lora"].values() | {"target_modules": xl.runs["lora"].target_modules}
    assert theirs == xl.runs["lora"].values()
    assert three.models["base"].family.denoiser == "transformer"
