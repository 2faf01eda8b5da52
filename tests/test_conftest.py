"""What tests/conftest.py promises to every test: the same random numbers, whatever ran before."""

import random

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given


def numbers() -> list[float]:
    return [random.random(), np.random.rand(), torch.rand(1).item()]


@pytest.fixture(scope="module")
def shared():
    return numbers()


@pytest.mark.parametrize("time", [1, 2])
def test_each_test_and_module_starts_from_its_seed(shared, time):
    random.seed(0), np.random.seed(0), torch.manual_seed(0)
    assert shared == numbers()


@pytest.mark.parametrize("time", [1, 2])
def test_no_test_sees_what_another_drew(time):
    drawn = numbers()
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    assert drawn == numbers()


@given(st.integers())
def test_hypothesis_seeds_every_example(_):
    drawn = numbers()
    random.seed(0), np.random.seed(0), torch.manual_seed(0)
    assert drawn == numbers()
