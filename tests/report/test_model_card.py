"""The card of an exported model, and which model it is."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import study
import yaml
from test_report import run_scripts

from emaki.common import digests
from emaki.common.errors import UserError
from emaki.config import load, read_saved
from emaki.report.model_card import write_card
from emaki.workflow.best_files import BestFiles

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    place = tmp_path_factory.mktemp("study")
    entries = {name: study.EXPERIMENTS[name] for name in ("lora", "full")}
    built = study.build(place, experiments=entries)
    return run_scripts(place, built)


def choose(made, experiment, *take):
    """What choose.py writes, into its place."""
    answers = made / f"experiments/{experiment}.json"
    output = made / f"best/{experiment}.json"
    command = [sys.executable, ROOT / "scripts/choose.py", "--answers", answers, *take]
    subprocess.run(
        [*command, "--output", output], check=True, env={"PYTHONPATH": str(ROOT / "scripts")}
    )
    return digests.read_json(output)


def card(made, experiment, choice, read=None):
    read = read or read_saved(made / "config.json")
    answers = digests.read_json(made / f"experiments/{experiment}.json")
    cards = [json.loads((made / "datasets/rooms/card.json").read_text())]
    base = BestFiles(read).base(choice["variant"])
    return write_card(
        read,
        experiment,
        answers,
        choice | {"model": base},
        cards,
        ["webui/a.safetensors"],
        ["p.png"],
    )


def test_the_recommended_model_has_its_evidence(made):
    choice = choose(made, "lora")
    assert (choice["variant"], choice["exported"]) == ("lora-r4/000060/raw/1.0", True)
    text = card(made, "lora", choice)
    _, header, body = text.split("---\n", 2)
    header = yaml.safe_load(header)
    assert header["tags"][-2:] == ["lora", "emaki"]
    assert header["license"] == "other"
    assert "base_model" not in header  # a folder of one's own
    assert choice["sentence"] in body
    assert "| lora-r4, 60 steps | tiny | Follows its prompts (CLIPScore) | +6.1 |" in body
    assert "| 128 | better |" in body
    assert "Against tiny, with intervals for all 4 models that were drawn together:" in body
    assert 'pipeline.load_lora_weights(".")' in body
    assert "![Beside the baseline; a row has the same prompt and noise](p.png)" in body
    assert "- MIT: 40 pictures\n- Credit: Emaki's rooms" in body


def test_a_base_of_the_hub_and_its_licence_are_named(made):
    read = read_saved(made / "config.json")
    repo = {"path": None, "repo": "CompVis/stable-diffusion-v1-4", "revision": "0" * 40}
    models = {"tiny": read.models["tiny"].model_copy(update=repo)}
    _, header, body = card(made, "lora", choose(made, "lora"), read.replace(models=models)).split(
        "---\n", 2
    )
    header = yaml.safe_load(header)
    assert header["base_model"] == "CompVis/stable-diffusion-v1-4"
    assert header["base_model_relation"] == "adapter"
    assert header["license"] == "creativeml-openrail-m"
    assert 'from_pretrained("CompVis/stable-diffusion-v1-4")' in body


def test_nothing_is_exported_where_nothing_is_better(made):
    choice = choose(made, "full")
    assert (choice["variant"], choice["exported"]) == ("base/tiny", False)
    text = card(made, "full", choice)
    assert "Take tiny: none of 5 models is clearly better" in text
    assert "| full, 60 steps | tiny | Keeps unrelated prompts (CLIPScore) |" in text
    assert "## Use" not in text
    assert not text.startswith("---")


def test_the_config_may_take_another_model(made):
    choice = choose(made, "full", "--take", "full/000060/raw/0.25")
    assert (choice["exported"], choice["recommended"]) == (True, False)
    text = card(made, "full", choice)
    assert "This is full/000060/raw/0.25, which the study's config takes instead." in text


@pytest.mark.parametrize(
    ("take", "said"),
    [
        ("lora-r4/000060/raw/0.6", "did you mean 'lora-r4/000060/raw/0.5'"),
        ("base/other", "there is no model in this experiment of that name"),
    ],
)
def test_a_model_that_is_not_there_is_told_beforehand(take, said, made, tmp_path):
    config = yaml.safe_load((made / "config.yaml").read_text())
    config["experiments"]["lora"]["take"] = take
    config["models"]["tiny"]["path"] = str(made / "sd")
    config["measures"] = {"kid": {"type": "kid", "margin": 20.0}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    with pytest.raises(UserError, match=r"experiments\.lora\.take is") as raised:
        load(tmp_path / "config.yaml")
    assert said in str(raised.value)
