"""Captions by a BLIP model, as kohya_ss's scripts do it."""

from collections.abc import Iterator
from typing import Literal

from emaki.captioners._model import LoadedModel, ModelCaptioner
from emaki.common.model_folders import transformers_files


class Blip(ModelCaptioner):
    """Captions by a `BlipForConditionalGeneration`."""

    type: Literal["blip"] = "blip"

    preset: Literal["kohya_gui", "kohya_cli"] = "kohya_gui"
    """Greedy, or sampled (nucleus), each as in kohya_ss."""

    prompt: str | None = None
    """Beginning of each caption, which is cut off again."""

    def problems(self) -> Iterator[tuple[str, str]]:
        """Beams search for the likeliest caption, which a sample is not."""
        if self.preset == "kohya_cli" and self.num_beams > 1:
            yield "num_beams", "goes with preset kohya_gui: kohya_cli samples"

    def files(self) -> list[str]:
        """The model's settings and weights."""
        return transformers_files(self.model)

    def load(self) -> LoadedModel:
        """The model. Raises UserError too for a prompt with words that its vocabulary lacks."""
        from emaki.captioners._blip_model import BlipModel

        return BlipModel(
            self.model,
            preset=self.preset,
            prompt=self.prompt,
            num_beams=self.num_beams,
            precision=self.precision,
        )
