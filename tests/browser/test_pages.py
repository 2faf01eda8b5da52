"""The pages' explorers in Chromium, from the disk, offline: whatever is moved, they say what Python says."""

from collections.abc import Callable

import ipywidgets as widgets
import pytest
from playwright.sync_api import expect

from rcnn_tutorial.course import live
from rcnn_tutorial.explorers.explorer import Several

SCREENS = {"projector": {"width": 1400, "height": 900}, "phone": {"width": 400, "height": 800}}
# What of a panel's presets and first controls does not show itself while a picture of it is looked at.
HIDDEN = """(panel) => [...panel.querySelectorAll(".rcnn-stage")].flatMap((picture) => {
    picture.scrollIntoView({ block: "center" });
    return [picture, ...panel.querySelectorAll(".rcnn-presets, .rcnn-main > *")].filter((part) => {
        const { left, top, width, height } = part.getBoundingClientRect();
        return !part.contains(document.elementFromPoint(left + width / 2, top + height / 2));
    }).map((part) => `${part.className} ${part.textContent}`);
})"""

# Whether something lies over what has the focus in a panel. In a picture it may be another box of the same picture.
COVERED = """() => {
    const at = document.activeElement, whole = at.closest(".rcnn-stage") ?? at;
    const { left, top, width, height } = at.getBoundingClientRect();
    const free = [0.1, 0.5, 0.9].some((share) =>
        whole.contains(document.elementFromPoint(left + width / 2, top + share * height)));
    return at.closest(".rcnn-explorer") && !free ? at.outerHTML.slice(0, 120) : null;
}"""


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
            if control.disabled or name == "play" or name in explorer.notebook_only:
                continue
            views = [seen(panel)]
            for act, value in moves(control):
                act(panel.locator(f"[data-control='{name}']"))
                explorer.set(**{name: value})
                wait_for_summary(page, number, explorer.summary)
                views.append(seen(panel))
            assert any(view != views[0] for view in views), name  # whatever its first step may do
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


@pytest.mark.parametrize("lesson", [*live.LESSONS, live.TRAINING])
def test_a_picture_and_what_changes_it_are_seen_together(open_lesson, lesson):
    for panel in open_lesson(lesson).locator(".rcnn-explorer").all():
        assert panel.evaluate(HIDDEN) == []


@pytest.mark.parametrize("lesson", ["02_anchors", "04_proposal_target"])
def test_nothing_covers_what_has_the_focus(open_lesson, lesson):
    page = open_lesson(lesson)
    for key_pressed in ["Tab"] * 80 + ["Shift+Tab"] * 80:
        page.keyboard.press(key_pressed)
        assert page.evaluate(COVERED) is None


def test_every_explorer_has_a_name_of_its_own(open_lesson):
    page = open_lesson("03_rpn_loss")
    for number, name in enumerate(["Anchor Label Explorer", "Smooth L1 Explorer"]):
        panel = page.locator(f"[data-explorer='{number}']")
        assert panel.get_by_role("region", name=name, exact=True).count() == 1
    page = open_lesson("02_anchors")
    assert page.get_by_role("region", name="IoU Explorer", exact=True).count() == 1


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
    """What the panel says and shows, and the list beside its picture."""
    pictures = panel.evaluate("(panel) => [...panel.querySelectorAll('canvas')].map((one) => one.toDataURL())")
    beside = panel.locator(".rcnn-ranking").all_inner_texts()
    return [panel.locator(".rcnn-summary").inner_text(), pictures, beside]


def moves(control) -> list[tuple[Callable, object]]:
    """What a reader does with a control, by keyboard or click, and the value that it then has."""
    if isinstance(control, Several):
        ticked = tuple(one for one in control.options if (one in control.value) != (one == control.options[0]))
        return [(lambda place: place.locator("input").first.click(), ticked)]
    if hasattr(control, "step"):
        step = control.step if control.value < control.max else -control.step
        return [(key("ArrowRight" if step > 0 else "ArrowLeft"), control.value + step), *ends(control.min, control.max)]
    if hasattr(control, "options"):
        options = [option if isinstance(option, tuple) else (str(option), option) for option in control.options]
        if isinstance(control, widgets.SelectionSlider):
            return ends(options[0][1], options[-1][1])
        return [(select(text), value) for text, value in (*options[:2], options[-1])]
    return [(lambda place: place.click(), not control.value)]


def ends(low, high) -> list[tuple[Callable, object]]:
    return [(key("End"), high), (key("Home"), low)]


def key(name: str) -> Callable:
    return lambda place: place.press(name)


def select(text: str) -> Callable:
    return lambda place: place.select_option(text)


def wait_for_summary(page, number: int, summary: str) -> None:
    """Until the explorer says this; fails with what it says instead."""
    expect(page.locator(f"[data-explorer='{number}'] .rcnn-summary")).to_have_text(summary)
