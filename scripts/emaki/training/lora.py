"""Low-rank updates of a model's layers (Hu et al. 2021), by peft."""

import json

import torch

from emaki.errors import UserError
from emaki.training import models

FILE = "pytorch_lora_weights.safetensors"
TEXT_ENCODER_MODULES = ("q_proj", "k_proj", "v_proj", "out_proj")


def add(model, run, modules, dtype):
    """Freeze `model`, cast it to `dtype` and give its layers `modules` a LoRA in float32.

    A starts normal with standard deviation 1 / rank, from the run's seed, and B starts at 0, so
    the model is unchanged at first. Layers are scaled by lora_alpha / rank.
    """
    from peft import LoraConfig

    config = LoraConfig(
        r=run["rank"],
        lora_alpha=run["lora_alpha"],
        init_lora_weights="gaussian",
        target_modules=list(modules),
    )
    model.requires_grad_(False)
    for parameter in model.parameters():
        parameter.data = parameter.data.to(dtype)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(run["seed"])
        try:
            model.add_adapter(config)
        except ValueError as error:
            raise UserError(f"target_modules {list(modules)}: {error}") from error
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()


def save(modules, weights, folder, precision):
    """Write the LoRA `weights` (name: tensor) as `load_lora_weights` reads them.

    `modules` are the models by their names in the pipeline ("unet", "text_encoder"). Alpha and
    rank are in the file's metadata, so that the loaded LoRA has the trained scale.
    """
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    dtype = {"fp32": torch.float32, "fp16": torch.float16}[precision]
    tensors, metadata = {}, {}
    for part, model in modules.items():
        for name, tensor in _in_diffusers_format(model, part, weights).items():
            tensors[f"{part}.{name}"] = tensor.detach().to("cpu", dtype).contiguous()
        for key, value in model.peft_config["default"].to_dict().items():
            if value is not None:
                metadata[f"{part}.{key}"] = sorted(value) if isinstance(value, set) else value
    text = json.dumps(metadata, indent=2, sort_keys=True)
    # One entry only: safetensors writes several in an order that changes from process to process.
    save_file(tensors, folder / FILE, metadata={"lora_adapter_metadata": text})


def _in_diffusers_format(model, part, weights):
    """The `weights` of one part (see loop.Trainer), named as diffusers does."""
    from diffusers.utils import convert_state_dict_to_diffusers
    from peft.utils import get_peft_model_state_dict

    own = models.of_part(weights, part)
    return convert_state_dict_to_diffusers(get_peft_model_state_dict(model, state_dict=own))
