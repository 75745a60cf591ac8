"""Count what a training step of SD 1.4's U-Net computes and keeps: for emaki.costs.estimates.

    python benchmarks/unet_costs.py > benchmarks/results/unet_costs.json

Nothing is computed: tensors are on PyTorch's meta device. Counted are FLOPs (two per multiplication
with addition) by FlopCounterMode, and the bytes of all tensors that autograd keeps for the backward
pass of one picture, with an attention that keeps its inputs and output only. "half" is float16
with the operations that CUDA's autocast computes in float32 in that type.
"""

import json
import sys
from unittest import mock

import torch
import torch.nn.functional as functional
from diffusers import UNet2DConditionModel
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from torch.utils.flop_counter import FlopCounterMode

SD14 = {"cross_attention_dim": 768, "attention_head_dim": 8}
ATTENTION = ("to_q", "to_k", "to_v", "to_out")


class Attention(torch.autograd.Function):
    @staticmethod
    def forward(context, query, key, value):
        output = torch.empty_like(query)
        context.save_for_backward(query, key, value, output)
        return output


def main():
    with torch.device("meta"):
        unet = UNet2DConditionModel(**SD14)
    found = {
        "parameters": sum(p.numel() for p in unet.parameters()),
        "lora_parameters_per_rank": sum(
            sum(module.weight.shape)
            for name, module in unet.named_modules()
            if isinstance(module, torch.nn.Linear) and any(part in name for part in ATTENTION)
        ),
        "torch": torch.__version__,
        "gflop": flops(unet, 512),
        "kept_mib": {
            f"{kind} {precision}": kept(unet, kind, precision, 512)
            for kind in ("full", "lora", "checkpointing")
            for precision in ("half", "single")
        },
    }
    json.dump(found, sys.stdout, indent=1)
    print()


def inputs(unet, resolution):
    """A noisy latent (1, 4, H, W), a timestep (1,) and a text embedding (1, 77, D)."""
    edge = resolution // 8
    return (
        torch.empty(1, 4, edge, edge, dtype=unet.dtype, device="meta", requires_grad=True),
        torch.zeros(1, dtype=torch.long, device="meta"),
        torch.empty(1, 77, unet.config.cross_attention_dim, dtype=unet.dtype, device="meta"),
    )


def flops(unet, resolution):
    """GFLOP of the forward pass, and of forward and backward together, for one picture."""
    with FlopCounterMode(display=False) as forward, torch.no_grad():
        unet(*inputs(unet, resolution))
    with FlopCounterMode(display=False) as both:
        unet(*inputs(unet, resolution)).sample.sum().backward()
    return {"forward": forward.get_total_flops() / 1e9, "both": both.get_total_flops() / 1e9}


def kept(unet, kind, precision, resolution):
    """MiB that are kept of a picture, and the most that one block of the U-Net keeps."""
    unet.to(torch.float16 if precision == "half" else torch.float32).train()
    unet.disable_gradient_checkpointing()
    for name, parameter in unet.named_parameters():
        parameter.requires_grad_(kind != "lora" or any(part in name for part in ATTENTION))
    blocks = kept_by_blocks(unet, precision, resolution)
    if kind == "checkpointing":
        unet.enable_gradient_checkpointing()
    return {"all": run(unet, precision, resolution), "largest block": max(blocks)}


def kept_by_blocks(unet, precision, resolution):
    """MiB that each block keeps where nothing is computed again."""
    found, hooks, storages = [], [], {}

    def before(module, arguments):
        module.before = sum(storage.nbytes() for storage in storages.values())

    def after(module, arguments, output):
        total = sum(storage.nbytes() for storage in storages.values())
        found.append((total - module.before) / 2**20)

    for module in unet.modules():
        if isinstance(module, ResnetBlock2D | Transformer2DModel):
            hooks += [module.register_forward_pre_hook(before)]
            hooks += [module.register_forward_hook(after)]
    run(unet, precision, resolution, storages)
    for hook in hooks:
        hook.remove()
    return found


def run(unet, precision, resolution, storages=None):
    """MiB that a forward pass keeps beside the weights; `storages` collects them."""
    storages = {} if storages is None else storages
    weights = {parameter.untyped_storage()._cdata for parameter in unet.parameters()}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage._cdata not in weights:
            storages[storage._cdata] = storage
        return tensor

    with (
        mock.patch.multiple(functional, **operations(precision)),
        torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor),
    ):
        unet(*inputs(unet, resolution))
    return sum(storage.nbytes() for storage in storages.values()) / 2**20


def operations(precision):
    """torch.nn.functional's operations as autocast runs them, and an attention like SDPA's."""

    def attention(query, key, value, **_):
        return Attention.apply(query, key, value)

    def in_float(operation):
        def call(x, size, weight=None, bias=None, eps=1e-5):
            return operation(x.float(), size, weight.float(), bias.float(), eps)

        return call

    def in_half(operation):
        return lambda x, weight, *rest: operation(x.to(weight.dtype), weight, *rest)

    if precision == "single":
        return {"scaled_dot_product_attention": attention}
    return {
        "scaled_dot_product_attention": attention,
        "group_norm": in_float(functional.group_norm),
        "layer_norm": in_float(functional.layer_norm),
        "conv2d": in_half(functional.conv2d),
        "linear": in_half(functional.linear),
    }


if __name__ == "__main__":
    main()
