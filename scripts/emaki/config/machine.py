"""The settings of the machine that a study is planned for."""

from typing import Annotated, Literal

from pydantic import Field

from emaki.common.settings import Positive, Settings

GpuModel = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_.]+$",
        json_schema_extra={"allowed": "a name of letters, digits and . _"},
    ),
]
Gpu = Literal[
    "T4", "V100", "RTX 3090", "RTX 4090", "L4", "A10", "A100", "A6000", "H100", "H200", "cpu"
]


class Machine(Settings):
    """The machine that a study is planned for. It decides no result."""

    gpu: Gpu = "cpu"
    """Its GPU, if it has one."""

    gpu_memory_gb: Positive | None = None
    """GB of a GPU; null: the usual of that name (A100: 40)."""

    gpu_models: dict[GpuModel, Positive] = Field({}, json_schema_extra={"value": "names: above 0"})
    """Models of GPU that a SLURM cluster gives by name, and their GB: a training asks for the
    smallest that it fits; {}: for any."""

    price_per_hour: Annotated[float, Field(ge=0)] | None = None
    """What an hour with one GPU costs, in any currency."""

    disk_gb: Positive | None = None
    """GB that the study may take; null: what is free."""
