"""What the tests of all explorers share: every control over its whole range, and the messages to the browser."""

import ipywidgets as widgets
import pytest
from comm.base_comm import BaseComm

from rcnn_tutorial.explorers.explorer import Explorer, Several
from rcnn_tutorial.explorers.sliders import nearest_step


@pytest.fixture
def sweep():
    """sweep(explorer): every control to both ends and between, one after the other; returns all summaries.

    After each step the summary is a sentence, every canvas carries it, and the frame fits its layers.
    """
    return sweep_controls


@pytest.fixture
def messages(monkeypatch):
    """The state updates that would go to the browser: a list of (keys, buffers)."""
    sent = []

    class Recorder(BaseComm):
        def publish_msg(self, msg_type, data=None, metadata=None, buffers=None, **keys):
            if msg_type == "comm_msg" and (data or {}).get("method") == "update":
                keys = {*data["state"], *(path[0] for path in data["buffer_paths"])}  # a buffer stands beside the state
                sent.append((sorted(keys), buffers))

    monkeypatch.setattr("comm.create_comm", Recorder)
    return sent


def sweep_controls(explorer: Explorer) -> list[str]:
    summaries = []
    for name, control in explorer.controls.items():
        if not hasattr(control, "value"):  # a button
            continue
        start = control.value
        for value in values_of(control):
            control.value = value
            assert control.value == value, (name, value)  # what is set is what is there: no step is off the grid
            check(explorer, f"{name} = {value}")
            summaries.append(explorer.summary)
        control.value = start
    return summaries


def values_of(control) -> list:
    """Both ends, the neighbors of the ends and five values between; for choices all of them."""
    match control:
        case widgets.IntRangeSlider() | widgets.FloatRangeSlider():
            low, high = control.min, control.max
            middle = low + (high - low) / 2 if isinstance(control, widgets.FloatRangeSlider) else (low + high) // 2
            return [(low, low), (low, high), (middle, middle), (high, high)]
        case widgets.IntSlider():
            return spread(control.min, control.max, control.step)
        case widgets.FloatSlider():
            return spread(control.min, control.max, control.step)
        case widgets.Checkbox() | widgets.ToggleButton():
            return [True, False]
        case Several():
            return [(), control.options, *((option,) for option in control.options)]
        case _:
            return [option[1] if isinstance(option, tuple) else option for option in control.options]


def spread(low, high, step) -> list:
    steps = round((high - low) / step)
    stops = sorted({0, 1, *(steps * i // 6 for i in range(7)), max(steps - 1, 0), steps})
    return [nearest_step(low + step * stop, low, high, step) for stop in stops]


def check(explorer: Explorer, step: str) -> None:
    assert explorer.summary, step
    assert "nan" not in explorer.summary.lower().split(), (step, explorer.summary)
    assert repr(explorer) == f"{type(explorer).__name__}: {explorer.summary}", step
    for canvas in explorer.canvases:
        assert canvas.summary == explorer.summary, step
        assert len(canvas.frame["layers"]) == len(canvas.layers), step
