"""The tiny CLIP: transformers' `CLIPModel`, whose text half also guides the tiny U-Net."""

import json
import random
from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPProcessor,
    CLIPTextConfig,
    CLIPVisionConfig,
)

from emaki.common.progress import bar
from emaki.tiny.corpus import RESOLUTION
from emaki.tiny.tokenizer import clip_tokenizer
from emaki.tiny.training import cosine, jitter

MEAN, DEVIATION = [0.5] * 3, [0.5] * 3
WIDTH = 128


def build(vocabulary: int) -> tuple[CLIPModel, CLIPProcessor]:
    """A random CLIPModel of width 128 and its processor."""
    tokenizer = clip_tokenizer(vocabulary)
    layers: dict[str, Any] = {
        "hidden_size": WIDTH,
        "num_attention_heads": 4,
        "projection_dim": WIDTH,
    }
    text = CLIPTextConfig(
        **layers,
        vocab_size=len(tokenizer),
        intermediate_size=3 * WIDTH,
        num_hidden_layers=3,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    vision = CLIPVisionConfig(
        **layers,
        intermediate_size=3 * WIDTH,
        num_hidden_layers=4,
        image_size=RESOLUTION,
        patch_size=8,
    )
    size = {"height": RESOLUTION, "width": RESOLUTION}
    images = CLIPImageProcessorPil(
        size={"shortest_edge": RESOLUTION}, crop_size=size, image_mean=MEAN, image_std=DEVIATION
    )
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=WIDTH)
    return CLIPModel(config), CLIPProcessor(images, tokenizer)


def train(
    pixels: torch.Tensor,
    texts: Sequence[str],
    sources: Sequence[str],
    *,
    vocabulary: int,
    steps: int,
    picture_steps: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
) -> tuple[CLIPModel, CLIPProcessor]:
    """Train contrastively on uint8 `pixels` (N, 3, 64, 64) and `texts`; return model, processor.

    After `steps` the text half is done and frozen, and the picture half alone goes on for
    `picture_steps` (Zhai et al. 2021, arXiv:2111.07991, lock the other half).
    """
    torch.manual_seed(seed)
    chance = random.Random(seed)
    model, processor = build(vocabulary)
    data = (pixels, tokenize(processor.tokenizer, texts), sources)
    fit(model, *data, steps, batch_size, learning_rate, chance)
    for part in (model.text_model, model.text_projection):
        part.requires_grad_(False)
    fit(model, *data, picture_steps, batch_size, learning_rate, chance)
    return model.eval(), processor


def fit(
    model: CLIPModel,
    pixels: torch.Tensor,
    tokens: torch.Tensor,
    sources: Sequence[str],
    steps: int,
    batch_size: int,
    learning_rate: float,
    chance: random.Random,
) -> None:
    """Train what is not frozen for `steps` on `pixels` (N, 3, 64, 64) and `tokens` (N, 77).

    Two batches in three come from one source, so that details must tell the pictures apart;
    the third from all. Pictures with the same text count as each other's match.
    """
    groups = [[n for n, at in enumerate(sources) if at == name] for name in dict.fromkeys(sources)]
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, learning_rate, weight_decay=0.1, fused=True)
    schedule = cosine(optimizer, steps)
    for step in bar(range(steps), unit="steps", label="train tiny CLIP"):
        pool: Sequence[int] = chance.choice(groups) if step % 3 else range(len(tokens))
        picked = chance.choices(pool, k=batch_size)
        loss = contrastive_loss(model, jitter(pixels[picked]), tokens[picked])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        schedule.step()
        model.logit_scale.data.clamp_(max=4.6)  # 100, as in CLIP's paper
        if step % 100 < 3:
            print(json.dumps({"step": step + 1, "loss": round(loss.item(), 3)}), flush=True)


def contrastive_loss(model: Any, pictures: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """Symmetric cross-entropy; the target is spread evenly over equal texts."""
    tokens = tokens[:, : used_length(model, tokens)]
    with torch.autocast("cpu", torch.bfloat16):
        result = model(input_ids=tokens, pixel_values=pictures)
    logits = result.logits_per_image.float()
    same = (tokens[:, None] == tokens[None]).all(dim=2).float()
    target = same / same.sum(dim=1, keepdim=True)
    return (cross_entropy(logits, target) + cross_entropy(logits.T, target)) / 2


def tokenize(tokenizer: Any, texts: Sequence[str]) -> torch.Tensor:
    """Token ids (N, 77), padded with the end token."""
    encoded = tokenizer(list(texts), padding="max_length", truncation=True, return_tensors="pt")
    return encoded.input_ids


def used_length(model: Any, tokens: torch.Tensor) -> int:
    """Positions up to the last first end token: attention is causal, so the rest is not read."""
    ends = tokens == model.config.text_config.eos_token_id
    return int(ends.int().argmax(dim=1).max()) + 1


@torch.no_grad()
def measure_retrieval(
    model: Any, tokenizer: Any, pictures: torch.Tensor, texts: Sequence[str]
) -> float:
    """How often the right one of the distinct `texts` is nearest to its picture (top-1)."""
    tokens = tokenize(tokenizer, texts)
    logits = model(input_ids=tokens, pixel_values=pictures).logits_per_image
    return float((logits.argmax(dim=1) == torch.arange(len(texts))).float().mean())
