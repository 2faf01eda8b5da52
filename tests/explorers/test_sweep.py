"""Every explorer: every control over its whole range, from tensors of the CPU and (pretended) of another device."""

import ipywidgets as widgets
import pytest
import torch
from devices import Elsewhere, elsewhere
from explorer_cases import CASES, IMAGE, REFUSED, TARGET, small_trace, values_of

from rcnn_tutorial.explorers.crop_pooling import CropPoolingExplorer
from rcnn_tutorial.explorers.explorer import Explorer
from rcnn_tutorial.explorers.shown import Shown


@pytest.fixture(scope="module")
def trace():
    return small_trace()


@pytest.mark.parametrize("name", CASES)
def test_every_control_over_its_whole_range_wherever_the_tensors_live(name, trace):
    build, start = CASES[name]
    here, there = build(IMAGE, trace, TARGET), build(*elsewhere((IMAGE,)), elsewhere(trace), elsewhere(TARGET))
    for explorer in (here, there):
        explorer.set(**start)
    said = sweep(here)
    assert said == sweep(there)
    refused = {control for control, text in said if text.startswith("Not possible")}
    assert refused == REFUSED.get(name, set())
    assert here.figure().get_supxlabel().replace("\n", " ") == here.summary
    assert there.figure().axes


def sweep(explorer: Explorer) -> list[tuple[str, str]]:
    """Every control to both ends and between, one after the other; returns (control, summary) of every step."""
    said = []
    for name, control in explorer.controls.items():
        if not hasattr(control, "value") or isinstance(control, widgets.Label):  # nothing to set
            continue
        start = control.value
        for value in [] if control.disabled else values_of(control):  # what rests cannot be moved
            control.value = value
            assert control.value == value, (name, value)  # what is set is what is there: no step is off the grid
            check(explorer, f"{name} = {value}")
            said.append((name, explorer.summary))
        control.value = start
    return said


def check(explorer: Explorer, step: str) -> None:
    """The summary is a sentence, every canvas carries it, and its frame and its scene hold the same layers."""
    assert explorer.summary, step
    assert "nan" not in explorer.summary.lower().split(), (step, explorer.summary)
    own = type(explorer).__repr__ is not Shown.__repr__  # of a training, which a notebook stores at any of its steps
    assert own or repr(explorer) == f"{type(explorer).__name__}: {explorer.summary}", step
    for canvas in explorer.canvases:
        assert canvas.summary == explorer.summary, step
        frame, scene = canvas.frame, canvas.scene
        assert len(scene.layers) == len(frame["layers"]) + len(frame["handles"]), step
        assert tuple(scene.shape) == tuple(frame["size"]) and scene.title == frame["title"], step


def test_half_precision_and_double_are_explored_in_single(trace):
    for kind in (torch.bfloat16, torch.float64):
        features, image = trace.features[0].to(kind), IMAGE.to(kind)
        for method in ("crop", "align", "pool"):
            explorer = CropPoolingExplorer(image, features, TARGET["boxes"][0].to(kind))
            explorer.method.value = method
            assert "ROI at (20, 15), 50 × 65 pixels" in explorer.summary


def test_the_other_device_is_strict():
    there, here = elsewhere(torch.ones(3)), torch.ones(3)
    with pytest.raises(RuntimeError, match="same device"):
        there + here
    with pytest.raises(RuntimeError, match="same device"):
        torch.cat([here, there])
    with pytest.raises(TypeError, match="cpu"):
        (there * 2).numpy()
    assert type(there * 2) is Elsewhere and type(there[here > 0]) is Elsewhere
    assert type(there.cpu()) is type(there.to("cpu")) is torch.Tensor
