"""Stable Diffusion 1.x and 2.x: a U-Net with one CLIP text encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from emaki.families import Family, Process

if TYPE_CHECKING:
    import torch


class StableDiffusion(Family):
    """Stable Diffusion 1.x or 2.x."""

    pipeline = "StableDiffusionPipeline"
    denoiser = "unet"
    webui_names: ClassVar = {"unet": "lora_unet", "text_encoder": "lora_te"}
    schedulers: ClassVar = {
        "ddim": "DDIMScheduler",
        "ddpm": "DDPMScheduler",
        "dpmsolver++": "DPMSolverMultistepScheduler",
        "euler": "EulerDiscreteScheduler",
        "pndm": "PNDMScheduler",
        "unipc": "UniPCMultistepScheduler",
    }
    lacking: ClassVar = {
        "uniform_timesteps": "is for models of flow matching: here all timesteps are uniform",
        "resolution_shift": "is for models of flow matching",
    }
    # The checker and what prepares its pictures are left out; older repositories name classes for
    # them that transformers has no more.
    pipeline_options: Mapping[str, Any] = {
        "safety_checker": None,
        "feature_extractor": None,
        "requires_safety_checker": False,
    }

    def denoiser_class(self) -> Any:
        from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

        return UNet2DConditionModel

    def encoder_class(self, part: str) -> Any:
        from transformers.models.clip.modeling_clip import CLIPTextModel

        return CLIPTextModel

    def load_tokenizer(self, part: str) -> Any:
        """One of `tokenizers`, which knows how many tokens its encoder takes."""
        from transformers.models.clip.tokenization_clip import CLIPTokenizer

        return CLIPTokenizer.from_pretrained(self.folder, subfolder=part)

    def tokenize(self, captions: Sequence[str]) -> tuple[dict[str, torch.Tensor], list[int]]:
        ids, lengths = {}, [0] * len(captions)
        for name, part in zip(self.tokens, self.tokenizers):
            tokenizer = self.load_tokenizer(part)
            ids[name] = tokenizer(
                list(captions),
                max_length=tokenizer.model_max_length,
                padding="max_length",
                truncation=True,
                return_tensors="pt",
            ).input_ids
            whole = tokenizer(list(captions), verbose=False).input_ids
            lengths = [max(length, len(own)) for length, own in zip(lengths, whole)]
        return ids, lengths

    def encode(
        self, encoders: Mapping[str, Any], tokens: Mapping[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        """The text encoder's last hidden states."""
        ids = tokens["input_ids"]
        return {"embeddings": encoders["text_encoder"](ids, return_dict=False)[0]}

    def process(
        self, device: torch.device, uniform: bool = False, resolution: int | None = None
    ) -> Process:
        from emaki.families.ddpm import Diffusion

        return Diffusion(self.folder, device)

    def predict(
        self,
        denoiser: Any,
        noisy: torch.Tensor,
        times: torch.Tensor,
        conditions: Mapping[str, torch.Tensor],
    ) -> torch.Tensor:
        return denoiser(noisy, times, conditions["embeddings"], return_dict=False)[0]

    def prepare_for_cpu(self, denoiser: Any) -> None:
        from emaki.families import attention

        attention.use_float32(denoiser)
