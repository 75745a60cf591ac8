"""Captions by a model of transformers' image-text-to-text class (Llava, Idefics3, ...)."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from emaki.captioners._model import LoadedModel, ModelCaptioner
from emaki.common.model_folders import image_text_files


class ImageTextToText(ModelCaptioner):
    """Captions by an `AutoModelForImageTextToText` such as Llava."""

    type: Literal["image-text-to-text"] = "image-text-to-text"

    prompt: Annotated[str, Field(pattern=r"\S")] = "Describe this picture in one sentence."
    """What the model is asked."""

    max_new_tokens: int = Field(60, ge=1, le=1000)
    """Tokens of a caption at most."""

    top_p: float | None = Field(None, gt=0, le=1)
    """Sample from the likeliest tokens of this probability together; null: take the likeliest."""

    def problems(self) -> Iterator[tuple[str, str]]:
        """Beams search for the likeliest caption, which a sample is not."""
        if self.top_p is not None and self.num_beams > 1:
            yield "num_beams", "does not go with top_p, which samples"

    def files(self) -> list[str]:
        return image_text_files(self.model)

    def load(self) -> LoadedModel:
        """The model. Raises UserError too if its processor needs what is not installed."""
        from emaki.captioners._image_text_model import ImageTextModel

        return ImageTextModel(
            self.model,
            prompt=self.prompt,
            max_new_tokens=self.max_new_tokens,
            num_beams=self.num_beams,
            top_p=self.top_p,
            precision=self.precision,
        )
