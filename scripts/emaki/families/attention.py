"""The attention of U-Nets that are trained on a CPU."""

from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention


class Float32Attention:
    """diffusers' AttnProcessor2_0 without norms or residuals, but in float32 under autocast too.

    PyTorch's attention on a CPU takes up to three times as long in bfloat16 as in float32 at the
    sizes that are trained there (64 tokens; at 4,096 a seventh less).
    """

    def __call__(
        self,
        attn: Any,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Attend from hidden_states (B, N, C) to encoder_hidden_states (B, M, D) or to themselves.

        Nothing is masked: captions of Stable Diffusion are padded with tokens that count.
        """
        source = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        projected = attn.to_q(hidden_states), attn.to_k(source), attn.to_v(source)
        heads = [x.unflatten(-1, (attn.heads, -1)).transpose(1, 2).float() for x in projected]
        with torch.autocast("cpu", enabled=False):
            attended = scaled_dot_product_attention(*heads)
        project, dropout = attn.to_out
        return dropout(project(attended.transpose(1, 2).flatten(2).to(projected[0].dtype)))


def use_float32(unet: torch.nn.Module) -> None:
    """Give a U-Net (diffusers') attention in float32, but for layers with norms of their own."""
    from diffusers.models.attention_processor import Attention

    for layer in unet.modules():
        if isinstance(layer, Attention):
            norms = (layer.group_norm, layer.spatial_norm, layer.norm_cross, layer.norm_q)
            if not any(norms):
                layer.set_processor(Float32Attention())  # type: ignore[arg-type]
