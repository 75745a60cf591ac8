"""The settings of a training.

`HyperParameters` are what decides the weights: a job of scripts/train.py gets them. `Run` is an
entry of a study's `runs`, which says besides what is trained, on what and how far. Keys are named
as diffusers' scripts name their flags, defaults are those of the recipe `diffusers`.
"""

import json
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, ValidationError, model_serializer, model_validator

from emaki.common.arguments import read_settings
from emaki.common.errors import UserError
from emaki.common.settings import Maybe, Positive, Settings, Unique
from emaki.training import recipes
from emaki.training.recipes import LORA_KEYS

# Of two states these may differ: they change no number that a run is meant to have.
FREE = ("recipe", "threads")
# Of these a run says one.
SEED_KEYS = ("seed", "seeds")

Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, le=4294967295)]


class Start(Settings):
    """Weights that are no file of the model: a checkpoint of another run, or a folder.

    A full fine-tune starts from one, a LoRA from a LoRA.
    """

    run: Maybe[str] = Field(None, json_schema_extra={"value": "run"})
    """The other run, of the same method and model."""

    step: Maybe[Count] = None
    """At which of its steps there is the checkpoint."""

    weights: Maybe[Literal["raw", "ema"]] = None
    """Its raw weights or their average."""

    folder: Maybe[str] = Field(None, json_schema_extra={"value": "folder"})
    """In place of these: a U-Net as diffusers writes it, or for a LoRA a folder with
    `pytorch_lora_weights.safetensors`, in diffusers' or kohya's names."""

    @model_validator(mode="after")
    def _check_kind(self) -> Self:
        of_run = [self.run, self.step, self.weights]
        complete = [value is not None for value in (*of_run, self.folder)]
        if complete not in ([True] * 3 + [False], [False] * 3 + [True]):
            raise ValueError("must have run, step and weights, or folder")
        return self

    @model_serializer
    def _leave_out_unset(self) -> dict[str, Any]:
        return {key: value for key, value in self if value is not None}


class Ema(Settings):
    """An exponential moving average of the trained weights."""

    preset: Literal["diffusers", "compvis"] = Field(
        "diffusers", json_schema_extra={"default_words": ""}
    )
    """Whose average it is where the keys below are not given; the recipe's where this is not."""

    init: Literal["ema", "non_ema", "train"] | Start = Field(
        "ema",
        json_schema_extra={"allowed": "ema, non_ema, train, {run, step, weights} or {folder}"},
    )
    """Weights that it starts from; `train`: those that training starts from, as always with a
    LoRA."""

    decay: float = Field(0.9999, ge=0, lt=1)
    """Share of the old average that an update keeps."""

    warmup: Literal["none", "diffusers", "compvis"] = "diffusers"
    """How the decay rises to that; `none` uses it from the first update."""

    start_updates: int = Field(0, ge=0)
    """Updates that it is taken to have had already."""

    per: Literal["step", "micro_batch"] = "step"
    """An update follows each optimizer step or each forward pass."""

    @model_validator(mode="before")
    @classmethod
    def _resolve(cls, written: Any) -> Any:
        return recipes.resolve_ema(written) if isinstance(written, dict) else written


