"""Random choice: fair, reproducible, and never more than there is."""

import hypothesis.strategies as st
import torch
from hypothesis import given

from rcnn_tutorial.stages.sampling import random_keys, random_subset, shuffled_candidates


def seeded(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def test_keys_come_from_the_generator():
    usable = torch.ones(2, 500, dtype=torch.bool)
    first = random_keys(usable, *seeded(5))
    assert torch.equal(first, random_keys(usable, *seeded(5)))
    assert not torch.equal(first, random_keys(usable, *seeded(6)))
    assert not torch.equal(first[0], first[1])
    assert first.shape == (2, 500) and (first >= 0).all() and (first < 1).all()


def test_without_a_generator_they_come_from_torch_s_own():
    usable = torch.ones(1, 50, dtype=torch.bool)
    torch.manual_seed(3)
    first, second = random_keys(usable), random_keys(usable)
    torch.manual_seed(3)
    assert torch.equal(random_keys(usable), first) and not torch.equal(first, second)


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(0, 99))
def test_an_image_s_keys_do_not_depend_on_its_padding_or_its_batch(usable, seed):
    """Two draws in a row, as in a training step: neither the first nor the second is moved by what is padded."""
    usable = torch.tensor([usable])
    count = int(usable.sum())
    alone, together = seeded(seed), seeded(seed + 1, seed)
    for _ in range(2):
        expected = random_keys(torch.ones(1, count, dtype=torch.bool), alone)[0]
        found = random_keys(torch.cat([torch.ones_like(usable), usable]), together)[1]
        assert torch.equal(found[usable[0]], expected)


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
