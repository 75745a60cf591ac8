"""What the jobs read that merge and sample.

A `variant` is what is sampled: base/{model} or {run}/{step}/{weights}/{scale}. Its owner
(emaki.workflow.parts) stands for all variants of one base model here, too.
"""

from typing import Any

from emaki.config.derived import with_trainings
from emaki.config.settings import Study
from emaki.workflow.model_files import ModelFiles


class VariantFiles:
    """Where the weights of a study's variants lie, and what each job of one reads."""

    def __init__(self, study: Study) -> None:
        self.study = study = with_trainings(study)
        self.runs = list(study.runs)
        self.folder = f"results/{study.study}"
        self.models = ModelFiles(study)
        # runs whose variants of another scale than 1 are merges
        self.full_runs = [name for name, run in study.runs.items() if run.method == "full"]
        # of these, the runs with one trained text encoder, and with two
        both = [name for name in self.full_runs if study.runs[name].train_text_encoder]
        encoders = {name: study.models[study.runs[name].model].family.encoders for name in both}
        self.with_text_encoder = [name for name in both if len(encoders[name]) == 1]
        self.with_text_encoders = [name for name in both if len(encoders[name]) == 2]

    def merge_model(self, run: str) -> str:
        """The folder of the model that a run's weights are merged with."""
        return self.models.folder(self.study.runs[run].model)

    def merge_model_files(self, run: str) -> list[str]:
        """The files of that model that a merge reads."""
        parts = ["denoiser", *(["encoders"] if self.study.runs[run].train_text_encoder else [])]
        return self.models.parts(self.study.runs[run].model, *parts)

    def merge_code(self, run: str) -> list[str]:
        """What stands for the code that merges a run's weights."""
        return self.models.code("scripts/merge.py", self.study.runs[run].model)

    def code(self, variant: str) -> list[str]:
        """What stands for the code that draws a variant."""
        return self.models.code("scripts/sample.py", self.base(variant))

    def model(self, variant: str) -> str:
        """The folder of the base model of a variant."""
        return self.models.folder(self.base(variant))

    def model_files(self, variant: str) -> list[str]:
        """The files of the base model that sampling reads."""
        parts = ("denoiser", "vae", "encoders", "tokenizers", "scheduler")
        return self.models.parts(self.base(variant), *parts)

    def description(self, variant: str) -> list[str]:
        """The small file that says what weights a variant has; none of a base model."""
        if variant.startswith("base/"):
            return []
        return [
            f"{self._weights(variant)}/{'merge' if self._is_merge(variant) else 'checkpoint'}.json"
        ]

    def weights(self, variant: str) -> list[str]:
        """A file or a folder that is there when those weights are; none of a base model."""
        if variant.startswith("base/"):
            return []
        return [
            f"{self._weights(variant)}/{'config.json' if self._is_merge(variant) else 'weights'}"
        ]

    def weights_arguments(self, variant: str) -> str:
        """What scripts/export.py is told of the weights that go into the base model."""
        if variant.startswith("base/"):
            return ""
        folder = self._weights(variant)
        if self._is_merge(variant):
            return f"--weights {folder}"
        run, _, weights, scale = variant.split("/")
        if run in self.full_runs:
            return f"--weights {folder}/weights/{weights}"
        return f"--lora {folder}/weights/{weights} --lora-scale {scale}"

    def checkpoint(self, variant: str) -> str:
        """The folder of the checkpoint that a variant of a run is made of."""
        run, step, *_ = variant.split("/")
        return f"{self.folder}/runs/{run}/{step}"

    def weights_of(self, variant: str) -> dict[str, Any]:
        """What scripts/sample.py is told of the weights, which makes merges by itself: {} of a base
        model, {"weights": folder}, of a merge with "alpha" besides, or {"lora": folder, "scale"}.
        """
        if variant.startswith("base/"):
            return {}
        run, _, weights, scale = variant.split("/")
        folder = f"{self.checkpoint(variant)}/weights/{weights}"
        if run not in self.full_runs:
            return {"lora": folder, "scale": float(scale)}
        return {"weights": folder} | ({"alpha": float(scale)} if self._is_merge(variant) else {})

    def base(self, variant: str) -> str:
        """The name of the base model of a variant."""
        first, *rest = variant.split("/")
        return rest[0] if first == "base" else self.study.runs[first].model

    def _is_merge(self, variant: str) -> bool:
        run, *_, scale = variant.split("/")
        return run in self.full_runs and scale != "1.0"

    def _weights(self, variant: str) -> str:
        """The folder of a variant's merge or checkpoint."""
        if self._is_merge(variant):
            return f"{self.folder}/merges/{variant}"
        return self.checkpoint(variant)
