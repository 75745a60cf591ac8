"""A model of transformers' image-text-to-text class that captions pictures."""

import torch
from PIL import Image

from emaki.captioners._generation import sample_nucleus
from emaki.common import image_text_models


class ImageTextModel:
    """A model and its processor from a local folder, with the settings of a captioner.

    Code in the folder is never run. Raises UserError if the folder holds no such model or its
    processor needs what is not installed.
    """

    def __init__(
        self,
        folder: str,
        *,
        precision: str,
        prompt: str,
        top_p: float | None,
        max_new_tokens: int,
        num_beams: int,
    ) -> None:
        self.model, self.processor = image_text_models.load(folder, precision)
        self.device = self.model.device
        self.prompt = image_text_models.place_picture(self.processor, prompt)
        self.top_p = top_p
        self.settings = {
            "max_new_tokens": max_new_tokens,
            "num_beams": num_beams,
            "do_sample": False,
        }

    @torch.inference_mode()
    def caption(self, images: list[Image.Image], keys: list[str]) -> list[str]:
        """The captions of RGB images, "" where the model says nothing."""
        inputs = self.processor(
            text=[self.prompt] * len(images),
            images=[[image] for image in images],
            padding=True,
            return_tensors="pt",
        ).to(self.device, self.model.dtype)
        noise = {"logits_processor": sample_nucleus(keys, self.top_p)} if self.top_p else {}
        tokens = self.model.generate(**inputs, **noise, **self.settings)
        begun = 0 if self.model.config.is_encoder_decoder else inputs.input_ids.shape[1]
        return self.processor.batch_decode(tokens[:, begun:], skip_special_tokens=True)
