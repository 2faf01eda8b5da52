"""What every test runs under: one thread, so that figures repeat and workers share the cores; fixed random numbers."""

import random

import hypothesis
import numpy as np
import pytest
import torch

torch.set_num_threads(1)

# The same examples in every run, and no limit of time that a busy machine could break.
hypothesis.settings.register_profile("fixed", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("fixed")


class TorchRandom:
    """torch's random numbers, as hypothesis wants them: it seeds them anew for each example, and puts them back."""

    seed = staticmethod(torch.manual_seed)
    getstate = staticmethod(torch.get_rng_state)
    setstate = staticmethod(torch.set_rng_state)


torch_random = TorchRandom()  # hypothesis keeps no reference
hypothesis.register_random(torch_random)


def seed_everything() -> None:
    """The same random numbers for a test, whatever ran before it in this process."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


seeded_module = pytest.fixture(seed_everything, scope="module", autouse=True)  # before fixtures that a module shares
seeded_test = pytest.fixture(seed_everything, autouse=True)
