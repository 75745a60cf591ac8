"""Low-rank updates of a model's layers (Hu et al. 2021), by peft."""

import inspect
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig
from peft.tuners.lora import LoraLayer
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file

from emaki.common import weight_files
from emaki.common.devices import dtype
from emaki.common.errors import UserError
from emaki.families import Family
from emaki.training import models
from emaki.training.settings import HyperParameters

WEBUI_FILE = "webui/lora.safetensors"
START = "start"  # peft's name for the LoRA that a training starts from
KOHYA = {"A.weight": "lora_down.weight", "B.weight": "lora_up.weight"}


def add_lora(model: Any, run: HyperParameters, modules: Sequence[str]) -> None:
    """Freeze `model`, cast it to the run's precision, give its layers `modules` a float32 LoRA.

    A starts normal with standard deviation 1 / rank, from the run's seed, and B starts at 0, so
    the model is unchanged at first. Layers are scaled by lora_alpha / rank. Raises UserError where
    the model lacks one of these layers.
    """
    names = [f".{name}" for name, _ in model.named_modules()]
    for module in modules:
        if not any(name.endswith(f".{module}") for name in names):
            raise UserError(f"target_modules has {module!r}, but no layer's name ends so")
    config = LoraConfig(
        r=run.rank,
        lora_alpha=run.lora_alpha,  # type: ignore[arg-type]  # peft takes any number
        init_lora_weights="gaussian",
        target_modules=list(modules),
    )
    model.requires_grad_(False)
    for parameter in model.parameters():
        parameter.data = parameter.data.to(dtype(run.mixed_precision))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(run.seed)
        try:
            model.add_adapter(config)
        except ValueError as error:
            raise UserError(f"target_modules {list(modules)}: {error}") from error
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()


def start_from(family: Family, modules: Mapping[str, Any], folder: str | Path) -> None:
    """Give the LoRAs of `modules`, which are a Trainer's, the weights of another LoRA's folder.

    It may have any names that diffusers reads. Where its scale (alpha / rank) is another, B takes
    the difference, so that the model is that LoRA's. Raises UserError where layers or ranks differ.
    """
    theirs = _read_layers(family, modules, Path(folder))
    ours: dict[str, Any] = {
        f"{part}.{name}": layer
        for part, model in modules.items()
        for name, layer in model.named_modules()
        if isinstance(layer, LoraLayer)
    }
    if ours.keys() != theirs.keys():
        name = min(ours.keys() ^ theirs.keys())
        owner = "this run trains" if name in ours else "it has"
        raise UserError(f"train_init: the LoRA in {folder} has other layers; only {owner} {name}")
    with torch.no_grad():
        for name, layer in ours.items():
            there, rank = theirs[name], layer.r["default"]
            if there.r[START] != rank:
                raise UserError(
                    f"train_init: the LoRA in {folder} has rank {there.r[START]} at {name}, and "
                    f"this run has rank {rank}"
                )
            scale = there.scaling[START] / layer.scaling["default"]
            layer.lora_A["default"].weight.copy_(there.lora_A[START].weight)
            layer.lora_B["default"].weight.copy_(there.lora_B[START].weight * scale)


def _read_layers(family: Family, modules: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """{part and layer: peft's layer} of a LoRA's folder, on models that have no other weights."""
    import diffusers

    pipeline = getattr(diffusers, family.pipeline)
    # FLUX.1's gives the alphas only where it is asked for them; others have no such argument
    asked = "return_alphas" in inspect.signature(pipeline.lora_state_dict).parameters
    state, *alphas, metadata = pipeline.lora_state_dict(
        folder,
        weight_name=weight_files.LORA,
        return_lora_metadata=True,
        **({"return_alphas": True} if asked else {}),
    )
    options = {"adapter_name": START, "metadata": metadata}
    layers = {}
    for part in modules:
        with torch.device("meta"):
            model = family.make_denoiser() if part == family.denoiser else family.make_encoder(part)
        model.to_empty(device="cpu")  # a place for the LoRA's layers; memory that nothing touches
        if part == family.denoiser:
            load = getattr(pipeline, f"load_lora_into_{part}")
            load(state, *alphas, model, **options)
        else:
            pipeline.load_lora_into_text_encoder(state, *alphas, model, prefix=part, **options)
        for name, layer in model.named_modules():
            if isinstance(layer, LoraLayer):
                layers[f"{part}.{name}"] = layer
    return layers


def save(
    family: Family,
    modules: Mapping[str, Any],
    weights: Mapping[str, torch.Tensor],
    folder: Path,
    precision: str,
) -> None:
    """Write the LoRA `weights` (name: tensor), once for diffusers and once for web UIs.

    `modules` are a Trainer's. The file weight_files.LORA is what `load_lora_weights` reads; alpha
    and rank are in its metadata, so that the loaded LoRA has the trained scale. It has peft's
    names: convert_state_dict_to_diffusers gives older ones to attention's layers only, and where
    the first name is peft's, load_lora_weights leaves those out. WEBUI_FILE has the names of
    kohya's sd-scripts, and alpha beside each pair.
    """
    (folder / WEBUI_FILE).parent.mkdir(parents=True)
    tensors: dict[str, torch.Tensor] = {}
    for_web_uis: dict[str, torch.Tensor] = {}
    metadata: dict[str, Any] = {}
    for part, model in modules.items():
        config = model.peft_config["default"].to_dict()
        own = {
            name: tensor.detach().to("cpu", dtype(precision)).contiguous()
            for name, tensor in _rename_as_peft(family, model, part, weights).items()
        }
        tensors |= {f"{part}.{name}": tensor for name, tensor in own.items()}
        for_web_uis |= _rename_as_kohya(family, own, part, config["lora_alpha"])
        for key, value in config.items():
            if value is not None:
                metadata[f"{part}.{key}"] = sorted(value) if isinstance(value, set) else value
    text = json.dumps(metadata, indent=2, sort_keys=True)
    # One entry only: safetensors writes several in an order that changes from process to process.
    save_file(tensors, folder / weight_files.LORA, metadata={"lora_adapter_metadata": text})
    save_file(for_web_uis, folder / WEBUI_FILE)


def _rename_as_peft(
    family: Family, model: Any, part: str, weights: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """The `weights` of one part (see trainer.Trainer): LAYER.lora_A.weight and LAYER.lora_B.weight.

    transformers 5.6 took CLIP's layers out of `text_model`, where all that reads a LoRA, diffusers
    included, still looks for them.
    """
    own = get_peft_model_state_dict(model, state_dict=models.of_part(weights, part))
    if part == family.denoiser:
        return own
    return {f"text_model.{name.removeprefix('text_model.')}": own[name] for name in own}


def _rename_as_kohya(
    family: Family, own: Mapping[str, torch.Tensor], part: str, alpha: float
) -> dict[str, torch.Tensor]:
    named = {}
    for name, tensor in own.items():
        layer, _, side = name.rpartition(".lora_")
        key = family.webui_name(part, layer)
        named[f"{key}.{KOHYA[side]}"] = tensor
        named[f"{key}.alpha"] = torch.tensor(float(alpha))
    return named
