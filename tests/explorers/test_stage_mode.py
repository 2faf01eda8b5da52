"""What stands around an explorer's picture: main controls, the rest behind a button, presets, reasons to rest."""

import ipywidgets as widgets
import pytest
import torch

from rcnn_tutorial import roles
from rcnn_tutorial.errors import DataError
from rcnn_tutorial.explorers.canvas import Canvas, Handle
from rcnn_tutorial.explorers.explorer import MAIN, Explorer, Reasons, integer
from rcnn_tutorial.scene import Boxes


class Sums(Explorer):
    """Six sliders, a handle, two presets; the last slider is of no use while the first is 0, and 9 is refused."""

    def __init__(self):
        controls = {f"number_{i}": integer(f"Number {i}", i, 0, 9) for i in range(6)}
        canvas = Canvas(torch.rand(3, 60, 80), handles={"roi": Handle(roles.CHOSEN, (10, 10, 40, 30), name="ROI")})
        self.draws = 0
        super().__init__(
            controls, canvas, {"All nine but one": {"number_1": 8, "roi": (0, 0, 80, 60)}, "Two": {"number_1": 2}}
        )

    def draw(self) -> str:
        self.draws += 1
        values = [control.value for control in self.controls.values()]
        if values[1] == 9:
            raise DataError("nine: too many")
        if values[0] == 0:
            self.rest(number_5="the first number is 0", number_4="the first number is 0")
        self.canvas.draw([Boxes(self.canvas.box("roi")[None], roles.AFTER)])
        return f"The sum is {sum(values)}."


def press(explorer: Explorer, name: str) -> None:
    """Click the button of this name."""
    row = explorer.children[0].children[0]
    next(child for child in row.children if child.description == name).click()


def left(explorer: Explorer) -> tuple:
    """What stands in the left column."""
    return explorer.children[0].children


def test_the_first_controls_stand_beside_the_picture_and_more_brings_the_others():
    explorer = Sums()
    row, main, reasons, rest = left(explorer)
    controls = list(explorer.controls.values())
    assert list(main.children) == controls[:MAIN] and list(rest.children) == controls[MAIN:]
    assert isinstance(reasons, Reasons) and rest.layout.display == "none"
    more = row.children[-1]
    assert isinstance(more, widgets.ToggleButton)
    more.value = True
    assert rest.layout.display is None
    more.value = False
    assert rest.layout.display == "none"


def test_a_preset_sets_what_it_names_and_leaves_nothing_of_the_one_before():
    explorer = Sums()
    explorer.number_3.value = 7
    explorer.draws = 0
    press(explorer, "All nine but one")
    assert explorer.draws == 1 and explorer.summary == f"The sum is {0 + 8 + 2 + 3 + 4 + 5}."
    assert explorer.canvas.handles["roi"] == [0, 0, 80, 60]
    press(explorer, "Two")
    assert explorer.summary == f"The sum is {0 + 2 + 2 + 3 + 4 + 5}." and explorer.canvas.handles["roi"] == [
        10,
        10,
        40,
        30,
    ]
    explorer.number_1.value = 9  # impossible
    press(explorer, "Reset")
    assert explorer.summary == "The sum is 15."


def test_a_control_that_can_do_nothing_rests_and_says_why():
    explorer = Sums()
    reasons = left(explorer)[2]
    assert explorer.number_5.disabled and reasons.text == "Number 5, Number 4: the first number is 0."
    explorer.number_0.value = 1
    assert not any(control.disabled for control in explorer.controls.values()) and reasons.text == ""


def test_a_refusal_leaves_the_controls_usable():
    explorer = Sums()
    explorer.number_1.value = 9
    assert explorer.summary == "Not possible: nine: too many."
    assert not explorer.number_5.disabled


def test_set_refuses_what_is_neither_control_nor_handle():
    with pytest.raises(KeyError, match="colour"):
        Sums().set(colour=3)
