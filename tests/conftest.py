"""What every test runs under: one thread, so that figures repeat and workers share the cores; fixed random numbers."""

import os
import random
import threading

import hypothesis
import numpy as np
import pytest
import torch

from rcnn_tutorial import guarded

HANG = 600  # seconds: longer takes only what never ends

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


class Endless:
    """A function that never returns, as a student may write it; it ends when it is stopped."""

    def __init__(self):
        self.began, self._ended = threading.Event(), threading.Event()

    def __call__(self):
        try:
            self.began.set()
            while True:
                pass
        finally:
            self._ended.set()

    def ended(self) -> bool:
        """Whether it was stopped; waits for it, since a thread ends when it gets its turn."""
        return self._ended.wait(HANG)


@pytest.fixture
def endless(monkeypatch) -> Endless:
    """A function that never returns, and a patience with readers' functions that is over as soon as it runs."""
    loop = Endless()

    class Impatient(threading.Thread):
        def join(self, timeout=None):
            loop.began.wait()

    monkeypatch.setattr(guarded.threading, "Thread", Impatient)
    return loop
