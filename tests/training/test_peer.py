"""Fifty steps follow diffusers' script, written here a second time from its source.

Its pixels are encoded in every step by its VAE and text encoder, its scheduler adds the noise,
its average is EMAModel; only the random numbers are ours.
"""

import json

import pytest
import torch
from small import SIZE

from emaki.training import loop, order, settings
from emaki.training.encoding import read, to_pixels

STEPS, BATCH, PARTS = 50, 2, 2
RUN = {
    "method": "full",
    "resolution": SIZE,
    "batch_size": BATCH,
    "gradient_accumulation_steps": PARTS,
    "learning_rate": 1e-3,
    "lr_scheduler": "cosine",
    "lr_warmup_steps": 10,
    "lr_total_steps": 60,
    "random_flip": True,
    "snr_gamma": 5.0,
    "ema": {"preset": "diffusers"},
    "seed": 11,
}


def peer(model, dataset):
    """Train as train_text_to_image.py does; return losses, weights and averages."""
    from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
    from diffusers.optimization import get_scheduler
    from diffusers.training_utils import EMAModel, compute_snr
    from transformers import CLIPTextModel, CLIPTokenizer

    scheduler = DDPMScheduler.from_pretrained(model, subfolder="scheduler")
    tokenizer = CLIPTokenizer.from_pretrained(model, subfolder="tokenizer")
    text_encoder = CLIPTextModel.from_pretrained(model, subfolder="text_encoder")
    vae = AutoencoderKL.from_pretrained(model, subfolder="vae")
    unet = UNet2DConditionModel.from_pretrained(model, subfolder="unet").train()
    ema = EMAModel(unet.parameters())
    optimizer = torch.optim.AdamW(unet.parameters(), lr=1e-3, weight_decay=1e-2)
    schedule = get_scheduler("cosine", optimizer, num_warmup_steps=10, num_training_steps=60)
    rows, losses = read(dataset, "train", ["image", "text"]), []
    for step in range(STEPS):
        draws = draws_of_step(step, len(rows))
        loss_of_step = 0.0
        for part in range(PARTS):
            here = slice(part * BATCH, (part + 1) * BATCH)
            chosen = [rows[row] for row in draws["rows"][here]]
            pixels = torch.stack([to_pixels(row["image"]["bytes"], SIZE) for row in chosen])
            pixels = torch.where(draws["flip"][here], pixels.flip(3), pixels)
            words = tokenizer(
                [r["text"] for r in chosen], padding="max_length", return_tensors="pt"
            )
            with torch.no_grad():
                posterior = vae.encode(pixels).latent_dist
                latents = posterior.mean + posterior.std * draws["posterior"][here]
                latents = latents * vae.config.scaling_factor
                text = text_encoder(words.input_ids)[0]
            noise, timesteps = draws["noise"][here], draws["timesteps"][here]
            prediction = unet(scheduler.add_noise(latents, noise, timesteps), timesteps, text)[0]
            snr = compute_snr(scheduler, timesteps)
            weights = torch.stack([snr, 5.0 * torch.ones_like(snr)], dim=1).min(dim=1)[0] / snr
            loss = torch.nn.functional.mse_loss(prediction, noise, reduction="none")
            loss = (loss.mean(dim=[1, 2, 3]) * weights).mean()
            loss_of_step += loss.item() / PARTS
            (loss / PARTS).backward()
        torch.nn.utils.clip_grad_norm_(unet.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        ema.step(unet.parameters())
        losses.append(loss_of_step)
    return losses, list(unet.parameters()), ema.shadow_params


def draws_of_step(step, count):
    """The random numbers of a step of seed 11, for the whole batch."""
    size = BATCH * PARTS
    shape = (size, 4, SIZE // 4, SIZE // 4)
    flip = torch.from_numpy(order.generator(11, "flip", step).integers(0, 2, size)).bool()
    return {
        "rows": order.rows(11, step, size, count),
        "flip": flip.view(-1, 1, 1, 1),
        "posterior": torch.from_numpy(order.normal(11, "posterior", step, shape)),
        "noise": torch.from_numpy(order.normal(11, "noise", step, shape)),
        "timesteps": torch.from_numpy(
            order.generator(11, "timesteps", step).integers(0, 1000, size)
        ),
    }


def test_fifty_steps_follow_the_peer(model, dataset, latents):
    run = settings.read(json.dumps(RUN))
    trainer = loop.make_trainer(run, model, latents, torch.device("cpu"))
    loop.train(trainer, 0, STEPS, "ours")
    losses, weights, averages = peer(model, dataset)
    ours = [row["loss"] for row in trainer.metrics.rows]
    assert ours == pytest.approx(losses, rel=2e-3)
    assert ours[:5] == pytest.approx(losses[:5], rel=1e-5)
    for mine, theirs in zip(trainer.parameters.values(), weights):
        torch.testing.assert_close(mine, theirs, atol=2e-3, rtol=0)
    for mine, theirs in zip(trainer.ema.averages.values(), averages):
        torch.testing.assert_close(mine, theirs, atol=2e-3, rtol=0)
