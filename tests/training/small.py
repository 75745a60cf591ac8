"""A random Stable Diffusion of a few hundred kilobytes, a drawn dataset and its latents."""

import io
import json
from unittest import mock

import torch

SIZE = 32


def make_unet(seed):
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    torch.manual_seed(seed)
    return UNet2DConditionModel(
        sample_size=SIZE // 4,
        block_out_channels=(32, 64),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=32,
        attention_head_dim=4,
        norm_num_groups=8,
    )


def make_tokenizer(folder, longest=16):
    """A CLIP tokenizer of letters and digits, which cuts at `longest` tokens."""
    from transformers.models.clip.tokenization_clip import CLIPTokenizer

    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    tokens = [*letters, *(f"{letter}</w>" for letter in letters)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True)
    (folder / "vocab.json").write_text(json.dumps({t: i for i, t in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer(
        str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=longest
    )


def make_vae(**changes):
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(8, 8, 16),
        latent_channels=4,
        norm_num_groups=8,
        sample_size=SIZE,
        **changes,
    )


def text_config(tokenizer, **changes):
    from transformers import CLIPTextConfig

    sizes = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 16,
    }
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **sizes | changes,
    )


def make_pipeline(folder, prediction_type="epsilon"):
    """Write a StableDiffusionPipeline folder with random weights and a non_ema U-Net file."""
    from diffusers import PNDMScheduler, StableDiffusionPipeline
    from transformers import CLIPTextModel

    tokenizer = make_tokenizer(folder / "words")
    torch.manual_seed(0)
    pipeline = StableDiffusionPipeline(
        vae=make_vae(),
        text_encoder=CLIPTextModel(text_config(tokenizer)),
        tokenizer=tokenizer,
        unet=make_unet(1),
        scheduler=PNDMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            skip_prk_steps=True,
            steps_offset=1,
            prediction_type=prediction_type,
        ),
        safety_checker=None,
        feature_extractor=None,
    )
    pipeline.save_pretrained(folder / "model")
    make_unet(2).save_pretrained(folder / "model/unet", variant="non_ema")
    return folder / "model"


def make_sdxl_pipeline(folder):
    """Write a StableDiffusionXLPipeline folder with random weights."""
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTextModelWithProjection

    tokenizer = make_tokenizer(folder / "words")
    torch.manual_seed(0)
    second = {"hidden_size": 48, "projection_dim": 40, "hidden_act": "gelu"}
    pipeline = StableDiffusionXLPipeline(
        vae=make_vae(),
        text_encoder=CLIPTextModel(text_config(tokenizer)),
        text_encoder_2=CLIPTextModelWithProjection(text_config(tokenizer, **second)),
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        unet=UNet2DConditionModel(
            sample_size=SIZE // 4,
            block_out_channels=(32, 64),
            layers_per_block=2,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            transformer_layers_per_block=(1, 2),
            attention_head_dim=(2, 4),
            use_linear_projection=True,
            cross_attention_dim=32 + 48,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=40 + 6 * 8,
            norm_num_groups=8,
        ),
        scheduler=EulerDiscreteScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            timestep_spacing="leading",
            steps_offset=1,
        ),
        add_watermarker=False,
    )
    pipeline.save_pretrained(folder / "model")
    return folder / "model"


