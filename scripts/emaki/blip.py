"""Captions by BLIP (Li et al. 2022, arXiv:2201.12086), decoded as kohya_ss's scripts do it."""

import hashlib
import json
from pathlib import Path

import pyarrow.parquet as pq
import torch
from PIL import Image
from transformers import BlipForConditionalGeneration, BlipProcessor

from emaki.errors import UserError

LENGTHS = {"min_length": 5, "max_length": 75}  # in tokens, the prompt's among them
PRESETS = {
    # its window asks for "beam search" and leaves the number of beams at one, which is greedy
    "kohya_gui": {"do_sample": False, "num_beams": 1, **LENGTHS},
    # finetune/make_captions.py: nucleus sampling; top_k 50 was transformers' silent default
    "kohya_cli": {
        "do_sample": True,
        "top_p": 0.9,
        "top_k": 50,
        "repetition_penalty": 1.1,
        **LENGTHS,
    },
}
SEED = 42  # kohya's


class Captioner:
    """A BLIP model from a local folder.

    `prompt` begins every caption and is cut from it, as kohya does with "a picture of "; None lets
    the model begin by itself, for one that was trained without. Raises UserError if the folder
    holds no BLIP or the prompt has words that its vocabulary lacks.
    """

    def __init__(self, model, preset="kohya_gui", prompt=None):
        _check(model)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.processor = BlipProcessor.from_pretrained(model, local_files_only=True)
        self.model = BlipForConditionalGeneration.from_pretrained(
            model, local_files_only=True, use_safetensors=True, dtype=torch.float32
        )
        self.model.eval().to(self.device)
        longest = self.model.config.text_config.max_position_embeddings
        self.settings = PRESETS[preset] | {"max_length": min(LENGTHS["max_length"], longest)}
        self.prompt = self._prompt_ids(model, prompt) if prompt else None

    def caption(self, image, key):
        """The caption of an RGB image, None if the model says nothing.

        Sampling is seeded by `key`, and pictures are not batched: what a picture is called does
        not depend on its company.
        """
        pixels = self.processor.image_processor(images=image, return_tensors="pt").pixel_values
        prompt = {} if self.prompt is None else {"input_ids": self.prompt.clone()}
        with torch.random.fork_rng(), torch.inference_mode():
            torch.manual_seed(_seed(key))
            tokens = self.model.generate(
                pixel_values=pixels.to(self.device), **prompt, **self.settings
            )[0]
        begun = 1 if self.prompt is None else self.prompt.shape[1] - 1
        text = self.processor.tokenizer.decode(tokens[begun:], skip_special_tokens=True)
        return " ".join(text.split()) or None

    def _prompt_ids(self, model, prompt):
        """Token ids (1, n) with the special tokens at both ends, as `generate` wants them."""
        tokenizer = self.processor.tokenizer
        ids = tokenizer(prompt.strip(), return_tensors="pt").input_ids.to(self.device)
        if (ids == tokenizer.unk_token_id).any():
            raise UserError(f"{model} lacks words of the prompt {prompt!r}: leave it out")
        return ids


def captions(images, captioner):
    """Yield (id, caption or None) for the pictures of a folder of the images stage."""
    table = pq.read_table(Path(images) / "metadata.parquet", columns=["id", "file", "sha256"])
    for row in table.to_pylist():
        with Image.open(Path(images) / "pictures" / row["file"]) as image:
            yield row["id"], captioner.caption(image.convert("RGB"), row["sha256"])


def _check(model):
    config = Path(model) / "config.json"
    if not config.is_file():
        raise UserError(f"there is no BLIP model in {model}: config.json is missing")
    kind = json.loads(config.read_text("utf-8")).get("model_type")
    if kind != "blip":
        raise UserError(f"{model} holds a model of type {kind!r}, not 'blip'")


def _seed(key):
    return int.from_bytes(hashlib.sha256(f"{SEED} {key}".encode()).digest()[:8]) >> 1
