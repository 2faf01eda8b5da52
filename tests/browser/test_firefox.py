"""The pages in Firefox, from the disk: whatever is moved, they say what Python says, and no script complains."""

import pytest
from drawn import DRAWN
from firefox import FirefoxPanel
from moving import drag_in_python, move_every_control, press
from served import served_in_halves

from rcnn_tutorial.course import live

# A fraction without its second part is on the page; to ask where it stands makes the browser lay it out.
HALF_LAID_OUT = "[...document.querySelectorAll('mfrac')].some((one) => one.children.length < 2 && one.getClientRects())"


@pytest.mark.parametrize("lesson", live.LESSONS)
def test_every_control_and_preset_of_a_page_does_what_it_does_in_python(firefox_page, site, lesson):
    firefox_page.goto(site / f"{lesson}.html")
    for number, explorer in enumerate(live.LESSONS[lesson]()):
        panel = FirefoxPanel(firefox_page, number)
        panel.wait_for(explorer.summary)
        move_every_control(panel, explorer)
        for name in explorer.presets:
            press(panel, explorer, name)


def test_a_training_is_looked_through(firefox_page, site):
    firefox_page.goto(site / "08_training.html")
    panel, last = FirefoxPanel(firefox_page, 0), "Step 300 of 300, finished."
    assert firefox_page.wait_for(f"{panel.selector} .rcnn-summary", last).startswith(last)
    for key, words in (("Home", "Step 0 of 300"), ("ArrowRight", "Step 10 of 300"), ("End", last)):
        panel.press("[data-control=step]", key)
        assert firefox_page.wait_for(f"{panel.selector} .rcnn-summary", words).startswith(words)


def test_the_mouse_drags_a_box(firefox_page, site):
    firefox_page.goto(site / "02_anchors.html")
    explorer, panel = live.LESSONS["02_anchors"]()[1], FirefoxPanel(firefox_page, 1)
    panel.wait_for(explorer.summary)
    width = firefox_page.evaluate(
        "(selector) => document.querySelector(selector).getBoundingClientRect().width", f"{panel.selector} .rcnn-sheet"
    )
    firefox_page.drag(f"{panel.selector} [data-handle=second]", (20, 10), (60, 40))
    drag_in_python(explorer, "second", (60, 40), width)
    panel.wait_for(explorer.summary)


def test_a_page_that_arrives_in_halves_lives_and_complains_of_nothing(firefox_page, site):
    page = (site / "05_crop_pooling.html").read_bytes()
    middle = page.index(b"<mfrac>") + len(b"<mfrac><mrow>")
    with served_in_halves(page[:middle], page[middle:]) as (address, give_the_rest):
        firefox_page.begin(address)
        firefox_page.wait_until(HALF_LAID_OUT)
        give_the_rest()
        firefox_page.wait_until(f"document.readyState === 'complete' && {DRAWN}")
    assert not firefox_page.evaluate(f"() => {HALF_LAID_OUT}")
