"""Stable Diffusion XL: a U-Net with two CLIP text encoders that is told sizes and crops."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from emaki.families.stable_diffusion import StableDiffusion

if TYPE_CHECKING:
    import torch

# Layers outside blocks, and of a ResNet block, as Stability's code calls them.
SGM_LAYERS = {
    "conv_in": "input_blocks.0.0",
    "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
}
SGM_RESNET = {
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
BLOCK = re.compile(
    r"(?P<side>down_blocks|mid_block|up_blocks)\.(?:(?P<block>\d+)\.)?"
    r"(?P<kind>attentions|resnets|downsamplers|upsamplers)\.(?P<number>\d+)\.(?P<rest>.+)"
)


class StableDiffusionXL(StableDiffusion):
    """Stable Diffusion XL.

    Captions are the last hidden states but one of both encoders beside each other, and the second
    one's pooled embedding.
    """

    pipeline = "StableDiffusionXLPipeline"
    encoders = ("text_encoder", "text_encoder_2")
    tokenizers = ("tokenizer", "tokenizer_2")
    conditions = ("embeddings", "pooled")
    tokens = ("input_ids", "input_ids_2")
    told_sizes = True
    webui_names: ClassVar = {
        "unet": "lora_unet",
        "text_encoder": "lora_te1",
        "text_encoder_2": "lora_te2",
    }
    pipeline_options: Mapping[str, Any] = {"add_watermarker": False}

    def encoder_class(self, part: str) -> Any:
        from transformers.models.clip.modeling_clip import (
            CLIPTextModel,
            CLIPTextModelWithProjection,
        )

        return CLIPTextModel if part == "text_encoder" else CLIPTextModelWithProjection

    def encode(
        self, encoders: Mapping[str, Any], tokens: Mapping[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        import torch

        made = [
            encoders[part](tokens[name], output_hidden_states=True)
            for part, name in zip(self.encoders, self.tokens)
        ]
        embeddings = torch.cat([one.hidden_states[-2] for one in made], dim=-1)
        return {"embeddings": embeddings, "pooled": made[-1].text_embeds}

    def predict(
        self,
        denoiser: Any,
        noisy: torch.Tensor,
        times: torch.Tensor,
        conditions: Mapping[str, torch.Tensor],
    ) -> torch.Tensor:
        return denoiser(
            noisy,
            times,
            conditions["embeddings"],
            added_cond_kwargs={
                "text_embeds": conditions["pooled"],
                "time_ids": conditions["sizes"],
            },
            return_dict=False,
        )[0]

    def webui_name(self, part: str, layer: str) -> str:
        """As kohya's sd-scripts say it: the U-Net's layers have the names of Stability's code."""
        return super().webui_name(part, self._sgm_name(layer) if part == self.denoiser else layer)

    def _sgm_name(self, layer: str) -> str:
        """A U-Net's layer of diffusers in Stability's code, which numbers all blocks in a row."""
        found = BLOCK.fullmatch(layer)
        if not found:
            return SGM_LAYERS[layer]
        side, kind, rest = found["side"], found["kind"], found["rest"]
        block, number = int(found["block"] or 0), int(found["number"])
        config = json.loads((self.folder / self.denoiser / "config.json").read_text())
        row = config["layers_per_block"] + 1
        if kind == "resnets":
            rest = SGM_RESNET[rest]
        if side == "mid_block":
            return f"middle_block.{1 if kind == 'attentions' else 2 * number}.{rest}"
        if kind == "downsamplers":
            return f"input_blocks.{(block + 1) * row}.0.op"
        if kind == "upsamplers":
            after = 2 if config["up_block_types"][block].startswith("CrossAttn") else 1
            return f"output_blocks.{block * row + row - 1}.{after}.{rest}"
        place = block * row + number + (side == "down_blocks")
        stage = "input_blocks" if side == "down_blocks" else "output_blocks"
        return f"{stage}.{place}.{int(kind == 'attentions')}.{rest}"
