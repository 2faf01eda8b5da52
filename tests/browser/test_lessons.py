"""Every lesson in a real JupyterLab: it runs without a complaint, and its explorers follow keyboard and mouse."""

import pytest
from browser_lab import SCREENSHOTS


def test_a_lesson_runs_without_error_warning_or_script_error(lesson):
    assert lesson.problems() == []
    pictures = lesson.read_through(SCREENSHOTS / lesson.name)
    assert len(pictures) > 5  # more than a screen or two: all of it was drawn


def test_sliders_follow_keyboard_and_mouse(lesson):
    for explorer in lesson.explorers():
        changed = {"keys": 0, "mouse": 0}
        for number in range(explorer.sliders.count()):
            slider = explorer.sliders.nth(number)
            start = explorer.shown()
            explorer.press(slider, "Home")
            at_home = explorer.shown()
            explorer.press(slider, "End")
            at_end = explorer.shown()
            changed["keys"] += any(a[0] != b[0] and a[1] != b[1] for a, b in ((start, at_home), (at_home, at_end)))
            explorer.drag(slider, -60, 0)
            changed["mouse"] += explorer.shown() != at_end
        if explorer.sliders.count():
            assert changed["keys"] > 0 and changed["mouse"] > 0, explorer.summary
    assert lesson.problems() == []


def test_boxes_follow_keyboard_and_mouse(lesson):
    for explorer in lesson.explorers():
        for number in range(explorer.handles.count()):
            handle = explorer.handles.nth(number)
            start = explorer.shown()
            explorer.press(handle, "ArrowRight", "ArrowDown", "Shift+ArrowRight")
            moved = explorer.shown()
            assert moved[0] != start[0] and moved[1] != start[1], (start[0], moved[0])
            explorer.drag(handle, -25, -15)
            assert explorer.shown()[1] != moved[1], moved[0]
    assert lesson.problems() == []


SIZES = {
    "projector": (1024, 768),
    "laptop": (1366, 768),
    "laptop_files": (1366, 768, True),  # with JupyterLab's file browser
    "desk": (1400, 900),
    "phone": (400, 800),
}


@pytest.mark.parametrize("size", SIZES)
def test_picture_main_controls_and_summary_are_in_the_window_together(lesson, size):
    """On a phone they stand one below the other, and nothing is wider than the page."""
    before = lesson.page.viewport_size
    lesson.resize(*SIZES[size])
    found = []
    for number, explorer in enumerate(lesson.explorers()):
        explorer.shown()
        explorer.root.evaluate("(root) => root.scrollIntoView()")
        explorer.root.screenshot(path=SCREENSHOTS / lesson.name / f"explorer_{number}_{size}.png")
        found += [f"{number}: {what}" for what in explorer.cut_off(stacked=size == "phone")]
    lesson.resize(**before)
    assert found == []


@pytest.mark.parametrize("keys", [("d", "d"), ("0", "0")])
def test_keys_pressed_on_a_slider_never_reach_the_notebook(lesson, keys):
    """JupyterLab deletes the cell on "d d" and restarts the kernel on "0 0"; a reader at a slider means neither."""
    for explorer in lesson.explorers()[:1]:
        if explorer.sliders.count():
            explorer.press(explorer.sliders.first, *keys)
            lesson.round_trip()
            assert explorer.root.is_visible() and lesson.page.locator(".jp-Dialog").count() == 0
