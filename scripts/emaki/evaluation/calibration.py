"""What known damage to pictures costs by a measure, and the margin that follows.

The base model's pictures of one block of prompts are blurred, made noisy and compressed, each at
three strengths, and some are judged by the prompt of another. What that costs says how the
measure's numbers are to be read before anything is compared: a difference as small as that of a
damage that nobody minds is none, and a measure that does not see the damage that it is for says
nothing.

For a distance from real pictures some of these are damaged in their stead, and compared with the
others: a base model's pictures may be so far from the real ones that a blur brings them nearer,
which says nothing about the measure.
"""

import io
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from emaki.evaluation.measures import Measure, RealPictures
from emaki.evaluation.metrics import judged_by

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

# {damage: strengths, from the weakest}: the radius of a Gaussian blur in pixels, the deviation of
# noise in 0..255, the quality of a JPEG file, the share of pictures that have another's prompt.
DAMAGES: dict[str, tuple[float, ...]] = {
    "blur": (0.5, 1.0, 2.0),
    "noise": (4.0, 8.0, 16.0),
    "jpeg": (50.0, 30.0, 10.0),
    "prompts": (0.05, 0.2, 1.0),
}
# Pixels of a blur are those of a picture so wide, and more of a larger one: at 512 px half a pixel
# is nothing that anybody could see.
BLURRED_WIDTH = 64
NONE = "none"  # the pictures as they are
# What a measure is told not to see.
UNSEEN = {"blur": "blur", "noise": "noise", "jpeg": "compression", "prompts": "wrong prompts"}
# What is called a cost is above zero by more than so many standard errors.
CLEAR = 2
# Real pictures that are damaged, and how few of them tell nothing.
REAL = 32
FEWEST_REAL = 6

Calibration = dict[tuple[str, float], dict[str, "np.ndarray"]]
"""What `read_calibration` returns."""


class Margin(NamedTuple):
    """How much makes no difference by a measure on some prompts."""

    value: float | None
    """In the measure's unit; None: it gives no verdict there."""
    reason: str
    """Why it gives none, else empty."""
    ladder: list[dict[str, Any]]
    """{damage, strength, difference, error (the standard error of it)}; empty: not calibrated."""


def calibrate(
    measure: Measure, images: "Sequence[Image]", prompts: Sequence[str], label: str
) -> dict[str, list]:
    """The values of RGB pictures as they are and after every damage, a row for each.

    {"damage", "strength", "prompt", "picture" (its number), "value"}; "prompt" is the picture's
    own also where it is judged by another. A distance from real pictures knows of no prompts.
    """
    damages = [d for d in DAMAGES if d != "prompts" or not measure.compares_with_real]
    steps = [(NONE, 0.0), *((damage, s) for damage in damages for s in DAMAGES[damage])]
    judged: list[Image] = []
    asked: list[str] = []
    for step in steps:
        changed, by = damaged(images, prompts, *step)
        judged += changed
        asked += by
    return {
        "damage": [damage for damage, _ in steps for _ in images],
        "strength": [strength for _, strength in steps for _ in images],
        "prompt": list(prompts) * len(steps),
        "picture": list(range(len(images))) * len(steps),
        "value": measure.score(judged, asked, label),
    }


def damaged(
    images: "Sequence[Image]", prompts: Sequence[str], damage: str, strength: float
) -> tuple[list["Image"], list[str]]:
    """The pictures, and the prompts that they are judged by, after one of DAMAGES."""
    if damage == "prompts":
        return list(images), _shuffled(prompts, strength)
    if damage == NONE:
        return list(images), list(prompts)
    changed = [_damage(image, number, damage, strength) for number, image in enumerate(images)]
    return changed, list(prompts)


def _damage(image, number, damage, strength):
    import numpy as np
    from PIL import Image, ImageFilter

    if damage == "blur":
        return image.filter(ImageFilter.GaussianBlur(strength * image.width / BLURRED_WIDTH))
    if damage == "noise":
        pixels = np.asarray(image, dtype=np.float64)
        # of one picture the same at all strengths, so that they differ by their strength alone
        noise = np.random.default_rng(number).standard_normal(pixels.shape)
        return Image.fromarray(np.clip(pixels + strength * noise, 0, 255).round().astype(np.uint8))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=int(strength))
    return Image.open(buffer).convert("RGB")


