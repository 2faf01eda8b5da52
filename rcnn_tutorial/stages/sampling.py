"""Random choice of a few rows out of many, for a whole batch at once and without asking the device for counts."""

from collections.abc import Sequence

import torch
from torch import Tensor

from rcnn_tutorial.devices import upload

Generators = (
    torch.Generator | Sequence[torch.Generator] | None
)  # one for all images in turn, one per image, torch's own


def random_keys(usable: Tensor, generator: Generators = None) -> Tensor:
    """One random number in [0, 1) for every usable entry (B, N): sorting by it is a random order.

    usable: (B, N) bool, False for padding, which gets a number without meaning and uses none up. The numbers are drawn
    on the CPU, from a seed that takes one draw of the image's generator. So nothing else has a part in them: neither
    the other images of the batch, nor the process or the device that the image is in.
    """
    generators = generator if isinstance(generator, Sequence) else [generator] * len(usable)
    drawn = torch.stack([_numbers(usable.shape[1], one) for one in generators])  # (B, N)
    place = usable.cumsum(dim=1) - 1  # (B, N) which of the usable entries each one is
    return upload(drawn, usable.device).gather(1, place.clamp(min=0))


def _numbers(count: int, generator: torch.Generator | None) -> Tensor:
    """(count,) in [0, 1), on the CPU; the first of them are the same for any count."""
    seed = torch.randint(2**32, (), generator=generator, device=generator.device if generator else "cpu")
    return torch.rand(count, generator=torch.Generator().manual_seed(int(seed)))


def shuffled_candidates(candidates: Tensor, keys: Tensor, count: int) -> Tensor:
    """Indices of `count` entries of each row, those marked True in `candidates` first, in the order of their keys.

    candidates: (B, N) bool. keys: (B, N) in [0, 1). Returns (B, min(count, N)): indices into N, highest key first.
    """
    ranks = torch.where(candidates, keys, -1.0)  # (B, N)
    return ranks.topk(min(count, candidates.shape[1]), dim=1).indices


def random_subset(candidates: Tensor, keys: Tensor, count: Tensor | int, most: int) -> Tensor:
    """Mark `count` of the True entries of each row at random; all of them where there are fewer.

    candidates: (B, N) bool. keys: (B, N) in [0, 1). count: (B,) or int, at most `most`. Returns (B, N) bool.
    """
    chosen = shuffled_candidates(candidates, keys, most)  # (B, K)
    place = torch.arange(chosen.shape[1], device=keys.device)  # (K,)
    wanted = place < (count[:, None] if isinstance(count, Tensor) else count)  # (B, K) or (K,)
    marked = torch.zeros_like(candidates).scatter(1, chosen, wanted.expand(chosen.shape))  # (B, N)
    return marked & candidates
