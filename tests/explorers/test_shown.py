"""What a widget leaves in a notebook: Colab's metadata, with the ipywidgets that it has."""

import sys
from types import SimpleNamespace

import ipywidgets
import pytest
import torch
from anywidget import _util

from rcnn_tutorial.explorers import shown
from rcnn_tutorial.explorers.canvas import Canvas
from rcnn_tutorial.explorers.explorer import Explorer, integer
from rcnn_tutorial.questions import asking
from rcnn_tutorial.questions.anchors import predict

MANAGER = "https://example.org/manager.min.js"
COLABS = {shown.LIVE_VIEW: {"colab": {"custom_widget_manager": {"url": MANAGER}}}}


class Counter(Explorer):
    def __init__(self):
        super().__init__({"count": integer("Count", 2, 0, 10)}, Canvas(torch.rand(3, 20, 30)))

    def draw(self) -> str:
        return f"{self.count.value} of 10."


@pytest.fixture
def colab(monkeypatch):
    """Colab's module for outputs, as far as widgets ask for it; the calls that enable other widgets than its own."""
    output = SimpleNamespace(_widgets=SimpleNamespace(_installed_url=None), calls=[])

    def enable_custom_widget_manager():
        output.calls.append("enabled")
        output._widgets._installed_url = MANAGER

    output.enable_custom_widget_manager = enable_custom_widget_manager
    monkeypatch.setitem(sys.modules, "google.colab.output", output)
    _util.enable_custom_widget_manager_once.cache_clear()
    yield output
    _util.enable_custom_widget_manager_once.cache_clear()


@pytest.fixture
def live(monkeypatch):
    """live(widget): data and metadata of its live view, as a cell that ends in it would store them."""

    def show(widget) -> tuple[dict, dict]:
        outputs = []
        for module in (shown, asking):
            monkeypatch.setattr(module, "display", lambda data, metadata=None, **_: outputs.append((data, metadata)))
        widget._ipython_display_()
        return next(output for output in outputs if shown.LIVE_VIEW in output[0])

    return show


@pytest.mark.parametrize("make", [Counter, lambda: Canvas(torch.rand(3, 20, 30)), lambda: predict])
def test_in_colab_every_widget_names_the_manager_that_can_show_it(colab, live, make):
    data, metadata = live(make())
    assert metadata == COLABS and colab.calls == ["enabled"]
    assert data[shown.LIVE_VIEW]["version_major"] == 2 and data["text/plain"]


def test_elsewhere_nothing_is_said_of_it(live):
    assert live(Counter())[1] == {} == live(predict)[1]


def test_ipywidgets_7_shows_a_box_without_a_bundle_of_its_own(live, monkeypatch):
    monkeypatch.delattr(ipywidgets.Widget, "_repr_mimebundle_", raising=False)  # it has `_ipython_display_` alone
    explorer = Counter()
    data, _ = live(explorer)
    assert data[shown.LIVE_VIEW]["model_id"] == explorer.model_id and data["text/plain"] == "Counter: 2 of 10."
