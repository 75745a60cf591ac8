"""The tiny classifier: a ResNet of transformers that reads what rooms, critters and things show."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.nn.functional import conv2d, cross_entropy, grid_sample, interpolate, pad
from transformers import ResNetConfig, ResNetForImageClassification
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from emaki.common.progress import bar
from emaki.evaluation.attributes import Attribute, Attributes
from emaki.tiny.corpus import RESOLUTION
from emaki.tiny.training import cosine, jitter

IGNORED = -100  # the label of an attribute that a picture does not have
BLUR, NOISE, WARP = 1.2, 12.0, 1.5  # at most: pixels, of 255, pixels


def read_settings(entries: Sequence[dict[str, Any]]) -> tuple[Attributes, dict[str, str]]:
    """The attributes of config/tiny.yaml, and of each the value that goes without saying."""
    kept = [{key: value for key, value in e.items() if key != "unsaid"} for e in entries]
    unsaid = {entry["name"]: entry["unsaid"] for entry in entries if "unsaid" in entry}
    return Attributes.model_validate({"attributes": kept}), unsaid


def build(
    attributes: Attributes, channels: Sequence[int]
) -> tuple[ResNetForImageClassification, ViTImageProcessorPil]:
    """A random ResNet with a label for each value, and its processor.

    `channels` are the widths of its stages, at 16, 8, 4 and 2 px.
    """
    names = [f"{name}: {value}" for name, value in attributes.columns]
    config = ResNetConfig(
        embedding_size=channels[0],
        hidden_sizes=list(channels),
        depths=[1] * len(channels),
        layer_type="basic",
        id2label=dict(enumerate(names)),
        label2id={name: number for number, name in enumerate(names)},
    )
    size = {"height": RESOLUTION, "width": RESOLUTION}
    processor = ViTImageProcessorPil(size=size, image_mean=[0.5] * 3, image_std=[0.5] * 3)
    return ResNetForImageClassification(config), processor


def truth(attributes: Attributes, unsaid: Mapping[str, str], texts: Sequence[str]) -> torch.Tensor:
    """What full captions say: the number of each attribute's value (pictures, attributes).

    What a caption does not name has the value that is `unsaid`, {attribute: value}; it is IGNORED
    where a picture has none.
    """
    return torch.tensor([_values(attributes, unsaid, text) for text in texts])


def _values(attributes, unsaid, text):
    named = attributes.named(text)
    has = unsaid | {name: values[0] for name, values in named.items()}
    return [
        one.values.index(has[one.name])
        if one.name in has and all(has.get(name) == value for name, value in one.of.items())
        else IGNORED
        for one in attributes.attributes
    ]


def weigh(sources: Sequence[str], shares: Mapping[str, float]) -> torch.Tensor:
    """The weights (pictures,) by which each source has its share, of pictures' sources."""
    return torch.tensor([shares[name] / sources.count(name) for name in sources])


def train(
    pixels: torch.Tensor,
    attributes: Attributes,
    targets: torch.Tensor,
    weights: torch.Tensor,
    *,
    channels: Sequence[int],
    steps: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
) -> tuple[ResNetForImageClassification, ViTImageProcessorPil]:
    """Train on uint8 `pixels` (N, 3, 64, 64) and what `truth` says of them.

    `weights` (N,) are the chances with which pictures are drawn, but for a factor. Pictures are
    damaged as drawn ones are imperfect. The loss is the sum over the attributes that a picture has.
    """
    torch.manual_seed(seed)
    model, processor = build(attributes, channels)
    model.train().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), learning_rate, weight_decay=0.05, fused=True)
    schedule = cosine(optimizer, steps)
    for step in bar(range(steps), unit="steps", label="train tiny classifier"):
        picked = torch.multinomial(weights, batch_size, replacement=True)
        worn = wear(jitter(pixels[picked])).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(pixel_values=worn).logits
        loss = _loss(logits.float(), attributes, targets[picked])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 99:
            print(json.dumps({"step": step + 1, "loss": round(loss.item(), 3)}), flush=True)
    return model.eval(), processor


def wear(pictures: torch.Tensor) -> torch.Tensor:
    """Float pictures (N, 3, H, W) in [-1, 1], each warped, blurred and made noisy by chance."""
    count, _, height, width = pictures.shape
    rows, columns = (torch.linspace(-1, 1, size) for size in (height, width))
    grid = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1)
    shifts = interpolate(torch.randn(count, 2, 4, 4), (height, width), mode="bicubic")
    scale = torch.rand(count, 1, 1, 1) * WARP * 2 / width
    warped = grid_sample(
        pictures,
        grid + scale * shifts.permute(0, 2, 3, 1),
        padding_mode="border",
        align_corners=True,
    )
    blurred = blur(warped, BLUR)
    mixed = torch.lerp(warped, blurred, torch.rand(count, 1, 1, 1))
    noise = torch.randn_like(mixed) * torch.rand(count, 1, 1, 1) * NOISE / 127.5
    return (mixed + noise).clamp(-1, 1)


def blur(pictures: torch.Tensor, sigma: float) -> torch.Tensor:
    """Pictures (N, C, H, W) after a Gaussian blur of `sigma` pixels."""
    reach = int(3 * sigma + 0.5)
    weights = torch.exp(-(torch.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    weights = weights / weights.sum()
    channels = pictures.shape[1]
    padded = pad(pictures, (reach,) * 4, mode="replicate")
    for shape in ((1, 1, -1, 1), (1, 1, 1, -1)):
        kernel = weights.reshape(shape).expand(channels, *([-1] * 3))
        padded = conv2d(padded, kernel, groups=channels)
    return padded


def _loss(logits, attributes, targets):
    """The cross-entropy of all attributes that pictures have, over the number of pictures."""
    parts = logits.split([len(one.values) for one in attributes.attributes], 1)
    losses = [
        cross_entropy(part, own, ignore_index=IGNORED, reduction="sum")
        for part, own in zip(parts, targets.unbind(1))
    ]
    return torch.stack(losses).sum() / len(targets)


@torch.no_grad()
def measure_accuracy(
    model: Any, attributes: Attributes, pictures: torch.Tensor, targets: torch.Tensor
) -> dict[str, float]:
    """{attribute: the share that is read right} of float pictures that have it, in [-1, 1]."""
    logits = torch.cat([model(pixel_values=part).logits for part in pictures.split(64)])
    parts = logits.split([len(one.values) for one in attributes.attributes], 1)
    found = {}
    for one, part, own in zip(attributes.attributes, parts, targets.unbind(1)):
        has = own != IGNORED
        found[one.name] = round(float((part.argmax(1) == own)[has].float().mean()), 3)
    return found


def with_accuracy(attributes: Attributes, accuracy: Mapping[str, float]) -> Attributes:
    """The attributes, each with how often it is read right."""
    found: list[Attribute] = [
        one.model_copy(update={"accuracy": accuracy[one.name]}) for one in attributes.attributes
    ]
    return Attributes(attributes=found)
