"""A wrong case as two pictures: one frame, one legend, words; and whatever a result is, no error."""

import pytest
import torch
from bs4 import BeautifulSoup

from rcnn_tutorial.checks.checking import Check, misconceptions
from rcnn_tutorial.checks.pictures import (
    Bar,
    Chart,
    Sketch,
    bars,
    beside,
    corners,
    differs,
    failing_case,
    html,
    in_form_of,
    role_of,
    table,
    versus,
)  # fmt: skip
from rcnn_tutorial.roles import PLAIN
from rcnn_tutorial.scene import Boxes

BOX = torch.tensor([[10.0, 20, 30, 40]])
draw = beside(lambda _arguments, value, good, wrong: Sketch(versus(value, good, wrong), corners(value, wrong)))


def extent(scene) -> list[float]:
    boxes = torch.cat([torch.as_tensor(layer.data) for layer in scene.layers if isinstance(layer, Boxes)])
    return [*boxes[:, :2].amin(dim=0).tolist(), *boxes[:, 2:].amax(dim=0).tolist()]


@pytest.mark.parametrize("by", [(0.0, 1.0), (-35.0, 3.0), (35.0, -35.0)])
def test_a_box_beside_the_right_one_gets_room(by):
    yours, right = draw((), BOX + torch.tensor(by * 2), BOX)
    height, width = yours.size
    x1, y1, x2, y2 = extent(yours)
    assert (yours.title, right.title) == ("yours", "right") and yours.size == right.size
    assert x1 >= 0 and y1 >= 0 and x2 <= width and y2 <= height and "fits" not in yours.caption
    assert [layer.legend for layer in yours.layers[:2]] == [layer.legend for layer in right.layers[:2]]


def test_a_box_far_away_leaves_the_right_one_its_size_and_the_words_say_so():
    yours, right = draw((), BOX + 1e6, BOX)
    x1, _, x2, _ = extent(right)
    assert (x2 - x1) / yours.size[1] > 1 / 6
    assert (
        yours.caption
        == "box 0 is (1000010.00, 1000020.00, 1000030.00, 1000040.00). Not all of it fits into the picture."
    )
    assert yours.layers[-1].arrow and html((yours, right)).count("<img") == 2


@pytest.mark.parametrize("value", [BOX[0], BOX[:0], BOX * torch.nan, BOX * 1e9, BOX > 0, BOX * 1j])
def test_another_form_than_the_right_one_s_has_no_picture(value):
    assert draw((), value, BOX) == ()


def test_a_result_comes_in_the_form_of_the_right_one():
    assert in_form_of(2, torch.tensor(3)) == 3.0 and in_form_of(["a"], ("a", "b")) == ["a", "b"]
    assert in_form_of((1, 2), [3.0, 4.0]).tolist() == [3, 4] and in_form_of(["a"], 3) is None
    assert in_form_of([1, 2], [1, 2, 3]) is None and in_form_of([1, 2], [1, 2, 3], any_length=True).tolist() == [
        1,
        2,
        3,
    ]
    boxes, labels = in_form_of((BOX, torch.tensor([1])), (BOX.tolist(), [2]))
    assert boxes.dtype == torch.float64 and labels.tolist() == [2] and in_form_of((BOX, BOX), (BOX,)) is None


def test_rows_that_differ_are_found_in_numbers_words_and_several_results():
    assert differs(1.0, 2.0).tolist() == [True] and differs([1.0, 2.0], torch.tensor([1.0, 3.0])).tolist() == [
        False,
        True,
    ]
    assert differs(["a"], ["a", "b"]).tolist() == [False, True]
    assert differs((BOX, BOX), (BOX, BOX + 1)).tolist() == [True] and differs(BOX[:0], BOX).tolist() == [True]


def test_the_smallest_case_with_a_picture_is_shown_and_an_error_in_a_drawing_shows_nothing():
    def fails_for_one(arguments, value, good, _wrong):
        if len(arguments[0]) == 1:
            raise ValueError
        return Sketch([Boxes(value, role_of(value, good))], f"{len(arguments[0])} boxes.")

    two, three = BOX.repeat(2, 1), BOX.repeat(3, 1)
    cases = [(three, 5), (two, 5), (BOX, 5)]
    scenes = failing_case(
        beside(fails_for_one), cases, [boxes + 1 for boxes, _ in cases], [boxes for boxes, _ in cases]
    )
    assert scenes[0].caption == "2 boxes."
    wrong = misconceptions("You add one.", lambda boxes: boxes + 1)
    silent = Check("silent", lambda boxes: boxes, lambda: [(BOX,)], wrong, picture=beside(fails_for_one))
    assert silent(lambda boxes: boxes + 1).scenes == () and silent(lambda boxes: boxes + 1).message == "You add one."


def test_words_of_a_picture_are_no_markup():
    picture = beside(lambda _arguments, value, _good, _wrong: Sketch([Boxes(value)], 'a < b "c"'))
    page = BeautifulSoup(html(picture((), BOX + 1, BOX)), "html.parser")
    assert page.img["alt"] == 'yours: a < b "c"' and page.figcaption.get_text() == 'a < b "c"' and html(()) == ""


def test_bars_tables_and_charts_lie_where_their_numbers_say():
    lines, boxes, texts = bars([Bar("one", 1.0, PLAIN), Bar("ten", 10.0, PLAIN), Bar("less", -9.0, PLAIN)], full=2.0)
    assert boxes.data[:, [0, 2]].tolist() == [[0, 30], [0, 66], [-30, 0]] and lines.data.shape == (1, 2, 2)
    assert texts.labels == ["one", "ten →", "less →"]
    heat, right, wrong = table(torch.tensor([[0.5, 0.25]]), torch.tensor([[0.5, 0.75]]), at=(1.0, 2.0))
    assert heat.extent == (1, 2, 21, 8) and (right.labels, wrong.labels) == (["0.50"], ["0.25"])
    assert Chart((0, 4), (0, 2)).points([0, 2], [2, 0]).tolist() == [[0, 0], [50, 60]]
