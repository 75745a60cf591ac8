"""Stable Diffusion 3: a transformer and flow matching, two CLIP text encoders and perhaps a T5."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from emaki.families import INDEX, NOTHING
from emaki.families.flow_family import FlowFamily
from emaki.families.stable_diffusion import StableDiffusion

if TYPE_CHECKING:
    import torch


T5 = "text_encoder_3"
T5_TOKENS = 256  # as many as the pipeline draws with


class StableDiffusion3(FlowFamily, StableDiffusion):
    """Stable Diffusion 3 or 3.5.

    Captions are the last hidden states but one of both CLIPs beside each other, followed by what
    the T5 says; and the CLIPs' pooled embeddings. Where the folder has no T5, `predict` adds zeros
    in its stead.
    """

    pipeline = "StableDiffusion3Pipeline"
    conditions = ("embeddings", "pooled")
    half = "fp16"
    may_lack = (T5, "tokenizer_3")
    webui_names: ClassVar = {"transformer": "lora_transformer"}
    schedulers: ClassVar = {
        "dpmsolver++": "DPMSolverMultistepScheduler",
        "euler": "FlowMatchEulerDiscreteScheduler",
        "unipc": "UniPCMultistepScheduler",
    }
    pipeline_options: Mapping[str, Any] = {}
    lacking = FlowFamily.lacking | {"train_text_encoder": "is not there for Stable Diffusion 3"}

    def __init__(self, folder: str | Path, without_t5: bool = False) -> None:
        """`without_t5` says of a folder that is not there yet that it will have no T5."""
        super().__init__(folder)
        index = self.folder / INDEX
        has_t5 = not without_t5
        if index.is_file():
            has_t5 = any(json.loads(index.read_bytes()).get(T5) or ())
        if not has_t5:  # as diffusers must be told
            self.pipeline_options = dict.fromkeys(self.may_lack)
        parts = range(1, 4 if has_t5 else 3)
        suffixes = ["" if part == 1 else f"_{part}" for part in parts]
        self.encoders = tuple(f"text_encoder{suffix}" for suffix in suffixes)
        self.tokenizers = tuple(f"tokenizer{suffix}" for suffix in suffixes)
        self.tokens = tuple(f"input_ids{suffix}" for suffix in suffixes)

    def denoiser_class(self) -> Any:
        from diffusers.models.transformers.transformer_sd3 import SD3Transformer2DModel

        return SD3Transformer2DModel

    def encoder_class(self, part: str) -> Any:
        if part == T5:
            from transformers.models.t5.modeling_t5 import T5EncoderModel

            return T5EncoderModel
        from transformers.models.clip.modeling_clip import CLIPTextModelWithProjection

        return CLIPTextModelWithProjection

    def load_tokenizer(self, part: str) -> Any:
        if part != "tokenizer_3":
            return super().load_tokenizer(part)
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(
            self.folder, subfolder=part, model_max_length=T5_TOKENS
        )

    def encode(
        self, encoders: Mapping[str, Any], tokens: Mapping[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        import torch
        from torch.nn.functional import pad

        made = [
            encoders[part](tokens[name], output_hidden_states=True)
            for part, name in zip(self.encoders[:2], self.tokens)
        ]
        embeddings = torch.cat([one.hidden_states[-2] for one in made], dim=-1)
        if T5 in self.encoders:
            rest = encoders[T5](tokens["input_ids_3"])[0]
            wider = pad(embeddings, (0, rest.shape[-1] - embeddings.shape[-1]))
            embeddings = torch.cat([wider, rest], dim=1)
        pooled = torch.cat([one.text_embeds for one in made], dim=-1)
        return {"embeddings": embeddings, "pooled": pooled}

    def predict(
        self,
        denoiser: Any,
        noisy: torch.Tensor,
        times: torch.Tensor,
        conditions: Mapping[str, torch.Tensor],
    ) -> torch.Tensor:
        from torch.nn.functional import pad

        embeddings = conditions["embeddings"]
        if T5 not in self.encoders:
            wider = denoiser.config.joint_attention_dim - embeddings.shape[-1]
            embeddings = pad(embeddings, (0, wider, 0, T5_TOKENS))
        return denoiser(
            hidden_states=noisy,
            timestep=times,
            encoder_hidden_states=embeddings,
            pooled_projections=conditions["pooled"],
            return_dict=False,
        )[0]

    def prepare_for_cpu(self, denoiser: Any) -> None:
        from emaki.families import joint_attention

        joint_attention.merge_zeros(denoiser)

    def load_pipeline(
        self, weights: str | Path | None, dtype: torch.dtype, loaded: Mapping[str, Any] = NOTHING
    ) -> Any:
        from emaki.common.devices import device

        pipeline = super().load_pipeline(weights, dtype, loaded)
        if device().type == "cpu":
            self.prepare_for_cpu(pipeline.transformer)
        return pipeline

    def make_scheduler(self, name: str, config: Any) -> Any:
        if name == "euler":
            return super().make_scheduler(name, config)
        flow = {"use_flow_sigmas": True, "prediction_type": "flow_prediction"}
        return super().make_scheduler(name, {**config, **flow, "flow_shift": config["shift"]})
