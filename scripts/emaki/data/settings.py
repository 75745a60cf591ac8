"""The settings of a dataset."""

from pydantic import Field

from emaki.common.settings import Settings


class Dataset(Settings):
    """Pictures joined with captions."""

    source: str = Field(json_schema_extra={"value": "source"})
    """The pictures."""

    captions: str = Field(json_schema_extra={"value": "captioner"})
    """Their captions; a picture without one is set aside."""

    validation: float = Field(0.1, ge=0, le=0.5)
    """Share of the pictures that no run trains on. Folders `train` and `validation` (or `val`,
    `test`) in a source of type folder decide in its stead."""
