"""Why a resumed run ends with the same weights: everything random in step n is a function of (seed, n) alone.

The data loader's order and augmentation are functions of (seed, epoch, index), what is sampled of an image one of
(seed, step, index in the batch), dropout one of (seed, step). So the position in training is one number, no random
state needs saving, and the samples do not depend on how many processes share the batch.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from rcnn_tutorial import distributed
from rcnn_tutorial.data.batching import mixed_seed
from rcnn_tutorial.errors import ConfigError


def image_generators(seed: int, step: int, images: int) -> list[torch.Generator]:
    """One generator per image of this process's slice of the batch in step `step` (1-based), for sampling."""
    first = distributed.rank() * images
    return [torch.Generator().manual_seed(mixed_seed(seed, step, index)) for index in range(first, first + images)]


@contextlib.contextmanager
def seeded_dropout(seed: int, step: int, device: torch.device) -> Iterator[None]:
    """Within the context torch's global generator, dropout's, is at the step's own state; put back afterwards."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(mixed_seed(seed, step) + distributed.rank())  # dropout differs where the images do
        yield


@contextlib.contextmanager
def algorithms(deterministic: bool) -> Iterator[None]:
    """Within the context, deterministic algorithms alone where they are asked for. The GPU's fastest often are not.

    Raises ConfigError for an operation that has none.
    """
    if not deterministic:
        yield
        return
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    try:
        yield
    except RuntimeError as error:
        if "deterministic" not in str(error):
            raise
        operation = str(error).split(" does not have")[0]
        raise ConfigError(
            f"--deterministic: {operation} has no deterministic algorithm on this device; use --pooling align, or "
            "leave --deterministic away"
        ) from error
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.backends.cudnn.benchmark = before[1]
