"""A handle that turns, by keyboard, mouse and finger, on a page without a kernel; lesson 05 has one, in JupyterLab."""

import math

import pytest
import torch
from axe import violations
from canvas_page import open_canvas

from rcnn_tutorial.explorers.canvas import Canvas, Handle
from rcnn_tutorial.roles import CHOSEN

PHOTO = torch.rand(3, 400, 600, generator=torch.Generator().manual_seed(0))
GRIP, MIDDLE = (350, 90), (350, 220)  # the round grip, 30 screen pixels above the box; the box's middle


def canvas_that_turns() -> Canvas:
    """One box, a screen pixel an image pixel."""
    handle = Handle(CHOSEN, (200, 120, 500, 320), name="ROI", turnable=45)
    canvas = Canvas(PHOTO, handles={"roi": handle}, width=600)
    canvas.summary = "One box."
    return canvas


@pytest.fixture
def shown(browser):
    """The canvas above."""
    with open_canvas(browser, canvas_that_turns()) as page:
        yield page


def angle(shown) -> float:
    """How far the page's model has the handle turned."""
    return shown.page.evaluate("() => model.get('angles').roi")


def center(shown) -> tuple[float, float]:
    """The middle of the round grip, in image pixels."""
    grip, sheet = shown.page.locator(".rcnn-turn").bounding_box(), shown.page.locator(".rcnn-sheet").bounding_box()
    return grip["x"] + grip["width"] / 2 - sheet["x"], grip["y"] + grip["height"] / 2 - sheet["y"]


def around(degrees: float, point: tuple[float, float] = GRIP) -> tuple[float, float]:
    """Where a point of the upright box is once the box is turned."""
    (x, y), radians = (point[0] - MIDDLE[0], point[1] - MIDDLE[1]), math.radians(degrees)
    cos, sin = math.cos(radians), math.sin(radians)
    return MIDDLE[0] + x * cos - y * sin, MIDDLE[1] + x * sin + y * cos


def test_keys_turn_it_and_its_words_follow(shown):
    handle = shown.handle("roi")
    handle.press("PageUp")
    handle.press("Shift+PageUp")
    assert angle(shown) == 11
    assert handle.get_attribute("aria-valuetext") == "x 200 to 500, y 120 to 320, turned by 11°"
    assert "Page Up and Page Down turn it, with Shift by ten degrees" in handle.get_attribute("aria-description")
    for _ in range(8):
        handle.press("Shift+PageDown")
    assert angle(shown) == -45 and shown.box("roi") == [200, 120, 500, 320]
    handle.press("ArrowRight")  # as it is seen, not as it is turned
    assert shown.box("roi") == [201, 120, 501, 320] and angle(shown) == -45


def test_the_mouse_turns_it_by_the_round_grip(shown):
    assert center(shown) == pytest.approx(GRIP, abs=1)
    to = around(30)
    shown.drag(GRIP, (to[0] - GRIP[0], to[1] - GRIP[1]))
    assert angle(shown) == 30 and shown.box("roi") == [200, 120, 500, 320]
    assert center(shown) == pytest.approx(around(30), abs=1)
    shown.drag(around(30), (200, 300))
    assert angle(shown) == 45


def test_a_side_is_pulled_along_the_turned_box_and_the_other_stays(shown):
    shown.python.turn(roi=30)
    shown.receive("angles")
    east, west = around(30, (500, 220)), around(30, (200, 220))
    shown.drag(east, (20 * math.cos(math.radians(30)), 20 * math.sin(math.radians(30))))
    x1, y1, x2, y2 = shown.box("roi")
    assert (x2 - x1, y2 - y1) == pytest.approx((320, 200), abs=0.2)
    middle = ((x1 + x2) / 2, (y1 + y2) / 2)
    stays = (middle[0] - 160 * math.cos(math.radians(30)), middle[1] - 160 * math.sin(math.radians(30)))
    assert stays == pytest.approx(west, abs=0.2)


def test_the_grip_stays_in_the_picture(shown):
    for box, y in (((200, 0, 500, 300), 330), ((200, 0, 500, 400), 30)):  # under the box; in it
        shown.python.move(roi=box)
        shown.receive("handles")
        assert center(shown) == pytest.approx((350, y), abs=1)


def test_a_corner_out_of_the_picture_does_not_scroll_it(shown):
    shown.python.move(roi=(200, 200, 500, 400))
    shown.python.turn(roi=40)
    shown.receive("handles", "angles")
    shown.handle("roi").press("PageUp")
    shown.settle()
    assert shown.page.locator(".rcnn-stage").evaluate("(stage) => [stage.scrollLeft, stage.scrollTop]") == [0, 0]
    assert shown.page.locator("canvas").bounding_box() == shown.page.locator(".rcnn-stage").bounding_box()


def test_a_frame_may_forbid_to_turn_it(shown):
    shown.python.handle_styles["roi"] = Handle(CHOSEN, (200, 120, 500, 320), name="ROI")
    shown.python.draw([])
    shown.receive("frame")
    assert not shown.page.locator(".rcnn-turn").is_visible()
    shown.handle("roi").press("PageUp")
    assert shown.told("angles") == []
    assert "Page Up" not in shown.handle("roi").get_attribute("aria-description")


def test_a_finger_turns_it(browser):
    with open_canvas(browser, canvas_that_turns(), has_touch=True, is_mobile=True) as shown:
        grip = shown.page.locator(".rcnn-turn").bounding_box()
        assert grip["width"] >= 44 and grip["height"] >= 44
        start, end = center(shown), around(-20, (350, 76))
        touch = shown.page.context.new_cdp_session(shown.page)
        for kind, point in (("touchStart", start), ("touchMove", end)):
            x, y = shown.on_screen(*point)
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        shown.settle()
        assert angle(shown) == -20
        assert violations(shown.page) == []