class HyperParameters(Settings):
    """What decides the weights of a training.

    Made of what a run says itself: the rest is filled in from its recipe (recipes.resolve).
    """

    RENAMED: ClassVar[dict[str, str]] = {
        "lr_horizon": "lr_total_steps",
        "processes": "num_processes",
    }

    method: Literal["lora", "full"]
    """`lora` trains low-rank updates of the U-Net's attention, `full` the whole U-Net."""

    recipe: Literal["diffusers", "compvis"] = "diffusers"
    """Whose defaults hold where the run says nothing: those of diffusers' script or of the Lambda
    Labs notebook."""

    seed: Seed = 0
    """Fixes order, noise and all other chance."""

    batch_size: int = Field(16, ge=1)
    """Pictures per forward pass and process."""

    gradient_accumulation_steps: int = Field(1, ge=1)
    """Forward passes per optimizer step."""

    num_processes: int = Field(1, ge=1)
    """Processes (GPUs) that share a step."""

    learning_rate: float = Field(1e-4, gt=0)
    """Peak learning rate."""

    scale_lr: bool = False
    """Multiply the learning rate by batch size, accumulation and processes."""

    lr_scheduler: Literal["constant", "constant_with_warmup", "linear", "cosine"] = "constant"
    """How the learning rate changes over the steps. `constant` has no warm-up, as in diffusers."""

    lr_warmup_steps: int = Field(0, ge=0)
    """Steps in which the learning rate rises from 0."""

    lr_total_steps: Count | None = None
    """Step at which `linear` and `cosine` reach 0; they need it. Not the same as `steps`."""

    optimizer: Literal["adamw", "adamw8bit", "adafactor"] = "adamw"
    """`adamw8bit` keeps its moments in 8 bits (bitsandbytes)."""

    adam_beta1: float = Field(0.9, ge=0, lt=1)
    """Decay of AdamW's first moment."""

    adam_beta2: float = Field(0.999, ge=0, lt=1)
    """Decay of AdamW's second moment."""

    adam_epsilon: float = Field(1e-8, gt=0)
    """AdamW's epsilon."""

    weight_decay: float = Field(1e-2, ge=0)
    """Decoupled weight decay."""

    max_grad_norm: Positive | None = 1.0
    """Gradients are clipped to this norm; null clips nothing."""

    mixed_precision: Literal["no", "fp16", "bf16"] = "no"
    """Precision of forward and backward; trained weights stay float32. fp16 needs a GPU."""

    gradient_checkpointing: bool = False
    """Compute activations again in the backward pass, to save memory."""

    attention: Literal["sdpa", "xformers"] = "sdpa"
    """`xformers` needs a GPU and the package xformers."""

    compile: bool = False
    """Compile the U-Net (torch.compile); a segment starts a minute later and runs faster."""

    resolution: int = Field(512, ge=8, multiple_of=8)
    """Edge of the square training pictures in pixels."""

    random_flip: bool = False
    """Show every second picture, at random, mirrored."""

    noise_offset: float = Field(0.0, ge=0)
    """Standard deviation of a per-channel offset of the noise; 0 is off."""

    snr_gamma: Positive | None = None
    """Min-SNR weighting of the loss (5.0 in the paper); null is off."""

    caption_dropout: float = Field(0.0, ge=0, le=1)
    """Share of captions left empty, for classifier-free guidance."""

    uniform_timesteps: bool = False
    """Draw the timesteps of flow matching uniformly, as diffusers' scripts of FLUX.1, Z-Image and
    Qwen-Image do by default, instead of logit-normally."""

    resolution_shift: bool = False
    """Shift the timesteps of flow matching by `resolution`, as models whose scheduler has
    `use_dynamic_shifting` (FLUX.1 dev, Qwen-Image) do when they draw."""

    guidance_scale: Positive | None = None
    """The guidance scale that FLUX.1 dev is told in training; null: 3.5, as in diffusers' script.
    Other models are told none."""

    rank: int = Field(4, ge=1)
    """Rank of the updates."""

    # a whole number stays one: a LoRA's file says its alpha as it is given
    lora_alpha: Annotated[int, Field(gt=0)] | Positive | None = Field(
        default_factory=lambda known: known["rank"],
        json_schema_extra={"default_words": "null", "value": "above 0, null"},
    )
    """Updates are scaled by alpha / rank; null is the rank."""

    target_modules: list[str] = Field(["to_k", "to_q", "to_v", "to_out.0"], min_length=1)
    """Ends of the names of the layers that get one."""

    train_text_encoder: bool = False
    """Train it too: a LoRA on its attention, with `method: full` all of it."""

    text_encoder_learning_rate: Positive | None = None
    """Its peak learning rate; null: `learning_rate`."""

    train_init: Literal["ema", "non_ema"] | Start = Field(
        "ema", json_schema_extra={"allowed": "ema, non_ema, {run, step, weights} or {folder}"}
    )
    """Training starts from the model's EMA (plain) or raw U-Net weights, or from another run's. A
    LoRA is always put on the plain ones, on which it is drawn, and may go on from another LoRA."""

    ema: Ema | None = None
    """An exponential moving average of the weights, kept beside the raw ones; null: none."""

    save_precision: Literal["fp32", "fp16"] = "fp32"
    """Precision of the weights in a checkpoint; the training state is always exact."""

    threads: int = Field(1, ge=1)
    """CPU threads. Another number gives slightly different sums."""

    @model_validator(mode="before")
    @classmethod
    def _resolve(cls, written: Any) -> Any:
        return recipes.resolve(written) if isinstance(written, dict) else written

    def values(self) -> dict[str, Any]:
        """The settings as plain values, without those of a LoRA where the run is none."""
        return self.model_dump(exclude=None if self.method == "lora" else set(LORA_KEYS))

    def problems(self) -> Iterator[tuple[str, str]]:
        """What goes ill together (see Settings.problems)."""
        if self.lr_scheduler in ("linear", "cosine") and self.lr_total_steps is None:
            problem = (
                f"leaves {self.lr_scheduler} without lr_total_steps, the step where it reaches 0"
            )
            yield "lr_scheduler", problem
        if self.method == "lora" and self.train_init == "non_ema":
            problem = "starts from non-EMA weights, but a LoRA is put on its model's plain U-Net"
            yield "train_init", problem


