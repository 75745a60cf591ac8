"""Where models compute, and in which precision."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@functools.cache
def device() -> torch.device:
    """The GPU where there is one, else the CPU."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def dtype(precision: str) -> torch.dtype:
    """The floating point type of a precision: no (which is fp32), fp32, fp16 or bf16."""
    import torch

    return {
        "no": torch.float32,
        "fp32": torch.float32,
        "fp16": torch.float16,
        "bf16": torch.bfloat16,
    }[precision]


def computes_bf16(cpu: str | None = None) -> bool:
    """Whether a CPU has instructions for bf16; without them PyTorch is some 20 times slower in it.

    `cpu` is what Linux says of it, by default /proc/cpuinfo; a system that has no such file is
    taken to have them.
    """
    told = Path("/proc/cpuinfo")
    if cpu is None and not told.is_file():
        return True
    found = r"^(flags|Features)\s*:.*\b(avx512_bf16|amx_bf16|bf16)\b"
    return re.search(found, told.read_text() if cpu is None else cpu, re.MULTILINE) is not None
