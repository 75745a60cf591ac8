"""Families of base models. Each module here has one class: all that is different between them.

An object of it is one model, a folder with a pipeline of diffusers. The rules, the check of a
config and the plan ask the class what such a folder has, so that what is heavy is imported by the
methods that need it. Training, sampling and merging know no family: they ask for their model's.
"""

from __future__ import annotations

import importlib
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from emaki.common import weight_files
from emaki.common.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    import torch

INDEX = "model_index.json"
NOTHING: Mapping[str, Any] = MappingProxyType({})
# {class of diffusers that model_index.json names: module of this package}
MODULES = {
    "StableDiffusionPipeline": "stable_diffusion",
    "StableDiffusionXLPipeline": "stable_diffusion_xl",
    "StableDiffusion3Pipeline": "stable_diffusion_3",
    "FluxPipeline": "flux",
    "ZImagePipeline": "z_image",
    "QwenImagePipeline": "qwen_image",
}
# What a model is taken for where nothing says what it is.
DEFAULT = "StableDiffusionPipeline"
# Of repositories, whose index comes with their files: these must be known before.
REPOSITORIES = {
    "stabilityai/stable-diffusion-xl-base-1.0": "StableDiffusionXLPipeline",
    "stabilityai/sdxl-turbo": "StableDiffusionXLPipeline",
    "stabilityai/stable-diffusion-3-medium-diffusers": "StableDiffusion3Pipeline",
    "stabilityai/stable-diffusion-3.5-medium": "StableDiffusion3Pipeline",
    "stabilityai/stable-diffusion-3.5-large": "StableDiffusion3Pipeline",
    "black-forest-labs/FLUX.1-dev": "FluxPipeline",
    "black-forest-labs/FLUX.1-schnell": "FluxPipeline",
    "Tongyi-MAI/Z-Image": "ZImagePipeline",
    "Tongyi-MAI/Z-Image-Turbo": "ZImagePipeline",
    "Qwen/Qwen-Image": "QwenImagePipeline",
}
# A picture's height and width before it was resized, and where it was cut then.
SIZES = ("original_height", "original_width", "crop_top", "crop_left")


class Process(Protocol):
    """How a family makes noise of pictures, and what the denoiser is to say of it.

    A timestep is its number in the model's schedule. Latents, noise and predictions are
    (B, C, H, W), timesteps (B,) int64.
    """

    def __len__(self) -> int:
        """How many timesteps there are."""

    def draw_timesteps(self, generator: np.random.Generator, count: int) -> torch.Tensor:
        """The timesteps of `count` pictures."""

    def times(self, timesteps: torch.Tensor) -> torch.Tensor:
        """What the denoiser is told of these timesteps."""

    def add_noise(
        self, latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor
    ) -> torch.Tensor:
        """Noisy latents from latents and standard normal noise."""

    def loss(
        self,
        prediction: torch.Tensor,
        latents: torch.Tensor,
        noise: torch.Tensor,
        timesteps: torch.Tensor,
        snr_gamma: float | None = None,
    ) -> torch.Tensor:
        """The loss of a prediction, a float32 scalar; `snr_gamma` is that of min-SNR weights."""


