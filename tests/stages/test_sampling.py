"""Random choice: fair, reproducible, and never more than there is."""

import hypothesis.strategies as st
import torch
from hypothesis import given

from rcnn_tutorial.stages.sampling import random_keys, random_subset, shuffled_candidates


def test_keys_come_from_the_generator():
    like = torch.zeros(2, 500)
    first = random_keys(like, torch.Generator().manual_seed(5))
    assert torch.equal(first, random_keys(like, torch.Generator().manual_seed(5)))
    assert not torch.equal(first, random_keys(like, torch.Generator().manual_seed(6)))
    assert first.shape == (2, 500) and (first >= 0).all() and (first < 1).all()


def test_candidates_come_first_highest_key_first():
    candidates = torch.tensor([[True, False, True, True], [False, True, False, False]])
    keys = torch.tensor([[0.1, 0.9, 0.8, 0.0], [0.9, 0.0, 0.8, 0.7]])
    found = shuffled_candidates(candidates, keys, 3)
    assert found[0].tolist() == [2, 0, 3]
    assert found[1, 0].item() == 1
    assert shuffled_candidates(candidates, keys, 9).shape == (2, 4)


@given(st.lists(st.booleans(), min_size=1, max_size=10), st.integers(0, 12), st.integers(0, 99))
def test_a_subset_has_the_size_that_was_asked_for(candidates, count, seed):
    candidates = torch.tensor([candidates])
    keys = random_keys(candidates, torch.Generator().manual_seed(seed))
    chosen = random_subset(candidates, keys, count, 12)
    assert not (chosen & ~candidates).any()
    assert chosen.sum().item() == min(count, candidates.sum().item())


def test_every_row_has_its_own_count():
    candidates = torch.ones(3, 6, dtype=torch.bool)
    chosen = random_subset(candidates, random_keys(candidates), torch.tensor([0, 2, 6]), 6)
    assert chosen.sum(dim=1).tolist() == [0, 2, 6]


def test_every_candidate_is_as_likely_as_the_others():
    candidates = torch.tensor([True, False, True, True, True, True]).expand(5000, 6)
    chosen = random_subset(candidates, random_keys(candidates, torch.Generator().manual_seed(0)), 2, 2)
    shares = chosen.float().mean(dim=0)  # (6,), 2 of 5 candidates: 0.4 each
    assert shares[1] == 0
    assert (shares[[0, 2, 3, 4, 5]] - 0.4).abs().max() < 0.03
