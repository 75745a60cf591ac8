"""Pictures and texts through a SiglipModel: SigLIP, and SigLIP 2 of a fixed resolution."""

from collections.abc import Sequence
from typing import Any

import torch
from PIL.Image import Image

from emaki.common.devices import device
from emaki.common.model_folders import check_type
from emaki.common.progress import bar
from emaki.evaluation.scoring import BATCH


@torch.inference_mode()
def cosines(
    images: Sequence[Image], texts: Sequence[str], folder: str, label: str = ""
) -> torch.Tensor:
    """The cosines (n,) of RGB pictures and their texts.

    `folder` is that of a SiglipModel with its tokenizer and processor.
    """
    from transformers import AutoTokenizer, SiglipModel
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    check_type(folder, "siglip")
    processor = SiglipImageProcessorPil.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model: Any = SiglipModel.from_pretrained(folder, use_safetensors=True, dtype=torch.float32)
    model.eval().to(device())
    length = model.config.text_config.max_position_embeddings
    found = []
    for start in bar(range(0, len(images), BATCH), unit="batches", label=label):
        # in small letters and to the full length, as it was trained
        batch = [text.lower() for text in texts[start : start + BATCH]]
        tokens = tokenizer(
            batch, padding="max_length", max_length=length, truncation=True, return_tensors="pt"
        )
        pixels = processor(list(images[start : start + BATCH]), return_tensors="pt")
        output = model(input_ids=tokens.input_ids.to(model.device), **pixels.to(model.device))
        found.append((output.image_embeds * output.text_embeds).sum(-1).cpu())
    return torch.cat(found)
