"""What a safetensors file says of itself, read without its tensors."""

import json
import struct
from pathlib import Path
from typing import NamedTuple

from emaki.common.errors import UserError

LARGEST = 100_000_000  # bytes of a header that safetensors itself reads


class Place(NamedTuple):
    """Where a tensor lies in a file."""

    dtype: str
    """As the format names it: "F32"."""
    shape: list[int]
    start: int
    """Its first byte, counted from the beginning of the file."""
    size: int
    """In bytes."""


def read_places(path: str | Path) -> dict[str, Place]:
    """{tensor: where it lies}, in the order of the file; before the first is the header.

    Raises UserError, naming the file, where it is cut off or none.
    """
    path = Path(path)
    size = path.stat().st_size
    try:
        with open(path, "rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > min(LARGEST, size):
                raise ValueError("its header is longer than the file")
            header = json.loads(file.read(length))
        header.pop("__metadata__", None)
        places = {}
        for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
            first, end = entry["data_offsets"]
            places[name] = Place(entry["dtype"], entry["shape"], 8 + length + first, end - first)
    except (struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = str(error) if type(error) is ValueError else "its header cannot be read"
        raise UserError(f"{path} is no whole safetensors file: {reason}") from None
    end = max((place.start + place.size for place in places.values()), default=8 + length)
    if end != size:
        told = f"it has {size:,} bytes, but its header speaks of {end:,}"
        raise UserError(f"{path} is no whole safetensors file: {told}")
    return places


def read_shapes(path: str | Path) -> dict[str, list[int]]:
    """{tensor: shape}. Raises UserError, naming the file, where it is cut off or none."""
    return {name: place.shape for name, place in read_places(path).items()}
