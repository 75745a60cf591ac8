"""Profiles of Snakemake, as it reads them."""

from pathlib import Path
from typing import Any


def read_profile(profile: str) -> dict[str, Any]:
    """What the profile in a folder says. Its `config: {machine: ...}` is for the plan."""
    import yte

    text = Path(profile, "config.yaml").read_text()
    return yte.process_yaml(text, require_use_yte=True)
