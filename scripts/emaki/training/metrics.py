"""The scalars of a training: parquet for the report, TensorBoard event files for the eye."""

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch

from emaki.common.errors import UserError


class Metrics:
    """The scalars of each step, in order; `rows` is a list of dicts with the key "step".

    A loss may be a tensor that the device has not computed yet: it is read, and checked, when
    `settle` is called, so that the loop does not wait for the device in every step.
    """

    def __init__(self, rows: Iterable[dict[str, Any]] = ()):
        self.rows = list(rows)
        self.unread: list[dict[str, Any]] = []

    def add(self, step: int, **scalars: float | torch.Tensor) -> None:
        """Append the scalars of a step; values are floats or tensors with one element."""
        self.rows.append({"step": step} | scalars)
        self.unread.append(self.rows[-1])

    def settle(self, pictures_of_step: Callable[[int], Sequence[str]]) -> None:
        """Read all tensors; raise UserError at the first step whose loss is not finite.

        `pictures_of_step` gives the names of the pictures of a step, for the message.
        """
        for row in self.unread:
            row.update({key: float(value) for key, value in row.items() if key != "step"})
            if not math.isfinite(row["loss"]):
                pictures = ", ".join(pictures_of_step(row["step"]))
                raise UserError(
                    f"the loss of step {row['step']} is {row['loss']} at learning rate "
                    f"{row['learning_rate']:g}, pictures {pictures}; nothing was saved after the "
                    "last checkpoint. A lower learning_rate, max_grad_norm or bf16 may help"
                )
        self.unread = []

    def write(self, folder: Path) -> None:
        """Write metrics.parquet and tensorboard/ into `folder`."""
        import pyarrow as pa

        from emaki.common import parquet_files

        names = ["step", *sorted({key for row in self.rows for key in row} - {"step"})]
        columns = {name: [row.get(name) for row in self.rows] for name in names}
        types = [pa.field(n, pa.int64() if n == "step" else pa.float64()) for n in names]
        parquet_files.write(pa.table(columns, schema=pa.schema(types)), folder / "metrics.parquet")
        (folder / "tensorboard").mkdir()
        write_events(folder / "tensorboard" / "events.out.tfevents.emaki", self.rows)


def write_events(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write `rows` as a TensorBoard event file.

    The wall time of an event is its step, so that the same training writes the same bytes.
    """
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.record_writer import RecordWriter

    with open(path, "wb") as file:
        writer = RecordWriter(file)
        writer.write(Event(wall_time=0, file_version="brain.Event:2").SerializeToString())
        for row in rows:
            values = [
                Summary.Value(tag=f"train/{key}", simple_value=value)
                for key, value in sorted(row.items())
                if key != "step" and value is not None
            ]
            event = Event(wall_time=row["step"], step=row["step"], summary=Summary(value=values))
            writer.write(event.SerializeToString())
