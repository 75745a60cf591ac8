"""What the jobs read that train.

A `segment` is a part of a run, named by the run and the step at which it ends: {run}/{step}.
"""

from collections.abc import Container, Iterable
from pathlib import Path
from typing import Any

from emaki.common import weight_files
from emaki.config.derived import kept_steps, starts, steps_of, with_trainings
from emaki.config.settings import Study
from emaki.training.settings import Run, Start
from emaki.workflow.model_files import ModelFiles
from emaki.workflow.parameters import as_json


class TrainingFiles:
    """Where the runs of a study lie, each training by a seed as one, and what each segment reads.

    `sharded` has the names of the datasets that are in shards.
    """

    def __init__(self, study: Study, sharded: Container[str] = ()) -> None:
        self.study = study = with_trainings(study)
        self.sharded = sharded
        self.folder = f"results/{study.study}"
        self.models = ModelFiles(study)
        steps = {run: steps_of(study, run) for run in study.runs}
        kept = {run: kept_steps(study, run) for run in study.runs}
        self.segments = [f"{run}/{step:06d}" for run in steps for step in steps[run]]
        # the last of each run
        self.newest = [f"{run}/{steps[run][-1]:06d}" for run in steps]
        # those whose weights do not stay
        self.passing = [
            f"{run}/{step:06d}" for run in steps for step in steps[run] if step not in kept[run]
        ]

    def run(self, segment: str) -> Run:
        """The settings of the run that a segment is of."""
        return self.study.runs[run_name(segment)]

    def environment(self, segment: str) -> str:
        """Which of envs/: xformers is built for another torch than the rest of the road uses."""
        return "training-xformers" if self.run(segment).attention == "xformers" else "training"

    def first_step(self, segment: str) -> int:
        """The step at which a segment begins."""
        return last_step(segment) - self.run(segment).checkpoint_every

    def latents(self, segment: str) -> str:
        """The folder of the cached latents that a segment is trained on."""
        run = self.run(segment)
        transform = f"{run.resolution}{'-flip' if run.random_flip else ''}"
        return f"{self.folder}/latents/{run.dataset}/{run.model}/{transform}"

    def latent_files(self, segment: str) -> list[str]:
        """The large files there; of a dataset in shards the manifest stands for those of them."""
        files = ["index.parquet"]
        if self.run(segment).dataset not in self.sharded:
            files += ["moments.safetensors", "text.safetensors"]
        return [f"{self.latents(segment)}/{file}" for file in files]

    def model(self, segment: str) -> str:
        """The folder of the model that is fine-tuned."""
        return self.models.folder(self.run(segment).model)

    def code(self, segment: str) -> list[str]:
        """What stands for the code that trains a segment."""
        return self.models.code("scripts/train.py", self.run(segment).model)

    def model_files(self, segment: str) -> list[str]:
        """The files of that model that a training reads."""
        run = self.run(segment)
        parts = ["denoiser", "scheduler"]
        parts += ["non_ema"] if "non_ema" in starts(run).values() else []
        parts += ["encoders", "tokenizers"] if run.train_text_encoder else []
        return self.models.parts(run.model, *parts)

    def start_files(self, segment: str) -> list[str]:
        """What decides a start from elsewhere: of a checkpoint its description, of a folder all."""
        run = self.run(segment)
        if run.method == "lora":
            files = [weight_files.LORA]
        else:
            encoders = self.study.models[run.model].family.encoders
            own = [f"{part}/{weight_files.TRANSFORMERS}" for part in encoders]
            files = [weight_files.DIFFUSERS, *own]
        return [file for start in self._starts(segment) for file in self._start_files(start, files)]

    def start_weights(self, segment: str) -> list[str]:
        """The checkpoints' folders of weights that a run starts from."""
        return [self._weights(start) for start in self._starts(segment) if start.run]

    def state_before(self, segment: str) -> list[str]:
        """The state that a segment goes on from; a run's first segment has none."""
        # Not `ancient`: after an interruption Snakemake 9.27.1 would take a segment whose only way
        # to an unfinished one is an `ancient` file for done, whether its outputs are there or not.
        before = self.first_step(segment)
        return [f"{self.folder}/states/{run_name(segment)}/{before:06d}"] if before > 0 else []

    def hyper_parameters(self, segment: str) -> str:
        """What decides the weights, as JSON: not how far the run goes and where it stops.

        A start from a checkpoint of another run is the folder of its weights there.
        """
        run = self.run(segment).hyper_parameters().values()
        run["train_init"] = self._with_folder(run["train_init"])
        if run["ema"]:
            run["ema"] = run["ema"] | {"init": self._with_folder(run["ema"]["init"])}
        return as_json(run)

    def _starts(self, segment: str) -> list[Start]:
        return [start for start in starts(self.run(segment)).values() if isinstance(start, Start)]

    def _start_files(self, start: Start, files: Iterable[str]) -> list[str]:
        if not start.folder:
            return [f"{self._checkpoint(start)}/checkpoint.json"]
        paths = [f"{start.folder}/{file}" for file in files]
        return [path for path in paths if path == paths[0] or Path(path).exists()]

    def _weights(self, start: Start) -> str:
        return f"{self._checkpoint(start)}/weights"

    def _checkpoint(self, start: Start) -> str:
        return f"{self.folder}/runs/{start.run}/{start.step:06d}"

    def _with_folder(self, start: Any) -> Any:
        """A start, as a plain value, as the trainer knows it: a checkpoint by its folder."""
        if not isinstance(start, dict) or "folder" in start:
            return start
        return {"folder": f"{self._weights(Start(**start))}/{start['weights']}"}


def transform_arguments(transform: str) -> str:
    """How pictures are prepared, as the name of it in paths says: 64-flip."""
    resolution, _, flip = transform.partition("-")
    return f"--resolution {resolution}{' --random-flip' if flip else ''}"


def run_name(segment: str) -> str:
    """The name of the run that a segment is of."""
    return segment.rpartition("/")[0]


def last_step(segment: str) -> int:
    """The step at which a segment ends."""
    return int(segment.rpartition("/")[2])
