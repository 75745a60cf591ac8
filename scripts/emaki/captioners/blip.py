"""Captions by BLIP (Li et al. 2022, arXiv:2201.12086), decoded as kohya_ss's scripts do it."""

import torch
from transformers import BlipForConditionalGeneration, BlipProcessor

from emaki.captioners.generation import PRECISIONS, nucleus
from emaki.common.errors import UserError
from emaki.common.model_folders import check_type, device

LENGTHS = {"min_length": 5, "max_length": 75}  # in tokens, the prompt's among them
PRESETS = {
    # its window asks for "beam search" and leaves the number of beams at one, which is greedy
    "kohya_gui": LENGTHS,
    # finetune/make_captions.py: nucleus sampling
    "kohya_cli": {"repetition_penalty": 1.1, **LENGTHS},
}
# top_k 50 was transformers' silent default
NUCLEI = {"kohya_cli": {"top_p": 0.9, "top_k": 50}}


class Captioner:
    """A BLIP model from a local folder.

    `prompt` begins every caption and is cut from it, as kohya does with "a picture of "; None lets
    the model begin by itself, for one that was trained without. `num_beams` above one searches
    for the likeliest caption, with preset kohya_gui. `precision` is that of the model's weights
    and sums. Raises UserError if the folder holds no BLIP or the prompt has words that its
    vocabulary lacks.
    """

    def __init__(self, model, preset="kohya_gui", prompt=None, num_beams=1, precision="fp32"):
        check_type(model, "blip")
        self.device = device()
        self.processor = BlipProcessor.from_pretrained(model, local_files_only=True)
        self.model = BlipForConditionalGeneration.from_pretrained(
            model, local_files_only=True, use_safetensors=True, dtype=PRECISIONS[precision]
        )
        self.model.eval().to(self.device)
        longest = self.model.config.text_config.max_position_embeddings
        self.settings = {
            **PRESETS[preset],
            "max_length": min(LENGTHS["max_length"], longest),
            "num_beams": num_beams,
            "do_sample": False,
        }
        self.nucleus = NUCLEI.get(preset)
        self.prompt = self._prompt_ids(model, prompt) if prompt else None

    @torch.inference_mode()
    def caption(self, images, keys):
        """The captions of RGB images, "" where the model says nothing.

        Sampling is seeded by each picture's own key: what a picture is called does not depend on
        its company.
        """
        pixels = self.processor.image_processor(images=images, return_tensors="pt").pixel_values
        more = {"logits_processor": nucleus(keys, **self.nucleus)} if self.nucleus else {}
        if self.prompt is not None:
            more["input_ids"] = self.prompt.repeat(len(images), 1)
        tokens = self.model.generate(
            pixel_values=pixels.to(self.device, self.model.dtype), **more, **self.settings
        )
        begun = 1 if self.prompt is None else self.prompt.shape[1] - 1
        return self.processor.tokenizer.batch_decode(tokens[:, begun:], skip_special_tokens=True)

    def _prompt_ids(self, model, prompt):
        """Token ids (1, n) with the special tokens at both ends, as `generate` wants them."""
        tokenizer = self.processor.tokenizer
        ids = tokenizer(prompt.strip(), return_tensors="pt").input_ids.to(self.device)
        if (ids == tokenizer.unk_token_id).any():
            raise UserError(f"{model} lacks words of the prompt {prompt!r}: leave it out")
        return ids
