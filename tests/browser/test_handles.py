"""Handles, focus, zoom and hover texts of the canvas, by keyboard, mouse and finger, on a page without a kernel."""

import pytest
import torch
from axe import violations
from canvas_page import open_canvas

from rcnn_tutorial.explorers.canvas import Canvas, Handle
from rcnn_tutorial.roles import AFTER, BEFORE
from rcnn_tutorial.scene import Boxes

PHOTO = torch.rand(3, 400, 600, generator=torch.Generator().manual_seed(0))
COLUMNS = torch.tensor([[50.0 * i, 0.0, 50.0 * i + 50, 100.0] for i in range(12)])  # side by side, along the top


def canvas_with_handles() -> Canvas:
    """A large box over a small one that stays as large as it is; twelve columns with hover texts above them."""
    handles = {
        "small": Handle(AFTER, (300, 200, 340, 240), name="small box", resizable=False),
        "large": Handle(BEFORE, (200, 120, 500, 320), name="large box"),
    }
    canvas = Canvas(PHOTO, handles=handles, width=600)
    canvas.draw([Boxes(COLUMNS, hover=lambda i: f"column {i}", name="columns")])
    canvas.summary = "Twelve columns and two boxes."
    return canvas


@pytest.fixture
def shown(browser):
    """The canvas above, one screen pixel an image pixel."""
    with open_canvas(browser, canvas_with_handles()) as page:
        yield page


# ---- keyboard


def test_keys_move_a_handle_and_its_words_follow(shown):
    handle = shown.handle("large")
    handle.press("ArrowRight")
    assert shown.box("large") == [201, 120, 501, 320]
    handle.press("Control+ArrowDown")
    assert shown.box("large") == [201, 130, 501, 330]
    handle.press("Shift+ArrowLeft")
    assert shown.box("large") == [201, 130, 500, 330]
    handle.press("Control+Shift+ArrowUp")
    assert shown.box("large") == [201, 130, 500, 320]
    assert handle.get_attribute("aria-valuetext") == "x 201 to 500, y 130 to 320"
    assert shown.box("small") == [300, 200, 340, 240]
    assert len(shown.told("handles")) == 4


def test_a_handle_stays_in_the_picture_and_keeps_a_pixel(shown):
    handle = shown.handle("large")
    for key, box in (("ArrowUp", [200, 0, 500, 200]), ("ArrowLeft", [0, 0, 300, 200])):
        for _ in range(25):
            handle.press(f"Alt+{key}")
        assert shown.box("large") == box
    for key, box in (("ArrowLeft", [0, 0, 1, 200]), ("ArrowDown", [0, 0, 1, 400])):
        for _ in range(45):
            handle.press(f"Control+Shift+{key}")
        assert shown.box("large") == box


def test_what_cannot_be_resized_says_so_and_is_not(shown):
    small, large = shown.handle("small"), shown.handle("large")
    small.press("Shift+ArrowRight")
    assert shown.box("small") == [300, 200, 340, 240] and shown.told("handles") == []
    assert small.get_attribute("aria-description") == "Arrow keys move it, with Control by ten pixels"
    assert "with Shift they resize it" in large.get_attribute("aria-description")
    assert small.locator("[data-side]").count() == 0 and large.locator("[data-side]").count() == 8


def test_on_a_mac_the_key_is_command(browser):
    with open_canvas(browser, canvas_with_handles()) as here:
        here.page.add_init_script("Object.defineProperty(navigator, 'platform', { value: 'MacIntel' })")
        here.page.goto("about:blank")
        shown = type(here)(here.page, here.python)
        assert shown.handle("large").get_attribute("aria-description").endswith("with Command by ten pixels")
        shown.handle("large").press("Meta+ArrowRight")
        assert shown.box("large") == [210, 120, 510, 320]


def test_the_focus_is_seen_and_survives_new_frames(shown):
    shown.page.keyboard.press("Tab")
    assert shown.page.evaluate("() => document.activeElement.tagName") == "CANVAS"
    shown.page.keyboard.press("Tab")
    outline = "() => [document.activeElement.dataset.handle, getComputedStyle(document.activeElement).outlineWidth]"
    assert shown.page.evaluate(outline) == ["small", "2px"]
    shown.python.draw([])
    shown.receive("frame")
    assert shown.page.evaluate(outline) == ["small", "2px"]


# ---- mouse and finger


