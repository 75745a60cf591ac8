"""A rehearsal: the study's own road with two steps and a few pictures."""

import json

import pytest

from emaki.config import load
from emaki.config.reading import read
from emaki.config.rehearsal import PICTURES, rehearse


@pytest.mark.parametrize("config", ["config/config.yaml", "config/sd14.yaml"])
def test_a_rehearsal_is_a_valid_study_of_its_own(workplace, config):
    study = load(config)
    written, _ = rehearse(read(config).data, study, has_gpu=True)
    (workplace / "rehearsal.yaml").write_text(json.dumps(written))
    short = load(workplace / "rehearsal.yaml")
    assert short.study == f"{study.study}-rehearsal"
    assert {run.steps for run in short.runs.values()} == {2}
    assert all(len(prompts.texts) == 1 for prompts in short.prompts.values())
    assert max(source.count for source in short.sources.values()) == PICTURES
    same = ("batch_size", "resolution", "mixed_precision", "optimizer", "model")
    for name, run in study.runs.items():
        for key in same:
            assert getattr(short.runs[name], key) == getattr(run, key)
    assert (short.models, short.measures) == (study.models, study.measures)


def test_what_a_cpu_cannot_try_is_told(workplace):
    study = load("config/sd14.yaml")
    written, untried = rehearse(read("config/sd14.yaml").data, study, has_gpu=False)
    assert any("fp16, which needs a GPU: fp32 takes its place in lora-r4" in t for t in untried)
    (workplace / "rehearsal.yaml").write_text(json.dumps(written))
    precisions = {run.mixed_precision for run in load(workplace / "rehearsal.yaml").runs.values()}
    assert precisions == {"no"}
