"""What a run means where it says nothing, by reference trainer.

`diffusers` is `examples/text_to_image/train_text_to_image.py`: its defaults stand in the classes of
training/settings.py. `compvis` is the code behind the Lambda Labs Pokémon notebook
(justinpinkney/stable-diffusion): what is different there is below. docs/training.md says row by row
how they differ and where that was read.
"""

from typing import Any

RECIPES: dict[str, dict[str, Any]] = {
    "diffusers": {},
    "compvis": {
        "batch_size": 4,
        "lr_scheduler": "constant_with_warmup",
        "lr_warmup_steps": 1,
        "max_grad_norm": None,
        "random_flip": True,
        "train_init": "non_ema",
        "ema": {"preset": "compvis"},
    },
}

EMA_PRESETS: dict[str, dict[str, Any]] = {
    # EMAModel's decay is 0 in the first update, so the weights it starts from do not count.
    "diffusers": {},
    # LitEma takes over the base's count of updates; from 89,991 on its decay is 0.9999 at once.
    "compvis": {"warmup": "compvis", "start_updates": 100_000, "per": "micro_batch"},
}

LORA_KEYS = ("rank", "lora_alpha", "target_modules")


def resolve(written: dict[str, Any]) -> dict[str, Any]:
    """Add to what a run says what follows from its recipe and its method.

    A LoRA starts from nothing, so its average starts from the trained weights, and it is trained
    on its model's plain U-Net, because that is what it is put on afterwards. A full fine-tune has
    no LoRA, whatever it may have inherited from one. Resolving twice changes nothing, and what is
    not valid stays as it is: the classes of training/settings.py, which call this, tell of it.
    """
    lora = written.get("method") == "lora"
    recipe = written.get("recipe", "diffusers")
    plain = {"train_init": "ema"} if lora else {}
    run = _entry(RECIPES, recipe) | plain | written
    if not lora:
        run = {key: value for key, value in run.items() if key not in LORA_KEYS}
    elif run.get("lora_alpha", "") is None:
        del run["lora_alpha"]  # the rank then, as where it is not given
    if isinstance(run.get("ema"), dict):
        run["ema"] = {"preset": recipe} | run["ema"] | ({"init": "train"} if lora else {})
    return run


def resolve_ema(written: dict[str, Any]) -> dict[str, Any]:
    """Add to what a run says of its average what follows from its preset."""
    return _entry(EMA_PRESETS, written.get("preset")) | written


def _entry(entries: dict[str, dict[str, Any]], name: Any) -> dict[str, Any]:
    return entries.get(name, {}) if isinstance(name, str) else {}
