"""Random choice of a few rows out of many, for a whole batch at once and without asking the device for counts."""

import torch
from torch import Tensor

from rcnn_tutorial.distributed import SharedGenerator


def random_keys(like: Tensor, generator: torch.Generator | SharedGenerator | None = None) -> Tensor:
    """One random number in [0, 1) for every entry of `like` (B, N). Sorting by it is a random order."""
    if isinstance(generator, SharedGenerator):
        return generator.rand(like.shape)
    return torch.rand(like.shape, generator=generator, device=like.device)


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
