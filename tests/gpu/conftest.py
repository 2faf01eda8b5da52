"""Tests that need a GPU: `make test-gpu`. GPU_TESTS_ON=cpu runs them on the CPU, which tries the tests themselves."""

import os

import pytest
import torch


@pytest.fixture(scope="session")
def device() -> torch.device:
    """The GPU that a test needs."""
    name = os.environ.get("GPU_TESTS_ON", "cuda")
    if name == "cuda" and not torch.cuda.is_available():
        pytest.skip("torch finds no CUDA device")
    return torch.device(name, 0) if name == "cuda" else torch.device(name)
