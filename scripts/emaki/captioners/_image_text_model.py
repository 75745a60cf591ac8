"""A model of transformers' image-text-to-text class that captions pictures."""

from typing import Any

import torch
from PIL import Image
from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor

from emaki.captioners._generation import sample_nucleus
from emaki.common.devices import device, dtype
from emaki.common.errors import UserError


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
        try:
            config = AutoConfig.from_pretrained(folder, local_files_only=True)
            self.processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
            self.model: Any = AutoModelForImageTextToText.from_pretrained(
                folder,
                config=config,
                local_files_only=True,
                use_safetensors=True,
                dtype=dtype(precision),
            )
        except (OSError, ValueError, ImportError) as error:
            reason = " ".join(str(error).split())
            raise UserError(
                f"{folder} cannot be read as an image-text-to-text model: {reason}"
            ) from None
        self.device = device()
        self.model.eval().to(self.device)
        self.processor.tokenizer.padding_side = "left"  # a caption goes on from the prompt's end
        self.prompt = self._place_picture(prompt)
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

    def _place_picture(self, prompt: str) -> str:
        """The prompt with the picture's place in it, as the model was trained to read it."""
        if not self.processor.chat_template:
            return f"{getattr(self.processor, 'image_token', '')}{prompt}"
        content = [{"type": "image"}, {"type": "text", "text": prompt}]
        return self.processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True
        )
