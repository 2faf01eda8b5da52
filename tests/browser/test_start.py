"""What `rcnn-tutorial lab` opens: the start page, whole on a small screen, in both themes, and a way into a lesson."""

import pytest
from axe import violations
from browser_lab import SCREENSHOTS, change_theme, run_lab

from rcnn_tutorial.course.files import course_folder
from rcnn_tutorial.course.handout import copy_course
from rcnn_tutorial.course.start import START

LESSONS = len(list(course_folder().glob("*.ipynb")))
SCREENS = {"laptop": (1400, 900), "projector": (1024, 768)}
PAGE = ".jp-RenderedMarkdown"
# All pictures are there, and nothing of the page is below the panel or beside it, nor is the panel below the window.
WHOLE = f"""() => {{
    const page = document.querySelector("{PAGE}"), panel = document.querySelector(".jp-WindowedPanel-outer");
    const there = (one) => one.complete && one.naturalWidth === 320 && one.width === 64;
    const bottom = (part) => part.getBoundingClientRect().bottom;
    const fits = page.scrollWidth <= page.clientWidth && bottom(page) <= bottom(panel);
    return [...page.querySelectorAll("img")].every(there) && fits && bottom(panel) <= innerHeight;
}}"""


@pytest.fixture(scope="module")
def start(browser, tmp_path_factory):
    """The start page of a copy, as it opens."""
    folder = tmp_path_factory.mktemp("start")
    copy_course(folder / "course")
    with run_lab(folder / "course", folder / "scratch") as lab:
        page = browser.new_page()
        page.goto(f"{lab.origin}/lab/tree/{START}?reset&token={lab.token}")
        page.wait_for_selector(f"{PAGE} img")
        yield page
        page.close()


@pytest.mark.parametrize("theme", ["Light", "Dark"])
@pytest.mark.parametrize("screen", SCREENS)
def test_all_lessons_are_seen_at_first_sight(start, screen, theme):
    width, height = SCREENS[screen]
    start.set_viewport_size({"width": width, "height": height})
    change_theme(start, theme)
    assert start.locator(f"{PAGE} img").count() == LESSONS
    start.wait_for_function(WHOLE)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    start.screenshot(path=SCREENSHOTS / f"start_{screen}_{theme.lower()}.png")
    assert violations(start, PAGE) == []


def test_a_card_opens_its_lesson(start):
    start.get_by_role("link", name="02 Anchors").last.click()
    start.wait_for_selector(f"{PAGE} h1:has-text('02 · Anchors: nine boxes')")
    assert start.evaluate("() => window.jupyterapp.shell.currentWidget.context.path") == "02_anchors.ipynb"
