"""Random Stable Diffusion models and drawn pictures: as fast to train as real ones."""

import io
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/training"))

# Of encode + text + U-Net forward and backward, by FLOPs at 512 px. The text encoder's share is
# 0.004 there, so it is as small as can be here.
VAE_SHARE_OF_SD14 = 0.32
SIZE = 64
BATCH = 8
TEXT_WIDTH = 64
WORDS = ["red", "blue", "small", "wooden", "living", "room", "with", "couch", "lamp", "window"]


def make_model(folder, vae_share=None):
    """Write a StableDiffusionPipeline folder; return its size and where a step's time goes.

    The U-Net has about 4 M parameters, the pictures 64 px. With `vae_share` the VAE is as wide
    as it must be for that share of the CPU seconds of encode, text and U-Net.
    """
    import torch
    from diffusers import DDPMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from small import make_tokenizer
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(0)
    torch.set_num_threads(1)
    tokenizer = make_tokenizer(folder / "words", longest=77)
    text_encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=TEXT_WIDTH,
            intermediate_size=TEXT_WIDTH,
            num_hidden_layers=1,
            num_attention_heads=2,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    unet = UNet2DConditionModel(
        sample_size=SIZE // 4,
        layers_per_block=1,
        block_out_channels=(48, 96, 128),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=4,
        norm_num_groups=16,
    )
    times = {"text": seconds_of_text(text_encoder), "unet": seconds_of_unet(unet)}
    vae = make_vae(16)
    if vae_share:
        wanted = vae_share / (1 - vae_share) * sum(times.values())
        vae = min(
            (make_vae(width) for width in range(8, 65, 4)),
            key=lambda vae: abs(seconds_of_vae(vae) - wanted),
        )
    times["vae"] = seconds_of_vae(vae)
    pipeline = StableDiffusionPipeline(
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear"),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder / "model")
    return {
        "unet_parameters": sum(p.numel() for p in unet.parameters()),
        "shares_of_cpu_seconds": {
            part: round(time / sum(times.values()), 3) for part, time in times.items()
        },
    }


def make_vae(width):
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(width, 2 * width, 2 * width),
        latent_channels=4,
        norm_num_groups=4,
        sample_size=SIZE,
        mid_block_add_attention=False,
    )


def seconds_of_text(text_encoder):
    """CPU seconds to embed a batch of captions."""
    import torch

    words = torch.zeros(BATCH, 77, dtype=torch.int64)
    with torch.no_grad():
        return seconds(lambda: text_encoder(words))


def seconds_of_unet(unet):
    """CPU seconds for the U-Net's forward and backward pass of a batch."""
    import torch

    latents = torch.randn(BATCH, 4, SIZE // 4, SIZE // 4)
    text = torch.randn(BATCH, 77, TEXT_WIDTH)
    return seconds(lambda: unet(latents, torch.tensor([1]), text).sample.mean().backward())


def seconds_of_vae(vae):
    """CPU seconds to encode a batch."""
    import torch

    pictures = torch.randn(BATCH, 3, SIZE, SIZE)
    with torch.no_grad():
        return seconds(lambda: vae.encode(pictures))


def seconds(function, repeats=4):
    """The least CPU time of a call."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times)


def make_dataset(folder, count=200, widths=1):
    """Write the same drawn pictures for both: parquet here, image folder for diffusers' script.

    They are of as many different widths, the smallest of which makes them squares.
    """
    import random

    import pyarrow as pa
    import pyarrow.parquet as pq
    from PIL import Image, ImageDraw

    draw = random.Random(0)
    rows, lines = [], []
    (folder / "ours/data").mkdir(parents=True)
    (folder / "theirs").mkdir()
    for number in range(count):
        width = SIZE + 4 * (number % widths)  # where to cut, both round alike
        image = Image.new("RGB", (width, SIZE), tuple(draw.choices(range(256), k=3)))
        corners = sorted(draw.choices(range(SIZE), k=2)) + sorted(draw.choices(range(SIZE), k=2))
        box = (corners[0], corners[2], corners[1], corners[3])
        ImageDraw.Draw(image).ellipse(box, fill=tuple(draw.choices(range(256), k=3)))
        data = io.BytesIO()
        image.save(data, "PNG")
        name, text = f"{number:04d}.png", " ".join(draw.choices(WORDS, k=10))
        picture = {"bytes": data.getvalue(), "path": None}
        rows.append({"id": f"{number:04d}", "image": picture, "text": text})
        (folder / "theirs" / name).write_bytes(data.getvalue())
        lines.append(json.dumps({"file_name": name, "text": text}))
    (folder / "theirs/metadata.jsonl").write_text("\n".join(lines) + "\n")
    pq.write_table(pa.Table.from_pylist(rows), folder / "ours/data/train.parquet")
    pq.write_table(pa.Table.from_pylist(rows[:2]), folder / "ours/data/validation.parquet")
