"""Count what the transformers of FLUX.1, Z-Image and Qwen-Image compute: for emaki.costs.

    python benchmarks/transformer_costs.py > benchmarks/results/transformer_costs.json

Nothing is computed: tensors are on PyTorch's meta device, models of the sizes that diffusers' and
transformers' classes have by default, or as said below, which are those of the repositories. FLOPs
(two per multiplication with addition) are those of the forward pass for one picture with a caption
of as many tokens as said.
"""

import json
import sys

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderKLQwenImage,
    FluxTransformer2DModel,
    QwenImageTransformer2DModel,
    ZImageTransformer2DModel,
)
from torch.utils.flop_counter import FlopCounterMode
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen3Config,
    Qwen3Model,
    T5Config,
    T5EncoderModel,
)

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
RESOLUTIONS = (256, 512, 1024)
T5 = {"d_model": 4096, "d_ff": 10240, "num_layers": 24, "num_heads": 64, "d_kv": 64}
QWEN3 = {"hidden_size": 2560, "intermediate_size": 9728, "num_hidden_layers": 36}
QWEN3 |= {"num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128}
QWEN2 = {"hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28}
QWEN2 |= {"num_attention_heads": 28, "num_key_value_heads": 4, "vocab_size": 152064}
SEES = {"hidden_size": 1280, "intermediate_size": 3420, "out_hidden_size": 3584}
VAE = {
    "latent_channels": 16,
    "use_quant_conv": False,
    "use_post_quant_conv": False,
    "block_out_channels": (128, 256, 512, 512),
    "layers_per_block": 2,
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
}


def main():
    with torch.device("meta"):
        clip = {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12}
        flux = [CLIPTextModel(CLIPTextConfig(**clip))]
        flux.append(T5EncoderModel(T5Config(feed_forward_proj="gated-gelu", **T5)))
        vae = AutoencoderKL(**VAE)
        found = {
            "FLUX.1 dev": describe(FluxTransformer2DModel(guidance_embeds=True), vae, flux, 512),
            "Z-Image": describe(
                ZImageTransformer2DModel(), vae, [Qwen3Model(Qwen3Config(**QWEN3))], 96
            ),
            "Qwen-Image": describe(
                QwenImageTransformer2DModel(),
                AutoencoderKLQwenImage(),
                [
                    Qwen2_5_VLForConditionalGeneration(
                        Qwen2_5_VLConfig(text_config=QWEN2, vision_config=SEES)
                    )
                ],
                96,
            ),
        }
    json.dump({"torch": torch.__version__, **found}, sys.stdout, indent=1)
    print()


def describe(transformer, vae, encoders, tokens):
    """Parameters of the parts, those of a LoRA of rank 1 on the attention, and GFLOP by pixels."""
    linear = torch.nn.Linear
    layers = [(n, m) for n, m in transformer.named_modules() if isinstance(m, linear)]
    return {
        "transformer": count(transformer),
        "vae": count(vae),
        "text encoders": sum(map(count, encoders)),
        "lora": sum(sum(m.weight.shape) for name, m in layers if name.endswith(ATTENTION)),
        "caption's tokens": tokens,
        "gflop": {pixels: flops(transformer, pixels, tokens) for pixels in RESOLUTIONS},
    }


def count(model):
    return sum(parameter.numel() for parameter in model.parameters())


@torch.no_grad()
def flops(transformer, resolution, tokens):
    """GFLOP of the forward pass for a picture of so many pixels."""
    edge = resolution // 16
    empty = torch.empty
    with FlopCounterMode(display=False) as counter:
        if isinstance(transformer, ZImageTransformer2DModel):
            noisy, text = empty(16, 1, 2 * edge, 2 * edge), empty(tokens, 2560)
            transformer([noisy], torch.ones(1), [text])
        elif isinstance(transformer, FluxTransformer2DModel):
            text = {"encoder_hidden_states": empty(1, tokens, 4096)}
            text |= {"pooled_projections": empty(1, 768), "txt_ids": empty(tokens, 3)}
            picture = {"hidden_states": empty(1, edge**2, 64), "img_ids": empty(edge**2, 3)}
            transformer(**picture, **text, timestep=torch.ones(1), guidance=torch.ones(1))
        else:
            transformer(
                hidden_states=empty(1, edge**2, 64),
                encoder_hidden_states=empty(1, tokens, 3584),
                timestep=torch.ones(1),
                img_shapes=[(1, edge, edge)],
            )
    return counter.get_total_flops() / 1e9


if __name__ == "__main__":
    main()
