"""Sliders that agree with the page: always on a step, and no late answer of the page undoes what a cell has set."""

import pytest
from ipywidgets.widgets.widget import JUPYTER_WIDGETS_ECHO

from rcnn_tutorial.explorers.explorer import integer, number
from rcnn_tutorial.explorers.sliders import browsers_number, nearest_step

FLOATS = [(0.0, 1.0, 0.05), (0.3, 3.0, 0.05), (0.02, 0.5, 0.01), (-2.5, 2.5, 0.05), (0.5, 5.0, 0.1), (0.0, 4.0, 0.25)]


@pytest.mark.parametrize(
    ("value", "low", "high", "step", "expected"),
    [
        (0.3 + 24 * 0.05, 0.3, 3.0, 0.05, 1.5),
        (0.02 + 18 * 0.01, 0.02, 0.5, 0.01, 0.2),
        (1.482, 0.3, 3.0, 0.05, 1.5),
        (0.125, 0.0, 1.0, 0.25, 0.25),  # half of a step: up, as in the browser
        (-7, -2.5, 2.5, 0.05, -2.5),
        (7, -2.5, 2.5, 0.05, 2.5),
        (1e-5, 0, 1, 1e-5, 1e-5),
        (100, 32, 512, 32, 96),
        (25, 0, 25, 10, 25),  # the end is a place although no step falls there
        (24, 0, 25, 10, 20),
        (0.3, 0.3, 0.3, 0.1, 0.3),
    ],
)
def test_the_nearest_step_is_rounded_to_the_decimals_of_the_slider(value, low, high, step, expected):
    assert nearest_step(value, low, high, step) == expected


@pytest.mark.parametrize(("low", "high", "step"), FLOATS)
def test_every_step_goes_to_the_page_and_back_unchanged(low, high, step):
    slider = number("Share", low, low, high, step)
    for count in range(round((high - low) / step) + 1):
        slider.value = low + count * step
        value, sent = slider.value, slider.get_state("value")["value"]
        assert value == round(value, 2)
        assert sent == browsers_number(value, low, high, step) == browsers_number(sent, low, high, step)
        slider.set_state({"value": sent})
        assert slider.value == value


def test_a_range_that_is_narrowed_takes_the_value_along_on_steps():
    slider = number("Share", 0.95, 0.0, 1.0, 0.05)
    slider.max = 0.72
    assert slider.value == 0.7
    slider.max = 0.3
    assert slider.value == 0.3
    slider.max = 0.5
    slider.min = 0.31
    assert slider.value == 0.31
    slider.value = 0.43
    assert slider.value == 0.41
    whole = integer("Step", 30, 0, 30)
    whole.max = 7
    assert whole.value == 7


def test_a_whole_number_between_two_steps_is_kept_with_finer_steps():
    assert (integer("Size", 355, 200, 1000, 10).value, integer("Size", 355, 200, 1000, 10).step) == (355, 1)
    assert integer("Size", 600, 200, 1000, 10).step == 10


def told_by_another_browser(value: float) -> float:
    """The number of a page that computes steps in its own way."""
    return value * (1 + 1e-12)


def test_a_late_answer_of_the_page_undoes_nothing():
    slider = number("Aspect", 1.0, 0.3, 3.0, 0.05)
    slider.value = 1.5
    slider.value = 3.0
    slider.set_state({"value": told_by_another_browser(1.5)})  # handled after the cells, though sent between them
    assert slider.value == 3.0
    slider.set_state({"value": told_by_another_browser(3.0)})
    assert slider.value == 3.0
    slider.set_state({"value": told_by_another_browser(1.5)})  # answered once already: this is the reader's hand
    assert slider.value == 1.5


def test_the_reader_may_go_back_to_what_a_cell_had_set():
    slider = number("Aspect", 1.0, 0.3, 3.0, 0.05)
    for value in (1.5, 2.0, 3.0):
        slider.value = value
    slider.set_state({"value": browsers_number(1.5, 0.3, 3.0, 0.05)})
    assert slider.value == 1.5
    slider.set_state({"value": browsers_number(1.55, 0.3, 3.0, 0.05)})
    assert slider.value == 1.55


def test_what_the_page_says_is_repeated_to_it_and_not_corrected(listen):
    """Page and cell may speak at the same time: the page has to hear whose word was last. A correction would go round
    in circles with a page that corrects it in turn."""
    sent = []
    listen(lambda data, _buffers: sent.append((data["method"], data["state"])))
    slider = number("Aspect", 1.0, 0.3, 3.0, 0.05)
    sent.clear()
    said = browsers_number(1.5, 0.3, 3.0, 0.05)
    slider.set_state({"value": said})
    assert sent == [("echo_update", {"value": said})] * JUPYTER_WIDGETS_ECHO  # which ipywidgets 7 leaves out
