"""The pages over HTTP, as `rcnn-tutorial serve` gives them to a class: alive, and nothing else is asked for."""

import pytest
from drawn import open_drawn
from moving import ChromiumPanel, press
from served import served

from rcnn_tutorial.course import live


@pytest.fixture(scope="module")
def address(site):
    """Of the course's pages."""
    with served(site) as address:
        yield address


def test_a_lesson_lives_over_http_and_asks_for_nothing_else(browser, address):
    with browser.new_context() as context:
        page, asked, problems = context.new_page(), [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda said: problems.append(said.text) if said.type in ("error", "warning") else None)
        open_drawn(page, f"{address}/02_anchors.html")
        for number, explorer in enumerate(live.LESSONS["02_anchors"]()):
            press(ChromiumPanel(page, number), explorer, next(iter(explorer.presets)))
        assert [url for url in asked if not url.startswith(("data:", "blob:"))] == [f"{address}/02_anchors.html"]
        assert problems == []


def test_the_policy_of_a_page_holds_over_http(browser, address):
    with browser.new_context() as context:
        page, said = context.new_page(), []
        page.on("console", lambda message: said.append(message.text))
        page.goto(f"{address}/02_anchors.html")
        refused = page.evaluate("() => fetch('index.html').then(() => false, () => true)")
        assert refused and any("Content Security Policy" in text for text in said)
