"""Random Stable Diffusion models and drawn pictures: as fast to train as real ones."""

import io
import json
import time

VAE_SHARE_OF_SD14 = 0.32  # of encode + text + U-Net forward and backward, by FLOPs at 512 px
SIZE = 64
BATCH = 8
WORDS = ["red", "blue", "small", "wooden", "living", "room", "with", "couch", "lamp", "window"]


def make_model(folder, vae_share=None):
    """Write a StableDiffusionPipeline folder and return what it is.

    The U-Net has about 4 M parameters, the pictures 64 px. With `vae_share` the VAE is as wide
    as it must be for that share of the CPU seconds of encode, text and U-Net.
    """
    import torch
    from diffusers import DDPMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(0)
    torch.set_num_threads(1)
    tokenizer = make_tokenizer(folder / "words")
    text_encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=256,
            intermediate_size=1024,
            num_hidden_layers=4,
            num_attention_heads=4,
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
        cross_attention_dim=256,
        attention_head_dim=4,
        norm_num_groups=16,
    )
    others = seconds_of_step(unet, text_encoder)
    vae = make_vae(16)
    if vae_share:
        widths = range(8, 65, 8)
        shares = {w: seconds_of_vae(make_vae(w)) for w in widths}
        width = min(widths, key=lambda w: abs(shares[w] / (shares[w] + others) - vae_share))
        vae = make_vae(width)
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
    encode = seconds_of_vae(vae)
    return {
        "unet_parameters": sum(p.numel() for p in unet.parameters()),
        "vae_share_of_cpu_seconds": round(encode / (encode + others), 3),
    }


def make_vae(width):
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(width, 2 * width, 2 * width),
        latent_channels=4,
        norm_num_groups=8,
        sample_size=SIZE,
        mid_block_add_attention=False,
    )


def make_tokenizer(folder):
    from transformers import CLIPTokenizer

    letters = "abcdefghijklmnopqrstuvwxyz"
    tokens = [*letters, *(f"{letter}</w>" for letter in letters)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True)
    (folder / "vocab.json").write_text(json.dumps({t: i for i, t in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer(
        str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=77
    )


def seconds_of_step(unet, text_encoder):
    """CPU seconds for a batch of the text encoder and the U-Net's forward and backward pass."""
    import torch

    latents = torch.randn(BATCH, 4, SIZE // 4, SIZE // 4)
    words = torch.zeros(BATCH, 77, dtype=torch.int64)

    def step():
        with torch.no_grad():
            text = text_encoder(words).last_hidden_state
        unet(latents, torch.tensor([1]), text).sample.mean().backward()

    return seconds(step)


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


def make_dataset(folder, count=200):
    """Write the same drawn pictures for both: parquet here, image folder for diffusers' script."""
    import random

    import pyarrow as pa
    import pyarrow.parquet as pq
    from PIL import Image, ImageDraw

    draw = random.Random(0)
    rows, lines = [], []
    (folder / "ours/data").mkdir(parents=True)
    (folder / "theirs").mkdir()
    for number in range(count):
        image = Image.new("RGB", (SIZE, SIZE), tuple(draw.choices(range(256), k=3)))
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
