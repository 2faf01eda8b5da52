"""What every test runs under: one thread, so that figures repeat and workers share the cores; fixed random numbers."""

import os
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


def seed_everything(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


@pytest.fixture(scope="module", autouse=True)
def seeded_module():
    """The same random numbers for what a module's tests share, whatever ran before it in this process."""
    seed_everything(0)


@pytest.fixture(autouse=True)
def seeded_test():
    """The same random numbers for a test, and others than its module's fixtures got."""
    seed_everything(1)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One for each CPU that this process may use; xdist would count the machine's physical cores."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
