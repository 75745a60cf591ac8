"""Z-Image: a transformer of one stream of tokens that Qwen3 tells the caption."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from emaki.families.flow_family import FlowFamily

if TYPE_CHECKING:
    import torch


TOKENS = 512  # as many as the pipeline draws with, those of the chat's form among them


class ZImage(FlowFamily):
    """Z-Image or Z-Image-Turbo.

    Captions are said to Qwen3 as a user's message; kept are its last hidden states but one.
    """

    pipeline = "ZImagePipeline"
    conditions = ("embeddings", "mask")
    tokens = ("input_ids", "attention_mask")
    webui_names: ClassVar = {"transformer": "diffusion_model"}
    lacking = FlowFamily.lacking | {"train_text_encoder": "is not there for Z-Image"}

    @classmethod
    def guide(cls, scale: float, count: int) -> dict[str, Any]:
        """Its pipeline counts from 0: it adds `guidance_scale` times the difference."""
        return {"guidance_scale": scale - 1}

    def denoiser_class(self) -> Any:
        from diffusers.models.transformers.transformer_z_image import ZImageTransformer2DModel

        return ZImageTransformer2DModel

    def encoder_class(self, part: str) -> Any:
        from transformers.models.qwen3.modeling_qwen3 import Qwen3Model

        return Qwen3Model

    def tokenize(self, captions: Sequence[str]) -> tuple[dict[str, torch.Tensor], list[int]]:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(self.folder, subfolder="tokenizer")
        messages = [[{"role": "user", "content": caption}] for caption in captions]
        said = [
            tokenizer.apply_chat_template(
                message, tokenize=False, add_generation_prompt=True, enable_thinking=True
            )
            for message in messages
        ]
        made = tokenizer(
            said, padding="max_length", max_length=TOKENS, truncation=True, return_tensors="pt"
        )
        lengths = [len(ids) for ids in tokenizer(said, verbose=False).input_ids]
        return {name: made[name] for name in self.tokens}, lengths

    def encode(
        self, encoders: Mapping[str, Any], tokens: Mapping[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        from emaki.families.language_model import compact

        mask = tokens["attention_mask"].bool()
        made = encoders["text_encoder"](
            input_ids=tokens["input_ids"], attention_mask=mask, output_hidden_states=True
        )
        return compact(made.hidden_states[-2], mask, 0, TOKENS)

    def predict(
        self,
        denoiser: Any,
        noisy: torch.Tensor,
        times: torch.Tensor,
        conditions: Mapping[str, torch.Tensor],
    ) -> torch.Tensor:
        """The transformer counts time from noise to picture, and says the way so."""
        import torch

        lengths = conditions["mask"].sum(1).tolist()
        said = denoiser(
            list(noisy.unsqueeze(2)),
            (1000 - times) / 1000,
            [text[:length] for text, length in zip(conditions["embeddings"], lengths)],
            return_dict=False,
        )[0]
        return -torch.stack(said).squeeze(2)

    def webui_name(self, part: str, layer: str) -> str:
        """As ComfyUI knows it, and diffusers too."""
        return f"{self.webui_names[part]}.{layer}"
