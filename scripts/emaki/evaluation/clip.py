"""Pictures and texts through a CLIPModel, as several measures need them."""

from collections.abc import Sequence

import torch
from PIL.Image import Image

from emaki.common.devices import device
from emaki.common.model_folders import check_type
from emaki.common.progress import bar
from emaki.evaluation.scoring import BATCH


@torch.inference_mode()
def cosines(
    images: Sequence[Image], texts: Sequence[str], folder: str, label: str = ""
) -> tuple[torch.Tensor, float]:
    """The cosines (n,) of pictures and their texts, and what the model multiplies them by.

    `images` are RGB pictures, `folder` that of a CLIPModel with its tokenizer and processor; the
    factor makes the model's logits of cosines.
    """
    from transformers import CLIPTokenizer

    model, processor = _load(folder)
    tokenizer = CLIPTokenizer.from_pretrained(folder)
    found = []
    for start in bar(range(0, len(images), BATCH), unit="batches", label=label):
        batch = list(texts[start : start + BATCH])
        tokens = tokenizer(batch, padding="max_length", truncation=True, return_tensors="pt")
        pixels = processor(images[start : start + BATCH], return_tensors="pt")
        output = model(**tokens.to(model.device), **pixels.to(model.device))
        found.append((output.image_embeds * output.text_embeds).sum(-1).cpu())
    return torch.cat(found), model.logit_scale.exp().item()


@torch.inference_mode()
def embeddings(images: Sequence[Image], folder: str, label: str = "") -> list[list[float]]:
    """The embeddings of RGB pictures by a CLIPModel: lists of d floats, of length one."""
    model, processor = _load(folder)
    found = []
    for start in bar(range(0, len(images), BATCH), unit="batches", label=label):
        pixels = processor(images[start : start + BATCH], return_tensors="pt").to(model.device)
        embedded = model.get_image_features(**pixels).pooler_output
        # as the model's own `forward` does it, which rounds otherwise than `norm`
        length = embedded.pow(2).sum(dim=-1, keepdim=True).pow(0.5)
        found += (embedded / length).tolist()
    return found


def _load(folder):
    """A CLIPModel and its image processor."""
    from transformers import CLIPModel
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    check_type(folder, "clip")
    model = CLIPModel.from_pretrained(folder, use_safetensors=True, dtype=torch.float32)
    return model.eval().to(device()), CLIPImageProcessorPil.from_pretrained(folder)
