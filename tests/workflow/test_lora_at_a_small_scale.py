"""What hardly differs is called the same, by every measure, from the training on."""

import json

import pytest

ANSWERS = "results/instruments/experiments/hardly.json"


@pytest.mark.slow
def test_a_lora_at_a_fiftieth_of_its_strength_is_the_same_as_the_base(new_study):
    study = new_study("instruments.yaml")
    study.snakemake(ANSWERS)
    found = json.loads((study.folder / ANSWERS).read_text())
    told = {claim["metric"]: claim["found"] for claim in found["claims"]}
    assert {name: one["verdict"] for name, one in told.items()} == dict.fromkeys(told, "the same")
    assert len(told) == 6
    differences = {one["difference"] for one in told.values()}
    assert 0 not in differences  # it is another model
