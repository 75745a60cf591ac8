"""The tiny BLIP: transformers' `BlipForConditionalGeneration`, which writes captions."""

import json
import re
from collections.abc import Sequence
from typing import Any

import torch
from transformers import (
    BlipConfig,
    BlipForConditionalGeneration,
    BlipImageProcessorPil,
    BlipProcessor,
    BlipTextConfig,
    BlipVisionConfig,
)

from emaki.common.progress import bar
from emaki.tiny.corpus import RESOLUTION
from emaki.tiny.tokenizer import blip_tokenizer
from emaki.tiny.training import cosine, jitter

WIDTH = 128
LONGEST = 64  # tokens
IGNORED = -100  # the label that the loss leaves out


def build(texts: Sequence[str]) -> tuple[BlipForConditionalGeneration, BlipProcessor]:
    """A random model of width 128 that has the words of `texts`, and its processor."""
    tokenizer = blip_tokenizer(texts)
    layers: dict[str, Any] = {
        "hidden_size": WIDTH,
        "intermediate_size": 3 * WIDTH,
        "num_attention_heads": 4,
    }
    text = BlipTextConfig(
        **layers,
        vocab_size=len(tokenizer),
        encoder_hidden_size=WIDTH,
        num_hidden_layers=2,
        max_position_embeddings=LONGEST,
        bos_token_id=tokenizer.cls_token_id,
        eos_token_id=tokenizer.sep_token_id,
        sep_token_id=tokenizer.sep_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    vision = BlipVisionConfig(**layers, num_hidden_layers=3, image_size=RESOLUTION, patch_size=8)
    config = BlipConfig(text_config=text, vision_config=vision, projection_dim=WIDTH)
    images = BlipImageProcessorPil(
        size={"height": RESOLUTION, "width": RESOLUTION}, image_mean=[0.5] * 3, image_std=[0.5] * 3
    )
    return BlipForConditionalGeneration(config), BlipProcessor(images, tokenizer)


def train(
    pixels: torch.Tensor,
    texts: list[str],
    *,
    steps: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
) -> tuple[BlipForConditionalGeneration, BlipProcessor]:
    """Train on uint8 `pixels` (N, 3, 64, 64) and their `texts`; return model and processor."""
    torch.manual_seed(seed)
    model, processor = build(texts)
    encoded = processor.tokenizer(texts, padding=True, return_tensors="pt")
    optimizer = torch.optim.AdamW(model.parameters(), learning_rate, weight_decay=0.05, fused=True)
    schedule = cosine(optimizer, steps)
    for step in bar(range(steps), unit="steps", label="train tiny BLIP"):
        picked = torch.randint(len(texts), (batch_size,))
        mask = encoded.attention_mask[picked]
        longest = int(mask.sum(dim=1).max())
        ids, mask = encoded.input_ids[picked, :longest], mask[:, :longest]
        with torch.autocast("cpu", torch.bfloat16):
            loss = model(
                pixel_values=jitter(pixels[picked]),
                input_ids=ids,
                attention_mask=mask,
                labels=ids.masked_fill(mask == 0, IGNORED),
            ).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 99:
            print(json.dumps({"step": step + 1, "loss": round(loss.item(), 3)}), flush=True)
    return model.eval(), processor


def make_captions(texts: Sequence[str], sources: Sequence[str]) -> list[str]:
    """The texts as captions: a name alone, as "pig" or "a pig", becomes "a drawing of a pig"."""
    return [
        f"a drawing of a {text.removeprefix('a ')}" if source == "things" else text
        for text, source in zip(texts, sources, strict=True)
    ]


@torch.no_grad()
def write_captions(model: Any, tokenizer: Any, pictures: torch.Tensor) -> list[str]:
    """Greedy captions of float pictures (N, 3, 64, 64) in [-1, 1]."""
    ids = model.generate(pixel_values=pictures, do_sample=False, num_beams=1, max_length=LONGEST)
    return tokenizer.batch_decode(ids, skip_special_tokens=True)


def measure_agreement(
    written: Sequence[str], texts: Sequence[str], sources: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Per source the share of whole captions that are right, and of right words (as sets, F1)."""
    found: dict[str, list[tuple[bool, float]]] = {}
    for caption, text, source in zip(written, texts, sources, strict=True):
        ours, theirs = (set(re.findall(r"\w+", words.lower())) for words in (caption, text))
        f1 = 2 * len(ours & theirs) / max(len(ours) + len(theirs), 1)
        found.setdefault(source, []).append((ours == theirs, f1))
    return {
        source: {
            "captions": len(pairs),
            "exact": round(sum(exact for exact, _ in pairs) / len(pairs), 3),
            "f1": round(sum(f1 for _, f1 in pairs) / len(pairs), 3),
        }
        for source, pairs in found.items()
    }
