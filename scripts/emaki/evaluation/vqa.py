"""What image-text-to-text models answer to questions about pictures."""

from collections.abc import Sequence
from typing import Any

import torch
from PIL.Image import Image

from emaki.common import image_text_models
from emaki.common.batching import filled
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
    asked = [image_text_models.place_picture(processor, text) for text in questions]
    found = [0.0] * len(asked)
    for rows in bar(_batches(processor.tokenizer(asked).input_ids), unit="batches", label=label):
        full = filled(rows, BATCH)
        inputs = processor(
            text=[asked[row] for row in full],
            images=[[images[row]] for row in full],
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
        for row, chances in zip(rows, answer.logits[0].float().softmax(-1)):
            found[row] = chances[yes].sum().item()
    return found


def _batches(questions: Sequence[Sequence[int]]) -> list[list[int]]:
    """Questions, as tokens, by their places: those of one length together.

    Nothing is padded then, so that an answer does not depend on what else is asked.
    """
    alike: dict[int, list[int]] = {}
    for place, tokens in enumerate(questions):
        alike.setdefault(len(tokens), []).append(place)
    return [
        places[start : start + BATCH]
        for places in alike.values()
        for start in range(0, len(places), BATCH)
    ]


def _tokens_of_yes(tokenizer: Any, folder: str) -> list[int]:
    """The tokens that are a yes by themselves."""
    spelt = [tokenizer(word, add_special_tokens=False).input_ids for word in YES]
    found = {tokens[0] for tokens in spelt if len(tokens) == 1} - {tokenizer.unk_token_id}
    if not found:
        raise UserError(f"{folder} cannot be asked: its tokenizer has no token that says yes")
    return sorted(found)