def test_the_mouse_moves_the_middle_and_pulls_sides_and_corners(shown):
    shown.drag((400, 290), (30, -20))
    assert shown.box("large") == [230, 100, 530, 300]
    shown.drag((530, 200), (-40, 55))  # the right side goes sideways only
    assert shown.box("large") == [230, 100, 490, 300]
    shown.drag((230, 100), (-30, 20))
    assert shown.box("large") == [200, 120, 490, 300]
    shown.drag((200, 120), (900, 900))  # beyond the far corner
    assert shown.box("large") == [489, 299, 490, 300]
    assert shown.page.evaluate("() => document.activeElement.dataset.handle") == "large"
    assert shown.told("clicked") == []


def test_a_small_handle_is_reached_inside_a_large_one(shown):
    shown.drag((320, 220), (10, 10))
    assert shown.box("small") == [310, 210, 350, 250] and shown.box("large") == [200, 120, 500, 320]


def test_the_handle_in_the_hand_is_not_moved_by_a_late_answer(shown):
    x, y = shown.on_screen(400, 290)
    shown.page.mouse.move(x, y)
    shown.page.mouse.down()
    shown.page.mouse.move(x + 20, y)
    shown.page.evaluate("() => model.receive({ handles: { ...model.get('handles'), large: [0, 0, 10, 10] } })")
    assert shown.handle("large").get_attribute("aria-valuetext") == "x 220 to 520, y 120 to 320"
    shown.page.mouse.up()
    assert shown.handle("large").get_attribute("aria-valuetext") == "x 0 to 10, y 0 to 10"


def test_a_click_tells_its_place_and_a_drag_does_not(shown):
    shown.page.mouse.click(*shown.on_screen(100, 350))
    assert shown.told("clicked") == [[100, 350]]
    shown.drag((100, 350), (30, 0))
    assert len(shown.told("clicked")) == 1


def test_a_finger_drags_a_handle_downwards_without_scrolling_the_page(browser):
    with open_canvas(browser, canvas_with_handles(), has_touch=True, is_mobile=True) as shown:
        shown.page.evaluate("() => { document.body.style.height = '4000px'; }")
        x, y = shown.on_screen(400, 290)
        touch = shown.page.context.new_cdp_session(shown.page)
        for kind, down in (("touchStart", 0), *(("touchMove", 10 * i) for i in range(1, 7))):
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y + down}]})
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        shown.settle()
        assert shown.box("large") == [200, 180, 500, 380]
        assert shown.page.evaluate("() => window.scrollY") == 0
        reach = shown.handle("large").locator('[data-side="n"]').bounding_box()["height"]
        assert reach == 36  # a finger is broader than a pointer
        assert shown.page.get_by_role("button", name="Zoom in").bounding_box()["height"] >= 44


# ---- zoom


def test_zoomed_in_handles_stay_over_their_boxes(shown):
    shown.page.mouse.move(*shown.on_screen(200, 120))
    shown.page.keyboard.down("Control")
    shown.page.mouse.wheel(0, -400)
    shown.page.keyboard.up("Control")
    shown.page.wait_for_selector(".rcnn-zoomed")
    shown.settle()
    place, (x, y) = shown.handle("small").bounding_box(), shown.on_screen(300, 200)
    assert (place["x"], place["y"]) == pytest.approx((x, y), abs=1)
    assert place["width"] == pytest.approx(40 * 2.718, abs=1)
    stage = shown.page.locator(".rcnn-stage").bounding_box()
    assert shown.page.locator("canvas").bounding_box() == stage
    assert shown.on_screen(200, 120) == pytest.approx((stage["x"] + 200, stage["y"] + 120), abs=1)
    shown.drag((320, 220), (27.18, 0))
    assert shown.box("small") == [310, 200, 350, 240]


def test_the_picture_is_zoomed_and_moved_by_keys(shown):
    canvas, sheet = shown.page.locator("canvas"), shown.page.locator(".rcnn-sheet")
    for _ in range(3):
        canvas.press("+")
    shown.settle()
    whole, before = shown.page.locator(".rcnn-stage").bounding_box(), sheet.bounding_box()
    assert before["width"] == pytest.approx(whole["width"] * 1.5**3)
    canvas.press("ArrowRight")
    shown.settle()
    assert sheet.bounding_box()["x"] == pytest.approx(before["x"] - 40, abs=1)
    for _ in range(12):
        canvas.press("ArrowLeft")
    canvas.press("0")
    shown.settle()
    assert sheet.bounding_box() == whole