def _shuffled(prompts, share):
    """A share of the pictures get the prompt that comes half the list later; others keep theirs.

    Those with another prompt at a smaller share are among those at a larger one.
    """
    import numpy as np

    distinct = list(dict.fromkeys(prompts))
    place = {prompt: number for number, prompt in enumerate(distinct)}
    count = len(distinct)
    changed = set(np.random.default_rng(0).permutation(count)[: max(1, round(share * count))])
    return [
        distinct[(place[prompt] + max(1, count // 2)) % count]
        if place[prompt] in changed
        else prompt
        for prompt in prompts
    ]


def read_calibration(path: str | Path) -> Calibration:
    """{(damage, strength): {"prompt" (n,), "value" (n,) or (n, d)}}, the pictures in one order."""
    import numpy as np

    from emaki.common import parquet_files

    table = parquet_files.read(path)
    steps = list(zip(table["damage"].to_pylist(), table["strength"].to_pylist()))
    prompts = np.array(table["prompt"].to_pylist(), dtype=object)
    values = np.array(table["value"].to_pylist(), dtype=np.float64)
    found = {}
    for step in dict.fromkeys(steps):
        rows = [number for number, other in enumerate(steps) if other == step]
        found[step] = {"prompt": prompts[rows], "value": values[rows]}
    return found


def find_margin(
    measure: Measure, calibration: Calibration | None, reference: RealPictures | None
) -> Margin:
    """The margin of a measure on the prompts that `calibration` was made with.

    The config's, or the share of what the damage of its yardstick costs, if the cost of each damage
    that it must see grows with the strength, as far as the noise of so few prompts lets one tell.
    0 for a measure that has neither; `calibration` is None for what needs none (see
    `needs_calibration`).
    """
    if reference is not None and len(reference.train) < 2:
        return Margin(None, "the dataset has one real picture, and a distance needs two", [])
    if not needs_calibration(measure):
        return Margin(measure.margin or 0.0, "", [])
    assert calibration is not None
    assert measure.yardstick is not None
    if measure.compares_with_real:
        assert reference is not None
        if len(calibration[NONE, 0.0]["value"]) < FEWEST_REAL:
            return Margin(None, "the dataset has too few real pictures to damage some", [])
        reference = _others(reference)
    ladder = _ladder(measure, calibration, reference)
    for damage in measure.damages:
        if not _sees(measure, damage, calibration, reference):
            return Margin(None, f"it does not see {UNSEEN[damage]} here", ladder)
    damage, strength, share, _ = measure.yardstick
    step = calibration[damage, strength]
    cost, error = _cost(measure, step, calibration[NONE, 0.0], reference)
    if cost <= CLEAR * error:
        return Margin(None, f"it does not see {UNSEEN[damage]} here", ladder)
    return Margin(share * cost, "", ladder)


def set_aside(train: int, validation: int) -> tuple[int, int]:
    """How many of so many real pictures are damaged: the last of those to train on, and the first
    of those that are held out, which are taken first; at most half of all."""
    count = min(REAL, (train + validation) // 2)
    held_out = min(count, validation)
    return count - held_out, held_out


def _others(reference):
    """The real pictures that damaged ones are compared with."""
    own, held_out = set_aside(len(reference.train), len(reference.validation))
    kept = reference.train[: len(reference.train) - own]
    return RealPictures(kept, reference.validation[held_out:])


def _sees(measure, damage, calibration, reference):
    """Whether the strongest of a damage clearly costs something, and none costs less than the one
    before, the weakest than none at all, by more than the standard error of their difference."""
    steps = [calibration[NONE, 0.0]]
    steps += [calibration[damage, strength] for strength in DAMAGES[damage]]
    rises = [
        _cost(measure, after, before, reference) for before, after in itertools.pairwise(steps)
    ]
    cost, error = _cost(measure, steps[-1], steps[0], reference)
    return cost > CLEAR * error and all(rise >= -error for rise, error in rises)


def _cost(measure, after, before, reference):
    """By how much pictures are worse after than before, and the standard error of that."""
    difference, error = _difference(measure, after, before, reference)
    return (-difference if measure.higher_is_better else difference), error


def needs_calibration(measure: Measure) -> bool:
    """Whether the margin of a measure is found by damaging pictures."""
    return measure.margin is None and measure.yardstick is not None


def calibrated(
    plan: Mapping[str, Any], measures: Mapping[str, Measure]
) -> list[tuple[str, str, str]]:
    """The (measure, base model, role) of a plan whose margins are found by damaging pictures."""
    models = dict.fromkeys(pair["model"] for pair in plan["pairs"])
    return [
        (name, model, role)
        for name, measure in measures.items()
        if needs_calibration(measure)
        for model in models
        for role in plan["prompts"]
        if role in measure.texts
    ]


def _ladder(measure, calibration, reference):
    """The mean difference that each damage makes, with its standard error over the prompts."""
    own, found = calibration[NONE, 0.0], []
    for (damage, strength), side in calibration.items():
        if damage != NONE:
            difference, error = _difference(measure, side, own, reference)
            step = {"damage": damage, "strength": strength}
            found.append({**step, "difference": round(difference, 6), "error": round(error, 6)})
    return found


def _difference(measure, after, before, reference):
    """The mean difference of the same prompts after two damages, and its standard error."""
    import numpy as np

    values = measure.compare(after["value"], before["value"], before["prompt"], reference)
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0
    return float(values.mean()), float(error)


def find_margins(
    plan: Mapping[str, Any],
    measures: Mapping[str, Measure],
    references: Mapping[str, RealPictures],
    calibrations: Mapping[tuple[str, str, str], Calibration],
) -> dict[tuple[str, str], Margin]:
    """{(metric, base model): its Margin} of all that a plan compares.

    `calibrations` are {(measure, base model, role): as read_calibration returns}, as many as
    `calibrated` says; `references` {measure: what it made of the real pictures}.
    """
    models = dict.fromkeys(pair["model"] for pair in plan["pairs"])
    return {
        (name, model): find_margin(
            metric.measure,
            calibrations.get((metric.measure_name, model, metric.role)),
            references.get(metric.measure_name),
        )
        for name, metric in judged_by(measures, plan["prompts"]).items()
        for model in models
    }
