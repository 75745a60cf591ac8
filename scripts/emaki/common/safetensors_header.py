"""What a safetensors file says of itself, read without its tensors."""

import json
import struct
from pathlib import Path

from emaki.common.errors import UserError

LARGEST = 100_000_000  # bytes of a header that safetensors itself reads


def read_shapes(path: str | Path) -> dict[str, list[int]]:
    """{tensor: shape}. Raises UserError, naming the file, where it is cut off or none."""
    path = Path(path)
    size = path.stat().st_size
    try:
        with open(path, "rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > min(LARGEST, size):
                raise ValueError("its header is longer than the file")
            header = json.loads(file.read(length))
        header.pop("__metadata__", None)
        shapes = {name: entry["shape"] for name, entry in header.items()}
        end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
    except (struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = str(error) if type(error) is ValueError else "its header cannot be read"
        raise UserError(f"{path} is no whole safetensors file: {reason}") from None
    if 8 + length + end != size:
        told = f"it has {size:,} bytes, but its header speaks of {8 + length + end:,}"
        raise UserError(f"{path} is no whole safetensors file: {told}")
    return shapes
