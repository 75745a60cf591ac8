"""Loss and gradient are those of the peers' formulas, written here a second time."""

import pytest
import torch
from small import make_unet

from emaki.families.ddpm import Diffusion
from emaki.training.data import Batch


@pytest.fixture
def diffusion(tmp_path):
    def diffusion(prediction_type):
        from diffusers import DDPMScheduler

        scheduler = DDPMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            prediction_type=prediction_type,
        )
        scheduler.save_pretrained(tmp_path / "scheduler")
        return Diffusion(tmp_path, "cpu")

    return diffusion


def a_batch():
    generator = torch.Generator().manual_seed(3)
    return Batch(
        latents=torch.randn(4, 4, 8, 8, generator=generator),
        noise=torch.randn(4, 4, 8, 8, generator=generator),
        timesteps=torch.tensor([0, 3, 500, 999]),
        conditions={"embeddings": torch.randn(4, 16, 32, generator=generator)},
    )


def diffusers_loss(unet, batch, prediction_type, snr_gamma):
    """examples/text_to_image/train_text_to_image.py, with diffusers' own scheduler and SNR."""
    from diffusers import DDPMScheduler
    from diffusers.training_utils import compute_snr

    scheduler = DDPMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type=prediction_type,
    )
    noisy = scheduler.add_noise(batch.latents, batch.noise, batch.timesteps)
    target = batch.noise
    if prediction_type == "v_prediction":
        target = scheduler.get_velocity(batch.latents, batch.noise, batch.timesteps)
    error = (unet(noisy, batch.timesteps, batch.conditions["embeddings"]).sample - target) ** 2
    if snr_gamma is None:
        return error.mean()
    snr = compute_snr(scheduler, batch.timesteps)
    weight = torch.minimum(snr, torch.tensor(snr_gamma))
    weight = weight / (snr if prediction_type == "epsilon" else snr + 1)
    return (error.mean(dim=(1, 2, 3)) * weight).mean()


def compvis_loss(unet, batch, prediction_type, snr_gamma):
    """LatentDiffusion.p_losses: l_simple_weight = 1, original_elbo_weight = 0, logvar = 0."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    cumulative = torch.cumprod(1 - betas, 0)
    root = cumulative.sqrt().float()[batch.timesteps].reshape(4, 1, 1, 1)
    rest = (1 - cumulative).sqrt().float()[batch.timesteps].reshape(4, 1, 1, 1)
    noisy = root * batch.latents + rest * batch.noise
    text = batch.conditions["embeddings"]
    simple = (unet(noisy, batch.timesteps, text).sample - batch.noise) ** 2
    return simple.mean([1, 2, 3]).mean()


@pytest.mark.parametrize(
    ("peer", "prediction_type", "snr_gamma"),
    [
        (diffusers_loss, "epsilon", None),
        (diffusers_loss, "v_prediction", None),
        (diffusers_loss, "epsilon", 5.0),
        (diffusers_loss, "v_prediction", 5.0),
        (compvis_loss, "epsilon", None),
    ],
)
def test_loss_and_gradient_equal_the_peers(diffusion, peer, prediction_type, snr_gamma):
    unet, batch = make_unet(0), a_batch()
    process = diffusion(prediction_type)
    noisy = process.add_noise(batch.latents, batch.noise, batch.timesteps)
    prediction = unet(noisy, batch.timesteps, batch.conditions["embeddings"]).sample
    ours = process.loss(prediction, batch.latents, batch.noise, batch.timesteps, snr_gamma)
    theirs = peer(unet, batch, prediction_type, snr_gamma)
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=0)
    mine = torch.autograd.grad(ours, list(unet.parameters()))
    other = torch.autograd.grad(theirs, list(unet.parameters()))
    for a, b in zip(mine, other):
        torch.testing.assert_close(a, b, rtol=2e-4, atol=1e-6)


def test_other_prediction_types_are_refused(diffusion):
    from emaki.common.errors import UserError

    with pytest.raises(UserError, match="prediction_type 'sample' cannot be trained"):
        diffusion("sample")
