"""Keeping what a training does not use from being imported."""

import sys

from emaki.training.settings import HyperParameters


def hide_unused(run: HyperParameters) -> None:
    """Make the packages that `run` does not use look as if they were not installed.

    diffusers and peft import every optional package that they find: 2 s of CPU in each segment.
    It lasts as long as the process, so it is for a process that trains one run. Packages that are
    imported already stay.
    """
    unused = []
    if run.optimizer != "adamw8bit":
        unused.append("bitsandbytes")
    if run.method == "full":
        unused += ["peft"] if run.train_text_encoder else ["peft", "transformers"]
    for package in unused:
        # None makes Python find no such module
        sys.modules.setdefault(package, None)  # type: ignore[arg-type]