def test_a_handle_out_of_sight_comes_into_view_with_the_focus(shown):
    shown.page.mouse.click(*shown.on_screen(10, 390))
    shown.page.mouse.wheel(0, -800)
    shown.page.wait_for_selector(".rcnn-zoomed")
    shown.settle()
    stage = shown.page.locator(".rcnn-stage").bounding_box()
    small = shown.handle("small")
    assert small.bounding_box()["x"] > stage["x"] + stage["width"]
    shown.page.keyboard.press("Tab")
    shown.settle()
    seen = small.bounding_box()
    assert stage["x"] <= seen["x"] and seen["x"] + seen["width"] <= stage["x"] + stage["width"] + 1
    assert stage["y"] <= seen["y"] and seen["y"] + seen["height"] <= stage["y"] + stage["height"] + 1


# ---- hover texts and the rest


def test_one_question_travels_at_a_time(shown):
    tip = shown.page.locator(".rcnn-tip")
    for column in range(2, 9):
        shown.page.mouse.move(*shown.on_screen(50 * column + 25, 50))
        shown.settle()
    shown.page.mouse.move(*shown.on_screen(50, 350))
    shown.page.mouse.move(*shown.on_screen(325, 50))
    shown.settle()
    assert shown.told("message") == [{"hover": [0, 2]}]
    shown.page.evaluate("() => model.answer({ hover: [0, 2], text: 'column 2' })")
    assert shown.told("message") == [{"hover": [0, 2]}, {"hover": [0, 6]}] and not tip.is_visible()
    words = "column 6, with a text so long that it has to be broken into lines to stay in the picture"
    shown.page.evaluate("(text) => model.answer({ hover: [0, 6], text })", words)
    assert tip.inner_text() == words
    place, stage = tip.bounding_box(), shown.page.locator(".rcnn-stage").bounding_box()
    assert stage["x"] <= place["x"] and place["x"] + place["width"] <= stage["x"] + stage["width"]
    mark = shown.page.locator(".rcnn-mark").bounding_box()
    assert (mark["x"], mark["width"]) == pytest.approx((shown.on_screen(300, 0)[0], 50), abs=1)
    shown.page.mouse.move(*shown.on_screen(50, 350))
    assert not tip.is_visible()


def test_no_line_crosses_a_label(shown):
    label = Boxes([[100, 200, 160, 260]], AFTER, labels=["0.97"], name="")
    across = Boxes([[50, 180, 300, 185]], BEFORE, fill=1.0, name="")
    pixels = "() => [...document.querySelector('canvas').getContext('2d').getImageData(100, 180, 40, 18).data]"
    shown.python.draw([label])
    shown.receive("frame")
    alone = shown.page.evaluate(pixels)
    shown.python.draw([label, across])
    shown.receive("frame")
    assert shown.page.evaluate(pixels) == alone


def test_decoded_images_and_listeners_are_given_back(shown):
    shown.page.evaluate(
        """() => {
            const close = ImageBitmap.prototype.close;
            window.given_back = 0;
            ImageBitmap.prototype.close = function () { window.given_back++; close.call(this); };
        }"""
    )
    for brightness in (0.2, 0.4, 0.6):
        shown.python.draw([], image=PHOTO * brightness)
        shown.receive("image", "frame")
    assert shown.page.evaluate("() => window.given_back") == 3
    shown.page.evaluate("() => close_canvas()")
    assert shown.page.evaluate("() => [window.given_back, model.listeners()]") == [4, 0]


@pytest.mark.parametrize("options", [{}, {"forced_colors": "active"}, {"has_touch": True, "is_mobile": True}])
def test_axe_finds_no_violation(browser, options):
    with open_canvas(browser, canvas_with_handles(), **options) as shown:
        assert violations(shown.page) == []
        shown.handle("large").focus()
        look = "(handle) => [getComputedStyle(handle).outlineStyle, getComputedStyle(handle).outlineWidth]"
        assert shown.handle("large").evaluate(look) == ["solid", "2px"]
        ground = "(bar) => getComputedStyle(bar).backgroundColor"
        assert shown.page.locator(".rcnn-bar").evaluate(ground) == "rgb(34, 34, 34)"  # white lines are seen on it
