"""What a classifier of transformers reads in pictures: the chances of each attribute's values."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL.Image import Image
from transformers import AutoImageProcessor, AutoModelForImageClassification

from emaki.common.devices import device
from emaki.common.errors import UserError
from emaki.common.progress import bar
from emaki.evaluation.attributes import FILE, Attributes
from emaki.evaluation.scoring import BATCH


@torch.inference_mode()
def chances(
    images: Sequence[Image], attributes: Attributes, folder: str, label: str = ""
) -> np.ndarray:
    """The chances (pictures, labels) that each attribute of RGB pictures has each of its values.

    Those of an attribute add up to 1. Raises UserError where `folder` holds no such model, or one
    with another number of labels.
    """
    model, processor = _load(folder)
    sizes = [len(one.values) for one in attributes.attributes]
    if model.config.num_labels != sum(sizes):
        raise UserError(
            f"{folder}: {FILE} has {sum(sizes)} values, and the model {model.config.num_labels}"
            " labels: there must be one for each value"
        )
    found = []
    for start in bar(range(0, len(images), BATCH), unit="batches", label=label):
        pixels = processor(list(images[start : start + BATCH]), return_tensors="pt")
        logits = model(**pixels.to(model.device)).logits.float()
        found.append(torch.cat([part.softmax(-1) for part in logits.split(sizes, -1)], -1).cpu())
    return torch.cat(found).double().numpy()


def _load(folder) -> tuple[Any, Any]:
    try:
        processor = AutoImageProcessor.from_pretrained(folder, local_files_only=True, backend="pil")
        model: Any = AutoModelForImageClassification.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype=torch.float32
        )
    except (OSError, ValueError, ImportError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{folder} cannot be read as a classifier of pictures: {reason}") from None
    return model.eval().to(device()), processor
