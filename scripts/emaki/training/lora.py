"""Low-rank updates of the U-Net's layers (Hu et al. 2021), by peft."""

import json

import torch

from emaki.errors import UserError

FILE = "pytorch_lora_weights.safetensors"


def add(unet, run, dtype):
    """Freeze the U-Net, cast it to `dtype` and give `target_modules` a LoRA in float32.

    A starts normal with standard deviation 1 / rank, from the run's seed, and B starts at 0, so
    the model is unchanged at first. Layers are scaled by lora_alpha / rank.
    """
    from peft import LoraConfig

    config = LoraConfig(
        r=run["rank"],
        lora_alpha=run["lora_alpha"],
        init_lora_weights="gaussian",
        target_modules=list(run["target_modules"]),
    )
    unet.requires_grad_(False)
    for parameter in unet.parameters():
        parameter.data = parameter.data.to(dtype)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(run["seed"])
        try:
            unet.add_adapter(config)
        except ValueError as error:
            raise UserError(f"target_modules {run['target_modules']}: {error}") from error
    for parameter in unet.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return unet


def save(unet, weights, folder, precision):
    """Write the LoRA `weights` (peft's name: tensor) as `load_lora_weights` reads them.

    Alpha and rank are in the file's metadata, so that the loaded LoRA has the trained scale.
    """
    from diffusers.utils import convert_state_dict_to_diffusers
    from peft.utils import get_peft_model_state_dict
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    dtype = {"fp32": torch.float32, "fp16": torch.float16}[precision]
    full = get_peft_model_state_dict(unet, state_dict=weights)
    tensors = {
        f"unet.{name}": tensor.detach().to("cpu", dtype).contiguous()
        for name, tensor in convert_state_dict_to_diffusers(full).items()
    }
    config = unet.peft_config["default"].to_dict()
    metadata = {f"unet.{key}": _plain(value) for key, value in config.items()}
    metadata = {key: value for key, value in metadata.items() if value is not None}
    text = json.dumps(metadata, indent=2, sort_keys=True)
    # One entry only: safetensors writes several in an order that changes from process to process.
    save_file(tensors, folder / FILE, metadata={"lora_adapter_metadata": text})


def _plain(value):
    return sorted(value) if isinstance(value, set) else value
