"""FLUX.1: a transformer of packed latents that a CLIP and a T5 tell the caption."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from emaki.families.flow_family import FlowFamily
from emaki.families.stable_diffusion import StableDiffusion

if TYPE_CHECKING:
    import torch


T5 = "text_encoder_2"
T5_TOKENS = 512  # as many as the pipeline draws with


class Flux(FlowFamily, StableDiffusion):
    """FLUX.1 dev or schnell.

    Captions are what the T5 says of them, and the CLIP's pooled embedding. The transformer of dev
    is told a guidance scale besides, that of schnell is not.
    """

    pipeline = "FluxPipeline"
    encoders = ("text_encoder", T5)
    tokenizers = ("tokenizer", "tokenizer_2")
    conditions = ("embeddings", "pooled")
    tokens = ("input_ids", "input_ids_2")
    guidance: float | None = 3.5  # as diffusers' scripts and its pipeline
    webui_names: ClassVar = {"transformer": "lora_transformer"}
    pipeline_options: Mapping[str, Any] = {}
    lacking = FlowFamily.lacking | {"train_text_encoder": "is not there for FLUX.1"}

    def __init__(self, folder: str | Path) -> None:
        super().__init__(folder)
        config = self.folder / self.denoiser / "config.json"
        if config.is_file() and not json.loads(config.read_bytes()).get("guidance_embeds"):
            self.guidance = None

    def denoiser_class(self) -> Any:
        from diffusers.models.transformers.transformer_flux import FluxTransformer2DModel

        return FluxTransformer2DModel

    def encoder_class(self, part: str) -> Any:
        if part == T5:
            from transformers.models.t5.modeling_t5 import T5EncoderModel

            return T5EncoderModel
        return super().encoder_class(part)

    def load_tokenizer(self, part: str) -> Any:
        if part != "tokenizer_2":
            return super().load_tokenizer(part)
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(
            self.folder, subfolder=part, model_max_length=T5_TOKENS
        )

    def encode(
        self, encoders: Mapping[str, Any], tokens: Mapping[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        return {
            "embeddings": encoders[T5](tokens["input_ids_2"])[0],
            "pooled": encoders["text_encoder"](tokens["input_ids"]).pooler_output,
        }

    def predict(
        self,
        denoiser: Any,
        noisy: torch.Tensor,
        times: torch.Tensor,
        conditions: Mapping[str, torch.Tensor],
    ) -> torch.Tensor:
        from emaki.families.packing import pack, unpack

        height, width = noisy.shape[2:]
        texts = conditions["embeddings"]
        said = denoiser(
            hidden_states=pack(noisy),
            timestep=times / 1000,  # which the transformer multiplies again
            guidance=conditions.get("guidance"),
            pooled_projections=conditions["pooled"],
            encoder_hidden_states=texts,
            txt_ids=texts.new_zeros(texts.shape[1], 3),
            img_ids=_places(height // 2, width // 2, noisy),
            return_dict=False,
        )[0]
        return unpack(said, height, width)

    def prepare_for_cpu(self, denoiser: Any) -> None:
        """Nothing is done: of joint attention nothing was measured."""


def _places(rows: int, columns: int, like: torch.Tensor) -> torch.Tensor:
    """Where each token is (rows x columns, 3), row by row: 0, its row, its column."""
    import torch

    down, across = (torch.arange(count).to(like) for count in (rows, columns))
    return torch.cartesian_prod(down.new_zeros(1), down, across)