class Run(HyperParameters):
    """One training: what is trained on what, and how.

    A run need give only model, dataset, method and steps.
    """

    extends: Maybe[str] = Field(None, json_schema_extra={"value": "run"})
    """The run that this one changes."""

    model: str = Field(json_schema_extra={"value": "model"})
    """The base model."""

    dataset: str = Field(json_schema_extra={"value": "dataset"})
    """What it is trained on."""

    seeds: Maybe[Annotated[Unique[Seed], Field(min_length=1)]] = Field(
        None, json_schema_extra={"value": "list of seeds"}
    )
    """In place of `seed`: one training by each. Headline comparisons then speak of the recipe."""

    # a checkpoint's folder has six digits
    steps: int = Field(ge=1, le=999_999)
    """Optimizer steps; a multiple of `checkpoint_every`."""

    checkpoint_every: Count = Field(
        default_factory=lambda known: known["steps"],
        json_schema_extra={"default_words": "`steps`"},
    )
    """Steps between two checkpoints."""

    keep: Literal["all", "compared"] | Unique[Count] = Field(
        "all",
        json_schema_extra={
            "allowed": "all, compared or a list of steps",
            "value": "`all`, `compared`, list of steps",
        },
    )
    """Which checkpoints' weights stay on the disk."""

    @model_validator(mode="before")
    @classmethod
    def _take_first_seed(cls, written: Any) -> Any:
        """The run itself is the training by the first of its seeds."""
        if isinstance(written, dict) and isinstance(written.get("seeds"), list):
            return {"seed": next(iter(written["seeds"]), 0)} | written
        return written

    def values(self) -> dict[str, Any]:
        """The settings as plain values; of `seed` and `seeds` the one that a config would say."""
        said = "seeds" if self.seeds else "seed"
        return {k: v for k, v in super().values().items() if k == said or k not in SEED_KEYS}

    def hyper_parameters(self) -> HyperParameters:
        """What decides the weights. Not among it is how far the run goes and where it stops."""
        own = super().values().keys() & HyperParameters.model_fields.keys() - {"recipe"}
        return HyperParameters.model_validate(self.model_dump(include=own))


def read(text: str) -> HyperParameters:
    """A run's hyper-parameters from their JSON, complete and valid.

    Raises UserError for a key or a value that cannot be, naming it.
    """
    run = read_settings("--run", HyperParameters, text)
    for key, problem in run.problems():
        raise UserError(f"--run: {key} {problem}")
    return run


def differences(ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    """What two runs' `values` differ in, as sentences ("rank is 4 here and 64 there").

    They may be of an older version: a key that this had not has its default.
    """
    try:
        here, there = _flatten(ours), _flatten(theirs)
    except ValidationError:
        return ["its settings are those of another version"]
    return [
        f"{key} is {json.dumps(here.get(key))} here and {json.dumps(there.get(key))} there"
        for key in sorted(here.keys() | there.keys())
        if here.get(key) != there.get(key)
    ]


def _flatten(run: dict[str, Any]) -> dict[str, Any]:
    """The values that two states must share, those of the average as `ema.KEY`."""
    renamed = {HyperParameters.RENAMED.get(key, key): value for key, value in run.items()}
    values = HyperParameters.model_validate(renamed).values()
    ema = values.pop("ema") or {}
    flat = {key: value for key, value in values.items() if key not in FREE}
    return flat | {f"ema.{key}": value for key, value in ema.items() if key != "preset"}
