"""The course as pages, in Chromium with the network off: nothing missing, nothing that shuts a reader out.

axe-core checks every page against WCAG 2 A and AA; the keyboard walks through all of them.
"""

from pathlib import Path

import pytest
from axe import violations
from browser_lab import SCREENSHOTS
from drawn import open_drawn
from playwright.sync_api import expect
from targets import small_targets

from rcnn_tutorial.course.files import course_folder, notebook_paths

NOTEBOOKS = [path.relative_to(course_folder()).with_suffix(".html") for path in notebook_paths(course_folder())]
LESSONS = [path.name for path in NOTEBOOKS if path.parent == Path()]
NAMES = ["index.html", "teacher.html", *(path.as_posix() for path in NOTEBOOKS)]
SCREENS = {"projector": {"width": 1400, "height": 1000}, "phone": {"width": 400, "height": 800}}
# What Tab must stop at; what lies in a closed fold is not to be seen and not to be reached.
STOPS = """() => {
    const stops = [...document.querySelectorAll('a[href], summary, [tabindex="0"], button, select, input')];
    const first = (stop) => stop.type !== 'radio' || document.querySelector(`[name="${stop.name}"]`) === stop;
    const able = (stop) => !stop.disabled && stop.tabIndex >= 0 && first(stop);
    window.stops = stops.filter((stop) => stop.checkVisibility() && able(stop));
    return window.stops.length;
}"""
FOCUSED = """() => {
    const at = document.activeElement, style = getComputedStyle(at), box = at.getBoundingClientRect();
    const seen = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
    return {
        number: window.stops.indexOf(at),
        name: at.outerHTML.slice(0, 120),
        visible: seen && style.outlineStyle === "solid" && parseFloat(style.outlineWidth) >= 2,
    };
}"""


@pytest.fixture(scope="module", params=SCREENS)
def open_page(request, browser, site):
    """Open a page by name, offline; its `.problems` are the requests for anything else and the console's errors."""
    context = browser.new_context(viewport=SCREENS[request.param])
    context.set_offline(True)
    page = context.new_page()
    page.problems = []

    def answer(route):
        if route.request.url.startswith("file:"):
            return route.continue_()
        page.problems.append(f"request for {route.request.url}")
        return route.abort()

    context.route("**/*", answer)
    page.on("requestfailed", lambda asked: page.problems.append(f"failed: {asked.url[:100]}"))
    page.on("console", lambda said: page.problems.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: page.problems.append(str(error)))

    def open_page(name):
        page.problems.clear()
        open_drawn(page, (site / name).as_uri())
        return page

    open_page.screen = request.param
    yield open_page
    context.close()


def unfold(page):
    """Open every fold, so that the answers are looked at too."""
    page.evaluate("() => document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")


@pytest.mark.parametrize("name", NAMES)
def test_offline_nothing_is_missing(open_page, name):
    page = open_page(name)
    unfold(page)
    broken = page.evaluate(
        "() => [...document.images].filter((picture) => !picture.complete || !picture.naturalWidth).length"
    )
    assert broken == 0
    assert page.problems == []
    width = page.evaluate("() => document.documentElement.scrollWidth")
    assert width <= page.viewport_size["width"]  # only what is marked for it scrolls sideways
    SCREENSHOTS.joinpath("site").mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / "site" / f"{name.replace('/', '_')}_{open_page.screen}.png")


@pytest.mark.parametrize("name", NAMES)
def test_axe_finds_no_violation(open_page, name):
    page = open_page(name)
    unfold(page)
    assert violations(page) == []


@pytest.mark.parametrize("name", NAMES)
def test_axe_finds_no_violation_in_the_dark(browser, site, name):
    with browser.new_context(viewport=SCREENS["projector"], color_scheme="dark") as context:
        page = context.new_page()
        open_drawn(page, (site / name).as_uri())
        unfold(page)
        assert violations(page) == []


@pytest.mark.parametrize("name", LESSONS)
def test_without_scripts_a_lesson_is_read(browser, site, name):
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto((site / name).as_uri())
        pictures, answers = page.locator("[data-explorer] img"), page.locator("[data-questions] details")
        assert pictures.count() == page.locator("[data-explorer]").count() > 0 < answers.count()
        for picture in pictures.all():
            expect(picture).to_be_visible()
            expect(picture).not_to_have_js_property("naturalWidth", 0)
        for answer in answers.all():
            answer.locator("summary").click()
            expect(answer.locator("p").last).to_be_visible()


@pytest.mark.parametrize("name", NAMES)
def test_tab_reaches_everything_and_the_focus_is_seen(open_page, name):
    page = open_page(name)
    count = page.evaluate(STOPS)
    assert count >= 10
    reached = []
    for _ in range(count):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        assert focused["visible"], focused
        reached.append(focused["number"])
    assert reached == list(range(count))


@pytest.mark.parametrize("name", NAMES)
def test_a_finger_hits_everything_on_a_phone(browser, site, name):
    with browser.new_context(viewport=SCREENS["phone"], has_touch=True, is_mobile=True) as context:
        page = context.new_page()
        open_drawn(page, (site / name).as_uri())
        assert small_targets(page) == []


def test_enter_opens_an_answer_and_closes_it(open_page):
    page = open_page("02_anchors.html")
    answer = page.locator("main > details", has=page.get_by_text("Answer", exact=True)).first
    page.evaluate(STOPS)
    for _ in range(200):
        page.keyboard.press("Tab")
        if answer.locator("summary").evaluate("(summary) => summary === document.activeElement"):
            break
    page.keyboard.press("Enter")
    assert answer.locator("p, li, table").first.is_visible()
    page.keyboard.press("Enter")
    assert not answer.locator("p, li, table").first.is_visible()


def test_the_first_tab_stop_skips_to_the_content(open_page):
    page = open_page("00_tour.html")
    page.keyboard.press("Tab")
    assert page.locator(".skip").is_visible()
    page.keyboard.press("Enter")
    assert page.evaluate("() => document.activeElement.tagName") == "MAIN"


def test_a_lesson_leads_to_the_next_by_keyboard(open_page):
    page = open_page("00_tour.html")
    page.locator("footer a[rel=next]").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/01_preprocessing.html")
    assert "01 ·" in page.locator("h1").inner_text()
