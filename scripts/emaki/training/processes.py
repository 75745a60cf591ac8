"""Several processes, a GPU each, that share the steps of one training.

The process that was started is rank 0; it starts the others with its own command line. Gradients
are averaged one parameter after the other, always in the same order: DistributedDataParallel
arranges its buckets anew after the first step, so that a resumed training would add up in
another order than one that was not stopped.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

RANK, MEETING = "EMAKI_RANK", "EMAKI_MEETING"


@dataclass
class Group:
    """`size` processes, of which this is number `rank`."""

    rank: int = 0
    size: int = 1

    def average(self, tensors: Sequence["torch.Tensor"]) -> None:
        """Replace each of `tensors` by its mean over the processes."""
        if self.size == 1:
            return
        import torch.distributed as dist

        for work in [dist.all_reduce(tensor, async_op=True) for tensor in tensors]:
            work.wait()
        for tensor in tensors:
            tensor /= self.size

    def any(self, flag: bool) -> bool:
        """Whether `flag` is true in one of the processes."""
        if self.size == 1:
            return flag
        import torch
        import torch.distributed as dist

        flags = torch.tensor(int(flag))  # on the CPU: it does not wait for the GPU
        dist.all_reduce(flags, op=dist.ReduceOp.MAX)
        return bool(flags)


ALONE = Group()


@contextlib.contextmanager
def join(size: int, device: str) -> Iterator[Group]:
    """Start the other processes (in rank 0), meet them, and yield the Group.

    `device` is "cpu" or "cuda", the type of the gradients' device.
    """
    if size == 1:
        yield ALONE
        return
    import torch.distributed as dist

    rank = int(os.environ.get(RANK, 0))
    with tempfile.TemporaryDirectory() as folder:
        meeting = os.environ.get(MEETING, f"{folder}/meeting")
        others = [] if rank else [_start(number, meeting) for number in range(1, size)]
        backend = "cpu:gloo,cuda:nccl" if device == "cuda" else "gloo"
        dist.init_process_group(
            backend, init_method=f"file://{meeting}", rank=rank, world_size=size
        )
        try:
            yield Group(rank, size)
        except BaseException:
            for other in others:
                other.kill()  # it waits for this process, and would only take note of a SIGTERM
            if rank == 0:
                dist.destroy_process_group()
            # Another leaves the group as it ends, when it has said why: the others fail after it.
            raise
        else:
            dist.destroy_process_group()
        finally:
            for other in others:
                other.wait()


def _start(rank: int, meeting: str) -> subprocess.Popen:
    environment = os.environ | {RANK: str(rank), MEETING: meeting}
    # It inherits the locks of this job's GPUs (scripts/jobs/gpus.py), which it uses as well.
    return subprocess.Popen([sys.executable, *sys.argv], env=environment, close_fds=False)
