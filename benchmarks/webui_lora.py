"""A LoRA's file for web UIs in ComfyUI's own loader, against diffusers.

    git clone https://github.com/comfyanonymous/ComfyUI /tmp/ComfyUI
    python benchmarks/webui_lora.py /tmp/ComfyUI

ComfyUI knows a U-Net by its sizes: models of SD 1.4's, they and the LoRAs random. Every weight that
a LoRA changes is compared with what diffusers gives it (load_lora_weights, fuse_lora), in float32
on the CPU. Takes 18 GB and ComfyUI's requirements; writes benchmarks/results/webui_lora.json.
"""

import argparse
import json
import logging
import sys
import tempfile
from pathlib import Path

import torch
from diffusers import DDPMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from safetensors.torch import load_file
from transformers import CLIPTextConfig, CLIPTextModel

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))
from emaki.common import weight_files
from emaki.families.stable_diffusion import StableDiffusion
from emaki.training import lora
from emaki.training.settings import HyperParameters

RUN = HyperParameters(method="lora", rank=4, lora_alpha=3.0)
CLIP = {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12}
PARTS = ("unet", "text_encoder")
FAMILY = StableDiffusion("")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("comfyui", help="a checkout of ComfyUI")
    sys.path.insert(0, parser.parse_args().comfyui)
    sys.argv[1:] = ["--cpu"]  # for ComfyUI, which reads them where it is told to
    import comfy.options
    from comfyui_version import __version__

    comfy.options.enable_args_parsing()
    found = {"ComfyUI": __version__, "cases": list(compare())}
    print(found)
    output = Path(__file__).parent / "results/webui_lora.json"
    output.write_text(json.dumps(found, indent=1) + "\n")


def compare():
    """Yield the figures of each LoRA, on the default layers and on all, and strength."""
    torch.manual_seed(0)
    unet = UNet2DConditionModel(cross_attention_dim=768, attention_head_dim=8).half()
    every = [n for n, m in unet.named_modules() if isinstance(m, torch.nn.Linear | torch.nn.Conv2d)]
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        unet.save_pretrained(folder / "unet")
        CLIPTextModel(CLIPTextConfig(**CLIP)).save_pretrained(folder / "text_encoder")
        for layers in (RUN.target_modules, every):
            place = folder / str(len(layers))
            make_lora(load(folder), layers, place)
            for strength in (1.0, 0.5):
                ours = by_diffusers(load(folder), place, strength)
                theirs, said = by_comfyui(folder, place, strength)
                worst = max(float((ours[name] - theirs[name]).abs().max()) for name in ours)
                yield {"layers": len(ours), "strength": strength, "difference": worst, "said": said}


def load(folder):
    unet = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float32)
    return dict(zip(PARTS, (unet, CLIPTextModel.from_pretrained(folder / "text_encoder"))))


def make_lora(models, layers, folder):
    """Write a LoRA of `models`, with an alpha that is not its rank."""
    folder.mkdir()
    weights = {}
    for part, own in zip(PARTS, (layers, FAMILY.encoder_layers)):
        lora.add_lora(models[part], RUN, own)
        prefix = "" if part == "unet" else f"{part}."
        for name, parameter in models[part].named_parameters():
            if parameter.requires_grad:
                weights[prefix + name] = torch.nn.init.normal_(parameter.detach(), std=0.1)
    lora.save(FAMILY, models, weights, folder, "fp32")


def by_diffusers(models, folder, strength):
    """The fused weights: unet.NAME and text_encoder.NAME."""
    absent = dict.fromkeys(["vae", "tokenizer", "safety_checker", "feature_extractor"])
    pipeline = StableDiffusionPipeline(**models, scheduler=DDPMScheduler(), **absent)
    pipeline.load_lora_weights(folder, weight_name=weight_files.LORA)
    pipeline.fuse_lora(lora_scale=strength)
    return {
        f"{part}.{name.removeprefix('text_model.')}.weight": module.base_layer.weight.detach()
        for part, model in models.items()
        for name, module in model.named_modules()
        if hasattr(module, "base_layer")
    }


def by_comfyui(folder, place, strength):
    """The patched weights under the same names, and what ComfyUI said of the LoRA's file."""
    from comfy import model_management, sd, utils

    unet, text = (load_file(next((folder / part).glob("*.safetensors"))) for part in PARTS)
    text = {f"text_model.{name.removeprefix('text_model.')}": text[name] for name in text}
    said, dtype = [], {"dtype": torch.float32}
    unet = sd.load_diffusion_model_state_dict(unet, dtype)
    clip = sd.load_text_encoder_state_dicts([text], model_options=dtype)
    logging.getLogger().addFilter(lambda record: said.append(record.getMessage()) or True)
    file = load_file(place / lora.WEBUI_FILE)
    unet, clip = sd.load_lora_for_models(unet, clip, file, strength, strength)
    logging.getLogger().filters.clear()
    model_management.load_models_gpu([unet, clip.patcher])
    names = utils.unet_to_diffusers(unet.model.model_config.unet_config)
    weights = unet.model.diffusion_model.state_dict()
    found = {f"unet.{name}": weights.get(theirs) for name, theirs in names.items()}
    for name, tensor in clip.patcher.model.state_dict().items():
        found[name.replace("clip_l.transformer.text_model.", "text_encoder.")] = tensor
    return found, said


if __name__ == "__main__":
    main()
