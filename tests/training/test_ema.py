"""The average moves as the two reference implementations do."""

import pytest
import torch

from emaki.training.ema import MovingAverage
from emaki.training.settings import Ema


def walk(steps):
    generator = torch.Generator().manual_seed(0)
    return [{"w": torch.randn(5, generator=generator)} for _ in range(steps)]


def test_diffusers_preset_equals_ema_model():
    from diffusers.training_utils import EMAModel

    start = torch.nn.Parameter(torch.zeros(5))
    theirs = EMAModel([start], decay=0.9999)
    ours = MovingAverage({"w": start}, Ema(preset="diffusers"))
    for weights in walk(30):
        theirs.step([torch.nn.Parameter(weights["w"])])
        ours.update(weights)
        torch.testing.assert_close(ours.averages["w"], theirs.shadow_params[0])


def test_diffusers_preset_throws_its_start_away_and_compvis_keeps_it():
    start, (weights,) = {"w": torch.full((5,), 7.0)}, walk(1)
    diffusers, compvis = (
        MovingAverage(start, Ema(preset=name)) for name in ("diffusers", "compvis")
    )
    diffusers.update(weights)
    assert torch.equal(diffusers.averages["w"], weights["w"])
    compvis.update(weights)
    torch.testing.assert_close(compvis.averages["w"], 0.9999 * start["w"] + 0.0001 * weights["w"])


def test_compvis_keeps_22_percent_of_the_base_after_15000_updates():
    ema = MovingAverage({"w": torch.ones(1)}, Ema(preset="compvis"))
    for _ in range(15_000):
        ema.update({"w": torch.zeros(1)})
    assert float(ema.averages["w"]) == pytest.approx(0.9999**15_000, rel=1e-3)
    assert float(ema.averages["w"]) == pytest.approx(0.223, abs=1e-3)


def test_compvis_warm_up_is_that_of_lit_ema():
    ema = MovingAverage({"w": torch.ones(1)}, Ema(preset="compvis", start_updates=0))
    decays = []
    for _ in range(3):
        ema.update({"w": torch.zeros(1)})
        decays.append(ema.decay())
    assert decays == [2 / 11, 3 / 12, 4 / 13]
