"""What image-text-to-text models answer to questions about pictures."""

from collections.abc import Sequence
from typing import Any

import torch
from PIL.Image import Image

from emaki.common import image_text_models
from emaki.common.errors import UserError
from emaki.common.progress import bar

BATCH = 8  # such models are large
YES = ("Yes", "yes", " Yes", " yes")


@torch.inference_mode()
def chances_of_yes(
    images: Sequence[Image],
    questions: Sequence[str],
    folder: str,
    precision: str = "fp32",
    label: str = "",
) -> list[float]:
    """The probability that the answer about each RGB picture begins with yes, in 0..1.

    Raises UserError where the folder holds no such model, or it has no word for yes.
    """
    model, processor = image_text_models.load(folder, precision)
    yes = _tokens_of_yes(processor.tokenizer, folder)
    found: list[float] = []
    for start in bar(range(0, len(images), BATCH), unit="batches", label=label):
        part = slice(start, start + BATCH)
        inputs = processor(
            text=[image_text_models.place_picture(processor, text) for text in questions[part]],
            images=[[image] for image in images[part]],
            padding=True,
            return_tensors="pt",
        ).to(model.device, model.dtype)
        # one token, for which `generate` knows positions and decoders of all kinds
        answer = model.generate(
            **inputs,
            max_new_tokens=1,
            do_sample=False,
            num_beams=1,
            return_dict_in_generate=True,
            output_logits=True,
        )
        found += answer.logits[0].float().softmax(-1)[:, yes].sum(-1).tolist()
    return found


def _tokens_of_yes(tokenizer: Any, folder: str) -> list[int]:
    """The tokens that are a yes by themselves."""
    spelt = [tokenizer(word, add_special_tokens=False).input_ids for word in YES]
    found = {tokens[0] for tokens in spelt if len(tokens) == 1} - {tokenizer.unk_token_id}
    if not found:
        raise UserError(f"{folder} cannot be asked: its tokenizer has no token that says yes")
    return sorted(found)
