"""What a run means where it says nothing: the defaults of two reference trainers.

`diffusers` is `examples/text_to_image/train_text_to_image.py`; `compvis` is the code behind the
Lambda Labs Pokémon notebook (justinpinkney/stable-diffusion). docs/training.md says row by row
how they differ and where that was read. This module imports nothing heavy: config loading uses it.
"""

from copy import deepcopy

DIFFUSERS = {
    "recipe": "diffusers",
    "seed": 0,
    "batch_size": 16,
    "gradient_accumulation_steps": 1,
    "processes": 1,
    "learning_rate": 1e-4,
    "scale_lr": False,
    "lr_scheduler": "constant",
    "lr_warmup_steps": 0,
    "lr_horizon": None,
    "optimizer": "adamw",
    "adam_beta1": 0.9,
    "adam_beta2": 0.999,
    "adam_epsilon": 1e-8,
    "weight_decay": 1e-2,
    "max_grad_norm": 1.0,
    "mixed_precision": "no",
    "gradient_checkpointing": False,
    "attention": "sdpa",
    "compile": False,
    "resolution": 512,
    "random_flip": False,
    "noise_offset": 0.0,
    "snr_gamma": None,
    "caption_dropout": 0.0,
    "rank": 4,
    "lora_alpha": None,
    "target_modules": ["to_k", "to_q", "to_v", "to_out.0"],
    "train_text_encoder": False,
    "text_encoder_learning_rate": None,
    "train_init": "ema",
    "ema": None,
    "save_precision": "fp32",
    "threads": 1,
}

COMPVIS = DIFFUSERS | {
    "recipe": "compvis",
    "batch_size": 4,
    "lr_scheduler": "constant_with_warmup",
    "lr_warmup_steps": 1,
    "max_grad_norm": None,
    "random_flip": True,
    "train_init": "non_ema",
    "ema": {"preset": "compvis"},
}

RECIPES = {"diffusers": DIFFUSERS, "compvis": COMPVIS}

EMA_PRESETS = {
    # EMAModel's decay is 0 in the first update, so the weights it starts from do not count.
    "diffusers": {
        "init": "ema",
        "decay": 0.9999,
        "warmup": "diffusers",
        "start_updates": 0,
        "per": "step",
    },
    # LitEma takes over the base's count of updates; from 89,991 on its decay is 0.9999 at once.
    "compvis": {
        "init": "ema",
        "decay": 0.9999,
        "warmup": "compvis",
        "start_updates": 100_000,
        "per": "micro_batch",
    },
}


def defaults(recipe="diffusers"):
    """The value of every hyper-parameter that a run of `recipe` does not give itself."""
    return deepcopy(RECIPES[recipe])


def resolve(run):
    """Fill a run's missing hyper-parameters from its recipe and its EMA's from their preset.

    A LoRA starts from nothing, so its average starts from the trained weights, and it is trained
    on its model's plain U-Net, because that is what it is put on afterwards. `lora_alpha` is the
    rank where it is not given, which makes the LoRA's own scale 1. Resolving twice changes nothing.
    """
    plain = {"train_init": "ema"} if run.get("method") == "lora" else {}
    run = defaults(run.get("recipe", "diffusers")) | plain | deepcopy(run)
    if run["lora_alpha"] is None:
        run["lora_alpha"] = run["rank"]
    if run["ema"] is not None:
        preset = run["ema"].get("preset", run["recipe"])
        run["ema"] = {"preset": preset} | EMA_PRESETS[preset] | run["ema"]
        if run.get("method") == "lora":
            run["ema"]["init"] = "train"
    return run