def make_sd3_pipeline(folder, with_t5=False, longest=16):
    """Write a StableDiffusion3Pipeline folder with random weights, its schedule shifted by 3."""
    from diffusers import (
        FlowMatchEulerDiscreteScheduler,
        SD3Transformer2DModel,
        StableDiffusion3Pipeline,
    )
    from transformers import CLIPTextModelWithProjection, T5Config, T5EncoderModel

    tokenizer = make_tokenizer(folder / "words", longest)
    torch.manual_seed(0)
    sizes = ({"hidden_size": size, "projection_dim": size} for size in (32, 48))
    encoders = [
        CLIPTextModelWithProjection(text_config(tokenizer, max_position_embeddings=longest, **size))
        for size in sizes
    ]
    sizes = {"d_model": 96, "d_kv": 8, "d_ff": 64, "num_layers": 1, "num_heads": 4}
    pipeline = StableDiffusion3Pipeline(
        vae=make_vae(shift_factor=0.1),
        text_encoder=encoders[0],
        text_encoder_2=encoders[1],
        text_encoder_3=T5EncoderModel(T5Config(vocab_size=40, **sizes)) if with_t5 else None,
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        tokenizer_3=make_t5_tokenizer() if with_t5 else None,
        transformer=SD3Transformer2DModel(
            sample_size=SIZE // 4,
            patch_size=2,
            in_channels=4,
            out_channels=4,
            num_layers=2,
            attention_head_dim=8,
            num_attention_heads=4,
            joint_attention_dim=96,
            caption_projection_dim=32,
            pooled_projection_dim=32 + 48,
            pos_embed_max_size=8,
            qk_norm="rms_norm",
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
    )
    pipeline.save_pretrained(folder / "model")
    return folder / "model"


def make_flux_pipeline(folder, guidance=True):
    """Write a FluxPipeline folder with random weights, of dev's kind or, without guidance, of
    schnell's."""
    from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
    from transformers import CLIPTextModel, T5Config, T5EncoderModel

    tokenizer = make_tokenizer(folder / "words", longest=77)
    torch.manual_seed(0)
    sizes = {"d_model": 48, "d_kv": 8, "d_ff": 64, "num_layers": 1, "num_heads": 4}
    pipeline = FluxPipeline(
        vae=make_vae(shift_factor=0.1),
        text_encoder=CLIPTextModel(text_config(tokenizer, max_position_embeddings=77)),
        text_encoder_2=T5EncoderModel(T5Config(vocab_size=40, **sizes)),
        tokenizer=tokenizer,
        tokenizer_2=make_t5_tokenizer(),
        transformer=FluxTransformer2DModel(
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=48,
            pooled_projection_dim=32,
            guidance_embeds=guidance,
            axes_dims_rope=(4, 6, 6),
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=guidance),
    )
    pipeline.save_pretrained(folder / "model")
    return folder / "model"


def make_z_image_pipeline(folder):
    """Write a ZImagePipeline folder with random weights."""
    from diffusers import FlowMatchEulerDiscreteScheduler, ZImagePipeline, ZImageTransformer2DModel
    from transformers import Qwen3Config, Qwen3Model

    tokenizer = make_qwen_tokenizer()
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 32, "head_dim": 16}
    sizes |= {"num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1}
    pipeline = ZImagePipeline(
        vae=make_vae(shift_factor=0.1),
        text_encoder=Qwen3Model(Qwen3Config(vocab_size=len(tokenizer), **sizes)),
        tokenizer=tokenizer,
        transformer=ZImageTransformer2DModel(
            in_channels=4,
            dim=32,
            n_layers=2,
            n_refiner_layers=1,
            n_heads=2,
            n_kv_heads=2,
            cap_feat_dim=32,
            axes_dims=[4, 6, 6],
            axes_lens=[1024, 64, 64],
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
    )
    pipeline.save_pretrained(folder / "model")
    return folder / "model"


def make_qwen_image_pipeline(folder):
    """Write a QwenImagePipeline folder with random weights."""
    from diffusers import (
        AutoencoderKLQwenImage,
        FlowMatchEulerDiscreteScheduler,
        QwenImagePipeline,
        QwenImageTransformer2DModel,
    )
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    tokenizer = make_qwen_tokenizer()
    torch.manual_seed(0)
    text = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2}
    text |= {"num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": len(tokenizer)}
    text["rope_parameters"] = {"rope_type": "default", "mrope_section": [2, 3, 3]}
    sees = {"depth": 1, "hidden_size": 32, "intermediate_size": 32, "num_heads": 2}
    sees |= {"out_hidden_size": 32, "fullatt_block_indexes": [0]}
    pipeline = QwenImagePipeline(
        vae=AutoencoderKLQwenImage(
            base_dim=8,
            z_dim=4,
            dim_mult=[1, 1, 2],
            num_res_blocks=1,
            temperal_downsample=[False, True],
            latents_mean=[-0.1, 0.2, 0.0, 0.3],
            latents_std=[0.7, 1.1, 1.3, 0.9],
        ),
        text_encoder=Qwen2_5_VLForConditionalGeneration(
            Qwen2_5_VLConfig(text_config=text, vision_config=sees)
        ),
        tokenizer=tokenizer,
        transformer=QwenImageTransformer2DModel(
            in_channels=16,
            out_channels=4,
            num_layers=2,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=32,
            axes_dims_rope=(4, 6, 6),
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, shift_terminal=0.02),
    )
    pipeline.save_pretrained(folder / "model")
    return folder / "model"


def make_qwen_tokenizer():
    """A tokenizer of bytes in Qwen's form."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import Qwen2Tokenizer

    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    words = [*special, *sorted(ByteLevel.alphabet())]
    tokenizer = Qwen2Tokenizer(
        vocab={word: number for number, word in enumerate(words)},
        additional_special_tokens=special[1:],
    )
    tokenizer.chat_template = (
        "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}"
        "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    return tokenizer


def make_t5_tokenizer():
    """A T5 tokenizer of letters."""
    from transformers import T5Tokenizer

    letters = [(letter, -3.0) for letter in "abcdefghijklmnopqrstuvwxyz"]
    special = [(token, 0.0) for token in ("<pad>", "</s>", "<unk>")]
    return T5Tokenizer(vocab=[*special, ("\u2581", -2.0), *letters], extra_ids=0)


def make_dataset(folder, train=7, validation=3):
    """Write a dataset folder of drawn discs whose captions say their colour."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from PIL import Image, ImageDraw

    picture = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    schema = pa.schema({"id": pa.string(), "image": picture, "text": pa.string()})

    (folder / "data").mkdir(parents=True)
    colours = ["red", "green", "blue", "gold", "pink"]
    number = 0
    for split, count in (("train", train), ("validation", validation)):
        rows = []
        for _ in range(count):
            colour = colours[number % len(colours)]
            image = Image.new("RGB", (SIZE + 8, SIZE), "white")
            ImageDraw.Draw(image).ellipse((4 + number, 4, 22 + number, 22), fill=colour)
            data = io.BytesIO()
            image.save(data, "PNG")
            picture = {"bytes": data.getvalue(), "path": None}
            rows.append({"id": f"disc-{number}", "image": picture, "text": f"a {colour} disc"})
            number += 1
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / f"data/{split}.parquet")
    return folder


def make_latents(dataset, model, output, random_flip=True):
    from emaki.training import encoding

    with mock.patch.object(encoding, "device", return_value=torch.device("cpu")):
        encoding.encode_dataset(dataset, model, SIZE, random_flip, output)
    return output
