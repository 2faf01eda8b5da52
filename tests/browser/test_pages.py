"""The pages' explorers in Chromium, from the disk, offline: whatever is moved, they say what Python says."""

import pytest
from playwright.sync_api import expect

from rcnn_tutorial.course import live
from rcnn_tutorial.explorers.explorer import Several

SCREENS = {"projector": {"width": 1400, "height": 900}, "phone": {"width": 400, "height": 800}}


@pytest.fixture(params=SCREENS)
def open_lesson(request, browser, site):
    """Opens a lesson's page and waits for its explorers; fails at the end for an error of a script."""
    context = browser.new_context(viewport=SCREENS[request.param], has_touch=request.param == "phone")
    context.set_offline(True)
    page, problems = context.new_page(), []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda said: problems.append(said.text) if said.type in ("error", "warning") else None)

    def open_lesson(lesson: str):
        page.goto((site / f"{lesson}.html").as_uri())
        page.wait_for_function("document.querySelector('[data-explorer] .rcnn-summary')?.textContent")
        return page

    yield open_lesson
    context.close()
    assert problems == []


@pytest.mark.parametrize("lesson", live.LESSONS)
def test_every_control_of_a_page_does_what_it_does_in_python(open_lesson, lesson):
    page = open_lesson(lesson)
    for number, explorer in enumerate(live.LESSONS[lesson]()):
        panel = page.locator(f"[data-explorer='{number}'] .rcnn-explorer")
        more = panel.get_by_role("button", name="More", exact=True)
        if more.count():
            more.click()
        for name, control in explorer.controls.items():
            if control.disabled or name == "play":
                continue
            before = seen(panel)
            move(panel, name, control)
            explorer.set(**{name: moved(control)})
            wait_for_summary(page, number, explorer.summary)
            assert seen(panel) != before, name
            panel.get_by_role("button", name="Reset", exact=True).click()
            explorer.press("Reset")
            wait_for_summary(page, number, explorer.summary)


@pytest.mark.parametrize("lesson", live.LESSONS)
def test_every_preset_of_a_page_says_what_it_says_in_python(open_lesson, lesson):
    page = open_lesson(lesson)
    for number, explorer in enumerate(live.LESSONS[lesson]()):
        for name in explorer.presets:
            explorer.press(name)
            page.locator(f"[data-explorer='{number}'] .rcnn-presets").get_by_text(name, exact=True).click()
            wait_for_summary(page, number, explorer.summary)


def test_a_training_is_looked_through(open_lesson):
    page = open_lesson("08_training")
    panel = page.locator("[data-explorer='0']")
    said, slider = panel.locator(".rcnn-summary"), panel.locator("[data-control=step]")
    expect(said).to_contain_text("Step 300 of 300, finished.")
    last = seen(panel)
    slider.press("Home")
    expect(said).to_contain_text("Step 0 of 300")
    slider.press("ArrowRight")
    expect(said).to_contain_text("Step 10 of 300")
    assert seen(panel)[1] != last[1]


def test_a_box_is_dragged(open_lesson):
    page = open_lesson("02_anchors")
    explorer = live.LESSONS["02_anchors"]()[1]
    panel = page.locator("[data-explorer='1']")
    handle = panel.locator(".rcnn-handle[data-handle=first]")
    handle.focus()
    for key in ("ArrowRight", "Control+ArrowDown", "Shift+ArrowLeft"):
        handle.press(key)
    x1, y1, x2, y2 = explorer.canvas.handles["first"]
    explorer.canvas.move(first=(x1 + 1, y1 + 10, x2, y2 + 10))
    wait_for_summary(page, 1, explorer.summary)


def test_an_answer_is_marked(open_lesson):
    page = open_lesson("02_anchors")
    form = page.locator("[data-questions='0'] form").first
    fields = live.questions_of("02_anchors")[0].questions[0].fields
    for place, field in enumerate(fields):
        form.locator("input").nth(place).fill(str(field.right))
    form.get_by_text("Commit").click()
    assert "Right." in page.locator("[data-questions='0'] [role=status]").first.inner_text()


def seen(panel) -> list:
    """What the panel says and shows."""
    pictures = panel.evaluate("(panel) => [...panel.querySelectorAll('canvas')].map((one) => one.toDataURL())")
    return [panel.locator(".rcnn-summary").inner_text(), pictures]


def moved(control):
    """The value that `move` gives a control: its neighbor."""
    if isinstance(control, Several):
        return tuple(one for one in control.options if (one in control.value) != (one == control.options[0]))
    if hasattr(control, "step"):
        return control.value + (control.step if control.value < control.max else -control.step)
    if hasattr(control, "options"):
        values = [option[1] if isinstance(option, tuple) else option for option in control.options]
        place = values.index(control.value)
        return values[place + 1] if place + 1 < len(values) else values[place - 1]
    return not control.value


def move(panel, name: str, control) -> None:
    """Move a control as a reader would, with the keyboard or a click."""
    place = panel.locator(f"[data-control='{name}']")
    if isinstance(control, Several):
        place.locator("input").first.click()
    elif hasattr(control, "step"):
        place.press("ArrowRight" if control.value < control.max else "ArrowLeft")
    elif hasattr(control, "options"):
        value = moved(control)
        texts = [option[0] if isinstance(option, tuple) else str(option) for option in control.options]
        values = [option[1] if isinstance(option, tuple) else option for option in control.options]
        if place.evaluate("(input) => input.type") == "range":
            place.press("ArrowRight" if values.index(value) > values.index(control.value) else "ArrowLeft")
        else:
            place.select_option(texts[values.index(value)])
    else:
        place.click()


def wait_for_summary(page, number: int, summary: str) -> None:
    """Until the explorer says this; fails with what it says instead."""
    expect(page.locator(f"[data-explorer='{number}'] .rcnn-summary")).to_have_text(summary)