class Family(ABC):
    """A base model: the parts of its pipeline folder, which need not be there yet, and what is done
    with them.

    What is trained is the `denoiser`, and perhaps the `encoders` of captions with it. Captions
    become `conditions`, pictures become latents; `tokens` are a caption's ids.
    """

    pipeline: ClassVar[str]
    """The class of diffusers that draws, which model_index.json names."""

    denoiser: ClassVar[str]
    """The part that is trained: "unet"."""

    encoders: tuple[str, ...] = ("text_encoder",)
    """The text encoders; their names begin with text_encoder."""

    tokenizers: tuple[str, ...] = ("tokenizer",)
    """The tokenizer of each of them."""

    conditions: ClassVar[tuple[str, ...]] = ("embeddings",)
    """The tensors that are made of a caption, as text.safetensors names them. With a `mask` (K, T)
    among them the `embeddings` (K, T, D) of a batch are cut to its longest caption."""

    tokens: tuple[str, ...] = ("input_ids",)
    """A caption's ids by each tokenizer, as it names them."""

    told_sizes: ClassVar[bool] = False
    """Whether the denoiser is told the condition `sizes` (B, 6): of each picture SIZES, and height
    and width of what was cut."""

    guidance: float | None = None
    """The guidance scale that the denoiser is told, as the condition `guidance` (B,), where a run
    gives none; None where it is told none."""

    edge_multiple: ClassVar[int] = 8
    """What a picture's width and height are a multiple of, in pixels."""

    half: ClassVar[str] = "fp16"
    """The precision in which a GPU draws: fp16 or bf16."""

    encoder_layers: ClassVar[tuple[str, ...]] = ("q_proj", "k_proj", "v_proj", "out_proj")
    """The ends of the names of the encoders' layers that get a LoRA."""

    webui_names: ClassVar[Mapping[str, str]]
    """{part: what the names of its layers begin with in a LoRA for web UIs}."""

    schedulers: ClassVar[Mapping[str, str]]
    """{a config's `sampling.scheduler`: its class in diffusers}."""

    pipeline_options: Mapping[str, Any] = {}
    """What the pipeline is loaded with, so that it only draws."""

    lacking: ClassVar[Mapping[str, str]] = {}
    """{key of a run that cannot be given: why, a sentence that goes on after it}."""

    may_lack: ClassVar[tuple[str, ...]] = ()
    """Parts that a pipeline may be without, the text encoder and its tokenizer."""

    in_parts: ClassVar[bool] = False
    """Whether repositories may have weights in several files, of which only they know how many."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def files(self) -> dict[str, list[str]]:
        """{what: its files} of a pipeline folder that decide what jobs make of it."""
        return {
            "denoiser": [f"{self.denoiser}/config.json", *self._weights(self.weights_file())],
            "non_ema": [self.weights_file("non_ema")],
            "vae": ["vae/config.json", weight_files.VAE],
            "encoders": [
                file
                for part in self.encoders
                for file in (
                    f"{part}/config.json",
                    *self._weights(f"{part}/{weight_files.TRANSFORMERS}"),
                )
            ],
            "tokenizers": [f"{part}/tokenizer_config.json" for part in self.tokenizers],
            "scheduler": ["scheduler/scheduler_config.json"],
        }

    def needed(self) -> list[str]:
        """All of these but the raw weights, which few runs need."""
        return [file for what, own in self.files().items() if what != "non_ema" for file in own]

    def _weights(self, file: str) -> list[str]:
        """A file of weights or, where the folder has it in parts, their list and these."""
        parts = weight_files.parts_of(self.folder / file)
        names = [path.relative_to(self.folder).as_posix() for path in parts]
        return names if names == [file] else [weight_files.index_of(file), *names]

    def weights_file(self, start: str = "ema") -> str:
        """The denoiser's file in a pipeline folder: the plain one ("ema") or the raw weights.

        In its stead there may be parts of it: weight_files.parts_of.
        """
        stem, _, suffix = weight_files.DIFFUSERS.rpartition(".")
        variant = "" if start == "ema" else f".{start}"
        return f"{self.denoiser}/{stem}{variant}.{suffix}"

    @abstractmethod
    def denoiser_class(self) -> Any:
        """The denoiser's class in diffusers."""

    @abstractmethod
    def encoder_class(self, part: str) -> Any:
        """The class in transformers of one of `encoders`."""

    @abstractmethod
    def tokenize(self, captions: Sequence[str]) -> tuple[dict[str, torch.Tensor], list[int]]:
        """`tokens` (K, T), padded and cut, and how many each caption has before it is cut.

        Of several tokenizers the longest counts.
        """

    @abstractmethod
    def encode(
        self, encoders: Mapping[str, Any], tokens: Mapping[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        """`conditions` from `tokens`, by the `encoders` (part: model)."""

    @abstractmethod
    def process(
        self, device: torch.device, uniform: bool = False, resolution: int | None = None
    ) -> Process:
        """The process of the model's scheduler. Raises UserError where it cannot be trained.

        Of flow matching, timesteps are `uniform` instead of logit-normal, and shifted for pictures
        of `resolution` pixels where one is given.
        """

    def may_shift(self) -> bool:
        """Whether the model's scheduler shifts timesteps by the picture's size, if it is known."""
        path = self.folder / "scheduler/scheduler_config.json"
        return not path.is_file() or bool(json.loads(path.read_bytes()).get("use_dynamic_shifting"))

    @abstractmethod
    def predict(
        self,
        denoiser: Any,
        noisy: torch.Tensor,
        times: torch.Tensor,
        conditions: Mapping[str, torch.Tensor],
    ) -> torch.Tensor:
        """What the denoiser says of noisy latents (B, C, H, W) at the process's times (B,)."""

    @classmethod
    def guide(cls, scale: float, count: int) -> dict[str, Any]:
        """What the pipeline is told so that it guides `count` prompts; a `scale` of 1 is none."""
        return {"guidance_scale": scale}

    def prepare_for_cpu(self, denoiser: Any) -> None:  # noqa: B027 (few need to do it)
        """Let a denoiser on a CPU compute the same faster; sums may be rounded otherwise."""

    def make_denoiser(self) -> Any:
        """A denoiser with the model's architecture, whatever its weights."""
        config = json.loads((self.folder / self.denoiser / "config.json").read_text())
        return self.denoiser_class().from_config(config)

    def make_encoder(self, part: str) -> Any:
        """A text encoder, one of `encoders`, with the model's architecture and any weights."""
        own = self.encoder_class(part)
        return own(own.config_class.from_pretrained(self.folder / part))

    def load_encoder(self, part: str, folder: Path, dtype: torch.dtype) -> Any:
        """A text encoder, one of `encoders`, from its own folder."""
        return self.encoder_class(part).from_pretrained(folder, dtype=dtype)

    def load_vae(self) -> Any:
        """The VAE in float32."""
        import torch
        from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

        return AutoencoderKL.from_pretrained(
            self.folder, subfolder="vae", torch_dtype=torch.float32
        )

    def vae_config(self) -> dict[str, Any]:
        """What the VAE's config.json says."""
        return json.loads((self.folder / "vae/config.json").read_text())

    def reduction(self) -> int:
        """How many pixels wide a latent's pixel is."""
        return 2 ** (len(self.vae_config()["block_out_channels"]) - 1)

    def encode_pictures(self, vae: Any, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and standard deviation (B, C, H, W) of the VAE's posterior of pictures (B, 3, ...)
        in [-1, 1]."""
        found = vae.encode(pixels).latent_dist
        return found.mean, found.std

    def normalisation(self, vae: Any) -> dict[str, float | list[float]]:
        """How the VAE's latents become the denoiser's: (latents - shift_factor) * scaling_factor,
        numbers or one for each channel; without a `shift_factor` it is 0."""
        found = {"scaling_factor": vae.config.scaling_factor}
        if shift := vae.config.get("shift_factor"):
            found["shift_factor"] = shift
        return found

    def load_pipeline(
        self, weights: str | Path | None, dtype: torch.dtype, loaded: Mapping[str, Any] = NOTHING
    ) -> Any:
        """The pipeline that draws, with the denoiser in the folder `weights` in place of its own.

        One that was trained together with the text encoders has them there too. `loaded` are parts
        that are there already, by their names in the pipeline.
        """
        import diffusers

        parts: dict[str, Any] = {**self.pipeline_options, **loaded}
        if weights:
            parts[self.denoiser] = self.denoiser_class().from_pretrained(weights, torch_dtype=dtype)
            for part in self.encoders:
                if (folder := Path(weights) / part).is_dir():
                    parts[part] = self.load_encoder(part, folder, dtype)
        drawing = getattr(diffusers, self.pipeline)
        return drawing.from_pretrained(self.folder, **parts, torch_dtype=dtype)

    def make_scheduler(self, name: str, config: Any) -> Any:
        """A sampler, one of `schedulers`, for a model whose own scheduler has this config."""
        import diffusers

        return getattr(diffusers, self.schedulers[name]).from_config(config)

    def webui_name(self, part: str, layer: str) -> str:
        """The name in a LoRA for web UIs of a layer ("mid_block.attentions.0.proj_in")."""
        return f"{self.webui_names[part]}_{layer.replace('.', '_')}"


def pipeline_class(folder: str | Path) -> str | None:
    """The class of diffusers that a pipeline folder names; None where there is no such folder."""
    index = Path(folder) / INDEX
    return json.loads(index.read_text("utf-8"))["_class_name"] if os.path.isfile(index) else None


def find_class(pipeline: str) -> type[Family]:
    """The family of the pipelines of a class. Raises UserError where there is none."""
    if pipeline not in MODULES:
        raise UserError(unknown(pipeline))
    module = importlib.import_module(module_name(pipeline))
    found = (entry for entry in vars(module).values() if getattr(entry, "pipeline", 0) == pipeline)
    return next(found)


def find(folder: str | Path) -> Family:
    """The model in a pipeline folder. Raises UserError where it is of no family."""
    pipeline = pipeline_class(folder)
    if pipeline is None:
        raise UserError(f"{folder} is no pipeline of diffusers: it has no {INDEX}")
    try:
        return find_class(pipeline)(folder)
    except UserError as error:
        raise UserError(f"{folder} {error}") from None


def module_name(pipeline: str) -> str:
    """The module of a family, which is among the code of each job that asks for it."""
    return f"{__name__}.{MODULES[pipeline]}"


def unknown(pipeline: str) -> str:
    """What to say, after its key, of a model whose class of diffusers is of no family."""
    return f"is a {pipeline}, of which there is no family: take a {' or '.join(MODULES)}"
