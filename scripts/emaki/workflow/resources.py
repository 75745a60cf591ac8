"""What jobs ask of a scheduler: minutes, memory and GPUs.

None of it decides a result, so none of it is a parameter. A job that is tried again asks for more
time and memory.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from emaki.config.blocks import blocks, bounds
from emaki.config.derived import with_trainings
from emaki.config.settings import Study
from emaki.costs import estimates
from emaki.workflow.drawing_files import DrawingFiles

SCORE_SECONDS = 2  # of a picture by a measure, assumed: a large model on a CPU takes about as long


def minutes(first: int) -> Callable[..., int]:
    """A resource: the time limit of a job's first attempt, in minutes."""
    return lambda wildcards, attempt: first * attempt


def megabytes(base: int, copies: int = 1) -> Callable[..., int]:
    """A resource: memory for a program of `base` MB and so many copies of the job's inputs."""

    def needed(wildcards: Any, input: Any, attempt: int) -> int:
        held = input.size_mb + sum(map(_megabytes_listed, input))
        return int(base + copies * held) * attempt

    return needed


def _megabytes_listed(path: str) -> float:
    """The MB of the weights that the list of a model of the hub stands for (rules/models.smk)."""
    file = Path(path)
    weights = file.parent.rglob("*.safetensors") if file.name == "files.json" else []
    return sum(weight.stat().st_size for weight in weights) / 2**20


class TrainingResources:
    """What trainings ask for, by the name of their run.

    `gives_gpus` says whether the profile has GPUs to give; else they take what PyTorch finds.
    """

    def __init__(self, study: Study, gives_gpus: bool) -> None:
        self.study = with_trainings(study)
        self.gives_gpus = gives_gpus

    def gpus(self, run: str) -> int:
        """One GPU for each process."""
        return self.study.runs[run].num_processes if self.gives_gpus else 0

    def gpu_memory_mb(self, run: str) -> int:
        """MB on each GPU. The same on every attempt: another GPU gives other last bits."""
        return int(estimates.gpu_memory_mb(self.study, run)) if self.gives_gpus else 0

    def gpu_model(self, run: str) -> str:
        """The model of GPU to ask a scheduler for; "" is any."""
        if not self.gives_gpus:
            return ""
        return estimates.gpu_model(self.study, self.gpu_memory_mb(run))

    def minutes(self, run: str, attempt: int) -> int:
        """A quarter of an hour for start, validation and weights, and three times what is reckoned.

        The reckoning is good for a factor of two, and with a batch of 1 a GPU waits for the CPU.
        """
        steps = self.study.runs[run].checkpoint_every
        return (15 + 3 * estimates.training_minutes(self.study, run, steps)) * attempt

    def memory_mb(self, run: str, input: Any, attempt: int) -> int:
        """MB of main memory: what each process holds, and what the job reads."""
        held = estimates.main_memory_mb(self.study, run) * self.study.runs[run].num_processes
        return int(held + input.size_mb) * attempt


class DrawingResources:
    """What jobs ask for that draw and score a block of an owner (emaki.workflow.parts).

    What one that ran out of time has drawn or scored is kept, and the next attempt goes on.
    """

    def __init__(self, study: Study, drawing: DrawingFiles) -> None:
        self.study = with_trainings(study)
        self.drawing = drawing

    def drawing_minutes(self, owner: str, block: str, attempt: int) -> int:
        """Half an hour for start and model, a minute for the weights of each variant, and three
        times what is reckoned for the pictures."""
        drawn = self.drawing.drawn(owner, block)
        count = len(self.study.sampling.seeds) * sum(
            self._prompts(name, block) for _, name in drawn
        )
        model = self.drawing.variants.base(owner)
        seconds = estimates.drawing_seconds(self.study, model, count).value
        variants = len(self.drawing.drawn_variants(owner, block))
        return (30 + variants + math.ceil(3 * seconds / 60)) * attempt

    def drawing_mb(self, owner: str, input: Any, attempt: int) -> int:
        """MB of main memory: the program, the model twice, and the weights of one variant."""
        model = sum(Path(path).stat().st_size for path in input.model) / 2**20
        weights = 0.0
        if not owner.startswith("base/"):
            weights = estimates.checkpoint_bytes(self.study, owner).value / 2**20
        return int(4000 + 2 * model + weights) * attempt

    def scoring_minutes(self, environment: str, owner: str, block: str, attempt: int) -> int:
        """Half an hour for start and models, and SCORE_SECONDS for each picture and measure."""
        scored = self.drawing.scored(environment, owner, block)
        prompts = sum(self._prompts(name, block) for *_, name in scored)
        seconds = SCORE_SECONDS * len(self.study.sampling.seeds) * prompts
        return (30 + math.ceil(seconds / 60)) * attempt

    def _prompts(self, prompts: str, block: str) -> int:
        """How many prompts a block of a set has."""
        first, last = bounds(blocks(self.study, prompts)[int(block)])
        return last - first
