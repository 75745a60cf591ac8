"""The training loop."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from emaki.common.progress import bar
from emaki.families import Family, find
from emaki.training import data, models, optimizers, validation
from emaki.training.ema import MovingAverage
from emaki.training.metrics import Metrics
from emaki.training.processes import ALONE, Group
from emaki.training.settings import HyperParameters, Start
from emaki.training.trainer import Trainer

SETTLE_EVERY = 50  # steps between two looks at a GPU's losses; a look makes it wait


def make_trainer(
    run: HyperParameters, model: str | Path, latents: str | Path, device: torch.device
) -> Trainer:
    """A Trainer at step 0 of `run` on the pipeline folder `model` and the folder `latents`."""
    torch.set_num_threads(run.threads)
    family = find(model)
    modules = _make_modules(run, family, device)
    parameters = {
        (name if part == family.denoiser else f"{part}.{name}"): parameter
        for part, module in modules.items()
        for name, parameter in module.named_parameters()
        if parameter.requires_grad
    }
    names = family.tokens if run.train_text_encoder else family.conditions
    return Trainer(
        run=run,
        family=family,
        device=device,
        modules=modules,
        parameters=parameters,
        optimizer=optimizers.make_optimizer(run, _group_by_rate(run, family, parameters)),
        scaler=torch.amp.GradScaler(device.type, enabled=run.mixed_precision == "fp16"),
        ema=_make_ema(run, family, modules, parameters),
        process=family.process(
            device, run.uniform_timesteps, run.resolution if run.resolution_shift else None
        ),
        latents=data.Latents(latents, "train", names, family.told_sizes),
        held_out=data.Latents(latents, "validation", names, family.told_sizes),
        metrics=Metrics(),
    )


def _group_by_rate(
    run: HyperParameters, family: Family, parameters: dict[str, torch.nn.Parameter]
) -> list[dict[str, Any]]:
    """The optimizer's groups of parameters: those that have the same learning rate."""
    own = list(models.of_part(parameters, family.denoiser).values())
    groups: list[dict[str, Any]] = [{"params": own}]
    if text := [p for part in family.encoders for p in models.of_part(parameters, part).values()]:
        rate = run.text_encoder_learning_rate or run.learning_rate
        groups.append({"params": text, "share": rate / run.learning_rate})
    return groups


def _make_modules(run: HyperParameters, family: Family, device: torch.device) -> dict[str, Any]:
    modules: dict[str, Any] = {family.denoiser: models.load_denoiser(family, run, device)}
    if run.train_text_encoder:
        modules |= models.load_encoders(family, run.train_init, device)
    if run.method == "lora":
        from emaki.training import lora

        for part, module in modules.items():
            encodes = part in family.encoders
            lora.add_lora(module, run, family.encoder_layers if encodes else run.target_modules)
        if isinstance(run.train_init, Start) and run.train_init.folder:
            lora.start_from(family, modules, run.train_init.folder)
    if run.compile:
        modules[family.denoiser].compile()
    return modules


def _make_ema(
    run: HyperParameters,
    family: Family,
    modules: dict[str, Any],
    parameters: dict[str, torch.nn.Parameter],
) -> MovingAverage | None:
    if run.ema is None:
        return None
    init = run.ema.init
    if init in ("train", run.train_init):
        return MovingAverage(parameters, run.ema)
    device = modules[family.denoiser].device
    start = models.load_weights(family, init, modules[family.denoiser].state_dict())
    if run.train_text_encoder:
        for part, encoder in models.load_encoders(family, init, device).items():
            start |= {f"{part}.{name}": p for name, p in encoder.named_parameters()}
    return MovingAverage({name: start[name].to(device) for name in parameters}, run.ema)


def train(
    trainer: Trainer,
    first: int,
    last: int,
    label: str,
    stop: Callable[[], bool] = lambda: False,
    group: Group = ALONE,
) -> int:
    """Train the steps first + 1 to `last`; return the last finished step.

    Ends early, after a whole step, when `stop()` is true in any process of the `group`.
    """
    run, optimizer, scaler, ema = trainer.run, trainer.optimizer, trainer.scaler, trainer.ema
    parameters = list(trainer.parameters.values())
    parts, size = run.gradient_accumulation_steps, optimizers.global_batch(run)
    per_micro_batch = ema is not None and ema.settings.per == "micro_batch"
    look_every = 1 if trainer.device.type == "cpu" else SETTLE_EVERY

    steps = range(first, last)
    for step in steps if group.rank else bar(steps, unit="steps", label=label):
        rate = optimizers.learning_rate(run, step)
        optimizers.set_learning_rate(optimizer, rate)
        batch = data.batch_of_step(trainer.latents, run, step, size, trainer.process)
        losses = []
        ours = batch.split(parts * group.size)[group.rank :: group.size]
        for number, micro_batch in enumerate(ours, 1):
            micro_batch = micro_batch.to(trainer.device)
            prediction = trainer.predict(micro_batch)
            loss = trainer.loss(prediction, micro_batch, run.snr_gamma)
            scaler.scale(loss / parts).backward()
            losses.append(loss.detach())
            if ema is not None and per_micro_batch and number < parts:
                ema.update(trainer.parameters)
        mean_loss = torch.stack(losses).mean()
        group.average([mean_loss, *(p.grad for p in parameters if p.grad is not None)])
        scaler.unscale_(optimizer)
        if run.max_grad_norm is not None:
            optimizers.clip_gradients(parameters, run.max_grad_norm)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
        if ema is not None:
            ema.update(trainer.parameters)
        trainer.metrics.add(step + 1, loss=mean_loss, learning_rate=rate)
        stopping = group.any(stop())
        if (step + 1) % look_every == 0 or step + 1 == last or stopping:
            trainer.metrics.settle(trainer.pictures_of_step)
        if stopping:
            return step + 1
    return last


def validate(trainer: Trainer, stop: Callable[[], bool] = lambda: False) -> dict[str, float]:
    """The validation losses of the raw weights and of the average, for the metrics.

    Once `stop()` is true it returns without delay, and what it returns means nothing.
    """

    def measure() -> float:
        trainer.denoiser.eval()
        with torch.compiler.set_stance("force_eager"):  # not worth a compilation of its own
            result = validation.measure_loss(trainer, stop)
        trainer.denoiser.train()
        return result

    if not len(trainer.held_out):
        return {}
    losses = {"validation_loss": measure()}
    if trainer.ema:
        raw = {name: p.detach().clone() for name, p in trainer.parameters.items()}
        _copy_into(trainer.parameters, trainer.ema.averages)
        losses["validation_loss_ema"] = measure()
        _copy_into(trainer.parameters, raw)
    return losses


@torch.no_grad()
def _copy_into(parameters: dict[str, torch.nn.Parameter], values: dict[str, torch.Tensor]) -> None:
    for name, parameter in parameters.items():
        parameter.copy_(values[name])


def save_weights(trainer: Trainer, folder: str | Path) -> list[str]:
    """Write the raw weights and the average's into folder/raw and folder/ema; return the kinds."""
    kinds = {"raw": trainer.parameters} | ({"ema": trainer.ema.averages} if trainer.ema else {})
    for kind, weights in kinds.items():
        to, precision = Path(folder) / kind, trainer.run.save_precision
        if trainer.run.method == "lora":
            from emaki.training import lora

            lora.save(trainer.family, trainer.modules, weights, to, precision)
        else:
            models.save(trainer.modules, weights, to, precision)
    return sorted(kinds)
