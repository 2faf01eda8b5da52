"""A canvas where pages around outputs are not JupyterLab's, as in Colab and VS Code."""

import pytest
import torch
from canvas_page import BODY, OPEN, open_canvas, state_of
from playwright.sync_api import expect

from rcnn_tutorial.explorers.canvas import Canvas
from rcnn_tutorial.explorers.shown import WAKING_LINE

PHOTO = torch.rand(3, 600, 800, generator=torch.Generator().manual_seed(0))
PICTURE = '<img alt="the still picture" width="40" height="30">'


def outputs(*contents: str) -> str:
    """The outputs of a cell, each in boxes of its own."""
    return "".join(f'<div class="output"><div class="rendered">{content}</div></div>' for content in contents)


def test_a_live_view_hides_what_is_stored_of_it_until_it_is_gone(browser):
    other = outputs(PICTURE, "text")
    with open_canvas(browser, Canvas(PHOTO), other + outputs(WAKING_LINE, PICTURE, BODY)) as shown:
        line, pictures = shown.page.locator(".rcnn-wake"), shown.page.locator("img")
        expect(line).to_be_hidden()
        expect(pictures.last).to_be_hidden()
        assert pictures.first.is_visible()
        shown.page.evaluate("close_canvas()")
        expect(line).to_be_visible()
        assert pictures.last.is_visible()


@pytest.mark.parametrize(
    "before", [(PICTURE,), (WAKING_LINE,), (WAKING_LINE, PICTURE, '<p class="rcnn-canvas">another</p>')]
)
def test_other_outputs_stay(browser, before):
    with open_canvas(browser, Canvas(PHOTO), outputs(*before, BODY)) as shown:
        shown.settle()
        assert all(output.is_visible() for output in shown.page.locator(".output").all())


def test_in_a_frame_as_high_as_its_content_the_picture_is_as_high_as_a_screen_allows(browser):
    """Colab gives each cell such a frame."""
    context = browser.new_context(viewport={"width": 1400, "height": 900}, screen={"width": 1400, "height": 900})
    page = context.new_page()
    page.set_content('<iframe style="width: 1300px; height: 60px" srcdoc="<!DOCTYPE html><body></body>"></iframe>')
    frame = page.frames[1]
    canvas = Canvas(PHOTO)
    frame.evaluate(OPEN, [canvas._esm, str(canvas._css), state_of(canvas), BODY])
    frame.wait_for_selector(f'canvas[data-count="{canvas.frame["count"]}"]')
    for _ in range(5):
        page.evaluate("""() => new Promise((done) => {
            const frame = document.querySelector("iframe");
            frame.style.height = `${frame.contentDocument.documentElement.scrollHeight}px`;
            requestAnimationFrame(() => requestAnimationFrame(done));
        })""")
    assert 450 < frame.locator("canvas").bounding_box()["height"] <= 600
    context.close()
