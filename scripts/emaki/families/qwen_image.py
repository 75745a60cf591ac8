"""Qwen-Image: a transformer of packed latents that Qwen2.5-VL tells the caption."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from emaki.families.flow_family import FlowFamily

if TYPE_CHECKING:
    import torch


TOKENS = 512  # of a caption, as many as the pipeline draws with
# What the pipeline says to the model, and how many of its tokens come before the caption.
TEMPLATE = (
    "<|im_start|>system\nDescribe the image by detailing the color, shape, size, texture, "
    "quantity, text, spatial relationships of the objects and background:<|im_end|>\n"
    "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
)
BEFORE = 34


class QwenImage(FlowFamily):
    """Qwen-Image.

    Captions are said to Qwen2.5-VL in the pipeline's words; kept are its last hidden states. The
    VAE is one of films, of which a picture is the first frame, and each of its channels has a mean
    and a deviation of its own.
    """

    pipeline = "QwenImagePipeline"
    conditions = ("embeddings", "mask")
    tokens = ("input_ids", "attention_mask")
    webui_names: ClassVar = {"transformer": "diffusion_model"}
    lacking = FlowFamily.lacking | {"train_text_encoder": "is not there for Qwen-Image"}

    @classmethod
    def guide(cls, scale: float, count: int) -> dict[str, Any]:
        return {"true_cfg_scale": scale, "negative_prompt": [""] * count if scale > 1 else None}

    def denoiser_class(self) -> Any:
        from diffusers.models.transformers.transformer_qwenimage import QwenImageTransformer2DModel

        return QwenImageTransformer2DModel

    def make_denoiser(self) -> Any:
        import torch

        denoiser = super().make_denoiser()
        rope = denoiser.pos_embed
        # Its tables are no buffers: what a model without weights (meta) has of them is empty.
        with torch.device("cpu"):
            denoiser.pos_embed = type(rope)(rope.theta, rope.axes_dim, rope.scale_rope)
        return denoiser

    def encoder_class(self, part: str) -> Any:
        from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import (
            Qwen2_5_VLForConditionalGeneration,
        )

        return Qwen2_5_VLForConditionalGeneration

    def load_vae(self) -> Any:
        import torch
        from diffusers.models.autoencoders.autoencoder_kl_qwenimage import AutoencoderKLQwenImage

        return AutoencoderKLQwenImage.from_pretrained(
            self.folder, subfolder="vae", torch_dtype=torch.float32
        )

    def reduction(self) -> int:
        return 2 ** len(self.vae_config()["temperal_downsample"])

    def encode_pictures(self, vae: Any, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        found = vae.encode(pixels.unsqueeze(2)).latent_dist
        return found.mean.squeeze(2), found.std.squeeze(2)

    def normalisation(self, vae: Any) -> dict[str, float | list[float]]:
        import torch

        factors = 1.0 / torch.tensor(vae.config.latents_std)
        return {
            "scaling_factor": factors.tolist(),
            "shift_factor": torch.tensor(vae.config.latents_mean).tolist(),
        }

    def tokenize(self, captions: Sequence[str]) -> tuple[dict[str, torch.Tensor], list[int]]:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(self.folder, subfolder="tokenizer")
        said = [TEMPLATE.format(caption) for caption in captions]
        made = tokenizer(
            said,
            padding="max_length",
            max_length=BEFORE + TOKENS,
            truncation=True,
            return_tensors="pt",
        )
        lengths = [len(ids) for ids in tokenizer(said, verbose=False).input_ids]
        return {name: made[name] for name in self.tokens}, lengths

    def encode(
        self, encoders: Mapping[str, Any], tokens: Mapping[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        from emaki.families.language_model import compact

        # without the words that it would say next, which the pipeline computes too
        made = encoders["text_encoder"].model(**tokens)
        return compact(made.last_hidden_state, tokens["attention_mask"], BEFORE, TOKENS)

    def predict(
        self,
        denoiser: Any,
        noisy: torch.Tensor,
        times: torch.Tensor,
        conditions: Mapping[str, torch.Tensor],
    ) -> torch.Tensor:
        from emaki.families.packing import pack, unpack

        count, _, height, width = noisy.shape
        mask = conditions["mask"]
        said = denoiser(
            hidden_states=pack(noisy),
            timestep=times / 1000,  # which the transformer multiplies again
            encoder_hidden_states=conditions["embeddings"],
            encoder_hidden_states_mask=None if mask.all() else mask,
            img_shapes=[(1, height // 2, width // 2)] * count,
            return_dict=False,
        )[0]
        return unpack(said, height, width)

    def webui_name(self, part: str, layer: str) -> str:
        """As ComfyUI knows it, and diffusers too."""
        return f"{self.webui_names[part]}.{layer}"
