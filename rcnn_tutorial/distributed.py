"""Several processes that train or evaluate together, one a GPU, on one machine or many.

torchrun starts them and watches over them; torch.distributed lets them talk, over nccl between GPUs and over gloo
else. In a process that stands alone every function here answers for that one, and nothing is exchanged.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

from rcnn_tutorial.errors import ConfigError, ProcessLost

# How long a process waits for the others. They work in step, so that none is ever more than a batch (or the writing
# of a checkpoint) behind.
PATIENCE = timedelta(seconds=50)

GLOO_SOURCE = re.compile(r"\[[^]]*\bgloo[/\\][\w/\\]+\.(cc|h|cpp):\d+\]")  # [.../gloo/transport/tcp/pair.cc:547]


@contextlib.contextmanager
def process_group(device: str) -> Iterator[str]:
    """Within the context, the processes that torchrun started belong together. Yields this one's device.

    device: cpu or cuda; the latter becomes the GPU of this process's own. Without torchrun nothing happens.
    Raises ConfigError for more processes than GPUs, and ProcessLost when another process is gone or silent, or
    torchrun sends SIGTERM, as it does to those that are left.
    """
    if not dist.is_torchelastic_launched():
        yield device
        return
    if device == "cuda":
        device = _own_gpu(int(os.environ["LOCAL_RANK"]))
    previous = signal.signal(signal.SIGTERM, _ended)
    try:
        # Counts and flags go through gloo on the GPU too: their exchange does not wait for it to finish its work.
        dist.init_process_group("gloo" if device == "cpu" else "cpu:gloo,cuda:nccl", timeout=PATIENCE)
        yield device
    except RuntimeError as error:
        if not _is_loss(error):
            raise
        raise _lost("no connection") from error
    finally:
        # torchrun's SIGTERM often follows on the heels of the loss, and must not cut off the message about it.
        signal.signal(signal.SIGTERM, signal.SIG_IGN if isinstance(sys.exception(), ProcessLost) else previous)
    dist.destroy_process_group()  # not after an error: the others may no longer answer


def size() -> int:
    """How many processes work together."""
    return dist.get_world_size() if _together() else 1


def rank() -> int:
    """The number of this process, from 0."""
    return dist.get_rank() if _together() else 0


def is_writer() -> bool:
    """Whether this process is the one that writes files and reports."""
    return rank() == 0


def gather(value) -> list:
    """The values of all processes, in the order of their ranks; any Python object, tensors on the CPU."""
    if not _together():
        return [value]
    values = [None] * size()
    dist.all_gather_object(values, value)
    return values


def average(tensors: Sequence[Tensor]) -> None:
    """Replace every tensor by its mean over all processes. All are floats, on one device."""
    if not _together() or not tensors:
        return
    flat = torch.cat([tensor.detach().flatten() for tensor in tensors])
    dist.all_reduce(flat)
    parts = (flat / size()).split([tensor.numel() for tensor in tensors])
    for tensor, part in zip(tensors, parts, strict=True):
        tensor.copy_(part.view_as(tensor))


def _together() -> bool:
    return dist.is_available() and dist.is_initialized()


def _ended(*_) -> None:
    raise _lost("SIGTERM")


def _lost(reason: str) -> ProcessLost:
    return ProcessLost(
        f"process {os.environ['RANK']} cannot go on without the others ({reason}); torchrun's report names the first "
        "that ended; a training goes on from its last checkpoint with --resume"
    )


def _own_gpu(local_rank: int) -> str:
    count = torch.cuda.device_count()
    if local_rank >= count:
        raise ConfigError(
            f"process {local_rank + 1} of this machine has no GPU of its own; use --nproc-per-node {count}, "
            "or --device cpu"
        )
    torch.cuda.set_device(local_rank)
    return f"cuda:{local_rank}"


def _is_loss(error: RuntimeError) -> bool:
    """Whether the error says that another process could not be reached.

    gloo's errors have no type of their own, but begin with the place in its source that raised them. The word alone
    does not tell: a path or an option may hold it.
    """
    return isinstance(error, dist.DistError) or GLOO_SOURCE.search(str(error)) is not None
