"""Where tensors live: moving values of any structure, constants made once, and layouts of convolutions."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from torch import nn

from rcnn_tutorial import devices
from rcnn_tutorial.config import AnchorConfig
from rcnn_tutorial.devices import constant, layout, on_cpu, place, to_cpu, upload
from rcnn_tutorial.model import Trace
from rcnn_tutorial.stages.preprocessing import GroundTruth


class Pair(NamedTuple):
    """A record."""

    first: object
    second: object


def test_on_cpu_is_for_the_cpu_alone():
    assert on_cpu(torch.zeros(1)) and not on_cpu(torch.zeros(1, device="meta"))
    assert on_cpu("cpu") and not on_cpu("cuda") and not on_cpu(torch.device("mps"))


def test_one_place_decides_what_is_done_differently_on_a_cpu():
    """All others ask `on_cpu`: a test of is_cuda would send Apple's GPU the CPU's way."""
    folder = Path(devices.__file__).parent
    asked = re.compile(r"\.is_(cuda|cpu|mps)\b|type (==|!=) \"cpu\"")
    found = {path.name for path in folder.rglob("*.py") if asked.search(path.read_text(encoding="utf-8"))}
    assert found == {"devices.py"}


def test_values_keep_their_structure_on_the_way_to_the_cpu():
    tensor = torch.ones(2, requires_grad=True) * 2
    value = {"a": [tensor, 1], "b": Pair(tensor, "text"), "c": (tensor, None), "d": AnchorConfig()}
    moved = to_cpu(value)
    assert moved["a"][1] == 1 and moved["b"].second == "text" and moved["c"][1] is None and moved["d"] == AnchorConfig()
    for found in (moved["a"][0], moved["b"].first, moved["c"][0]):
        assert torch.equal(found, tensor) and not found.requires_grad


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_types_that_numpy_does_not_know_become_float32(kind):
    assert to_cpu(torch.ones(2, dtype=kind)).numpy().dtype == "float32"
    assert to_cpu(torch.ones(2, dtype=torch.float64)).dtype == torch.float64
    assert to_cpu([torch.ones(2, dtype=torch.float64)], single=True)[0].dtype == torch.float32
    assert to_cpu(torch.ones(2, dtype=torch.long), single=True).dtype == torch.long


def test_a_trace_is_moved_whole():
    truth = GroundTruth(torch.zeros(1, 1, 4, requires_grad=True) + 1, torch.ones(1, 1))
    trace = Trace(None, torch.zeros(1), None, None, None, None, None, ground_truth=truth)
    moved = to_cpu(trace)
    assert isinstance(moved, Trace) and not moved.ground_truth.boxes.requires_grad and trace.ground_truth is truth


def test_constants_are_made_once_and_may_be_part_of_a_graph():
    with torch.inference_mode():
        first = constant((1.5, 2.5), torch.device("cpu"))
    assert constant((1.5, 2.5), torch.device("cpu")) is first
    weight = torch.ones(2, requires_grad=True)
    (weight * first).sum().backward()
    assert weight.grad.tolist() == [1.5, 2.5]
    assert constant((1.5, 2.5), torch.device("cpu"), torch.float64).dtype == torch.float64


def test_numbers_are_brought_to_a_device():
    assert upload([[1, 2]], torch.device("cpu")).tolist() == [[1, 2]]
    assert upload(torch.zeros(3), "meta").device.type == "meta"


@pytest.mark.parametrize(
    ("groups", "device", "expected"),
    [
        (1, "cuda", torch.channels_last),
        (8, "cuda", torch.contiguous_format),
        (8, "cuda:1", torch.contiguous_format),
        (8, "cpu", torch.channels_last),
        (8, "mps", torch.channels_last),
    ],
)
def test_depthwise_kernels_leave_channels_last_on_cuda(groups, device, expected):
    assert layout(nn.Conv2d(8, 8, 3, groups=groups), torch.device(device)) == expected


def test_placing_lays_out_kernels_and_keeps_parameters():
    model = nn.Sequential(nn.Conv2d(8, 8, 3), nn.Sequential(nn.Conv2d(8, 8, 3, groups=8)), nn.Linear(2, 2))
    weights = list(model.parameters())
    assert place(model, torch.device("cpu")) is model
    assert all(one is other for one, other in zip(weights, model.parameters(), strict=True))
    assert model[0].weight.stride() == (72, 1, 24, 8)
