"""The score list of suppression: picture and list mark each other, keys, clicks, play; on a page without a kernel."""

from contextlib import contextmanager

import pytest
import torch
from axe import violations
from canvas_page import OPEN

from rcnn_tutorial.explorers.suppression import BY_Y, NMSExplorer

PHOTO = torch.rand(3, 100, 200, generator=torch.Generator().manual_seed(0))
BOXES = torch.tensor([[10.0, 10, 50, 50], [20, 10, 60, 50], [80, 60, 120, 90], [150, 20, 190, 60]])
STAGE = """() => {
    const stage = document.createElement("div");
    stage.className = "rcnn-stage";
    stage.innerHTML = '<div class="rcnn-sheet"></div>';
    stage.style.cssText = "width: 400px; height: 200px; --width: 400px; --height: 200px";
    document.querySelector("main").append(stage);
}"""


class ListPage:
    """The list, its page, and a stage in place of the picture, two screen pixels an image pixel."""

    def __init__(self, page, explorer: NMSExplorer):
        self.page, self.explorer = page, explorer
        page.set_content('<!DOCTYPE html><html lang="en"><head><title>List</title></head><body></body></html>')
        ranking = explorer.ranking
        style, body = str(explorer.canvas._css) + str(ranking._css), '<main class="rcnn-explorer"><div></div></main>'
        page.evaluate(OPEN, [str(ranking._esm), style, self.state(), body])
        page.evaluate(STAGE)
        self.settle()
        self.rows = page.locator("tbody tr")

    def state(self) -> dict:
        """What Python has sent."""
        return {"frame": self.explorer.ranking.frame}

    def receive(self) -> None:
        """Send what Python has now."""
        self.page.evaluate("(changes) => model.receive(changes)", self.state())
        self.settle()

    def settle(self) -> None:
        """Until the list has found the explorer that it is part of."""
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def told(self) -> list[dict]:
        """All messages to Python."""
        return [value for _name, value in self.page.evaluate("() => model.told")]

    def at(self, x: float, y: float) -> tuple[float, float]:
        """A point of the image on the page."""
        sheet = self.page.locator(".rcnn-sheet").bounding_box()
        return sheet["x"] + 2 * x, sheet["y"] + 2 * y

    def pointed(self) -> list[str]:
        """The boxes of the rows that are marked."""
        return self.page.locator("tr.rcnn-pointed button").all_inner_texts()


@contextmanager
def open_list(browser, **options):
    """The list in a browser context with these options; no script error may happen in it."""
    context = browser.new_context(viewport={"width": 900, "height": 700}, **options)
    page, errors = context.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield ListPage(page, NMSExplorer(PHOTO, BOXES, torch.tensor([0.9, 0.8, 0.7, 0.6])))
    context.close()
    assert errors == []


@pytest.fixture
def shown(browser):
    """The list before the first step."""
    with open_list(browser) as page:
        yield page


def test_a_row_marks_its_box_and_the_picture_its_row(shown):
    shown.rows.nth(2).hover()
    mark, (x, y) = shown.page.locator(".rcnn-mark-row").bounding_box(), shown.at(80, 60)
    assert (mark["x"], mark["y"], mark["width"], mark["height"]) == pytest.approx((x, y, 80, 60), abs=1)
    assert shown.pointed() == ["C"]
    for place, name in (((11, 30), ["A"]), ((59, 30), ["B"]), ((153, 40), ["D"]), ((70, 95), ["C"]), ((140, 5), [])):
        shown.page.mouse.move(*shown.at(*place))
        assert shown.pointed() == name
        row = shown.explorer.pointed_at(*place)
        assert name == ([] if row is None else ["ABCD"[row]])  # a click there means the same
    assert not shown.page.locator(".rcnn-mark-row").is_visible()


def test_a_removed_box_is_not_pointed_at_in_the_picture(shown):
    shown.explorer.step.value = 2
    shown.receive()
    shown.page.mouse.move(*shown.at(59, 30))
    assert shown.pointed() == ["A"]


def test_keys_walk_pick_and_step(shown):
    shown.page.keyboard.press("Tab")  # Back is disabled: Play
    shown.page.keyboard.press("Tab")
    shown.page.keyboard.press("Tab")
    for key in ("ArrowDown", "ArrowDown", "ArrowUp"):
        shown.page.keyboard.press(key)
    assert shown.page.evaluate("() => document.activeElement.ariaLabel") == "B, open, score 0.80"
    assert shown.pointed() == ["B"]
    for key in ("Enter", "ArrowRight", "ArrowLeft"):
        shown.page.keyboard.press(key)
    assert shown.told() == [{"pick": 1}, {"go": 1}, {"go": -1}]
    shown.explorer.step.value = 1
    shown.receive()
    assert shown.page.evaluate("() => document.activeElement.ariaLabel") == "B, falls, score 0.80"  # it keeps the focus


def test_rows_are_crossed_out_and_follow_the_order(shown):
    shown.explorer.set(order=BY_Y, step=2)
    shown.receive()
    assert shown.rows.locator("button").all_inner_texts() == ["C", "D", "A", "B"]
    shown.explorer.step.value = 3
    shown.receive()
    assert shown.rows.locator("td:last-child").all_inner_texts() == ["kept", "kept", "in hand", "falls"]
    line = "(cell) => getComputedStyle(cell).textDecorationLine"
    assert [shown.rows.nth(row).locator("td").first.evaluate(line) for row in range(4)] == ["none"] * 3 + [
        "line-through"
    ]


def test_a_click_on_a_row_is_an_answer(shown):
    shown.rows.nth(3).click()
    assert shown.told() == [{"pick": 3}]


def test_play_steps_until_the_end_and_pauses(shown):
    play = shown.page.get_by_role("button", name="Play")
    play.click()
    told = shown.told()  # on a machine that takes its time there may be a second step
    assert told and all(word == {"go": 1} for word in told)
    shown.page.get_by_role("button", name="Pause").click()
    assert play.is_visible()
    play.click()
    shown.explorer.step.value = shown.explorer.step.max
    shown.receive()
    assert play.is_disabled() and shown.page.get_by_role("button", name="Step").is_disabled()


def test_who_asks_for_less_motion_steps(browser):
    with open_list(browser, reduced_motion="reduce") as shown:
        assert not shown.page.get_by_role("button", name="Play").is_visible()
        assert shown.page.get_by_role("button", name="Step").is_visible()


@pytest.mark.parametrize("step", [0, 1, 2, 4])
def test_axe_finds_no_violation(browser, step):
    with open_list(browser) as shown:
        shown.explorer.step.value = step
        shown.receive()
        shown.rows.first.hover()
        assert violations(shown.page) == []


def test_nothing_listens_any_more_once_it_is_closed(shown):
    shown.page.evaluate("() => close_canvas()")
    assert shown.page.evaluate("() => model.listeners()") == 0
