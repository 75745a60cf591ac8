"""BLIP (Li et al. 2022, arXiv:2201.12086), decoded as kohya_ss's scripts do it."""

from typing import Any

import torch
from PIL import Image
from transformers import BlipForConditionalGeneration, BlipProcessor

from emaki.captioners._generation import sample_nucleus
from emaki.common.devices import device, dtype
from emaki.common.errors import UserError
from emaki.common.model_folders import check_type

LENGTHS = {"min_length": 5, "max_length": 75}  # in tokens, the prompt's among them
PRESETS: dict[str, dict[str, Any]] = {
    # its window asks for "beam search" and leaves the number of beams at one, which is greedy
    "kohya_gui": LENGTHS,
    # finetune/make_captions.py: nucleus sampling
    "kohya_cli": {"repetition_penalty": 1.1, **LENGTHS},
}
# top_k 50 was transformers' silent default
NUCLEI: dict[str, dict[str, Any]] = {"kohya_cli": {"top_p": 0.9, "top_k": 50}}


class BlipModel:
    """A BLIP model from a local folder, with the settings of a captioner.

    Raises UserError if the folder holds no BLIP or the prompt has words that its vocabulary lacks.
    """

    def __init__(
        self,
        folder: str,
        *,
        precision: str,
        preset: str,
        num_beams: int,
        prompt: str | None,
    ) -> None:
        check_type(folder, "blip")
        self.device = device()
        self.processor: Any = BlipProcessor.from_pretrained(folder, local_files_only=True)
        model: Any = BlipForConditionalGeneration.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            dtype=dtype(precision),
        )
        self.model = model.eval().to(self.device)
        longest = self.model.config.text_config.max_position_embeddings
        self.settings = {
            **PRESETS[preset],
            "max_length": min(LENGTHS["max_length"], longest),
            "num_beams": num_beams,
            "do_sample": False,
        }
        self.nucleus = NUCLEI.get(preset)
        self.prompt = self._encode_prompt(folder, prompt) if prompt else None

    @torch.inference_mode()
    def caption(self, images: list[Image.Image], keys: list[str]) -> list[str]:
        """The captions of RGB images, "" where the model says nothing."""
        pixels = self.processor.image_processor(images=images, return_tensors="pt").pixel_values
        more: dict[str, Any] = {}
        if self.nucleus:
            more["logits_processor"] = sample_nucleus(keys, **self.nucleus)
        if self.prompt is not None:
            more["input_ids"] = self.prompt.repeat(len(images), 1)
        tokens = self.model.generate(
            pixel_values=pixels.to(self.device, self.model.dtype), **more, **self.settings
        )
        begun = 1 if self.prompt is None else self.prompt.shape[1] - 1
        return self.processor.tokenizer.batch_decode(tokens[:, begun:], skip_special_tokens=True)

    def _encode_prompt(self, folder: str, prompt: str) -> torch.Tensor:
        """Token ids (1, n) with the special tokens at both ends, as `generate` wants them."""
        tokenizer = self.processor.tokenizer
        ids = tokenizer(prompt.strip(), return_tensors="pt").input_ids.to(self.device)
        if (ids == tokenizer.unk_token_id).any():
            raise UserError(f"{folder} lacks words of the prompt {prompt!r}: leave it out")
        return ids
