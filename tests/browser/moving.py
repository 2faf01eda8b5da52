"""Every control of a page's explorer moved on the page and in Python, which then say the same; in whatever browser."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple, Protocol

import ipywidgets as widgets
from drawn import wait_until_drawn
from playwright.sync_api import expect

from rcnn_tutorial.explorers.explorer import Explorer, Several

# What a panel says and shows, its pictures as a number each, and the list beside them: a function of its element.
SEEN = """(panel) => {
    const number = (picture) => {
        const { width, height } = picture;
        const pen = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
        pen.drawImage(picture, 0, 0);
        const pixels = new Uint32Array(pen.getImageData(0, 0, width, height).data.buffer);
        return pixels.reduce((sum, pixel) => Math.imul(31, sum) + pixel | 0, 0);
    };
    return [
        panel.querySelector(".rcnn-summary").textContent,
        [...panel.querySelectorAll("canvas")].map(number),
        [...panel.querySelectorAll(".rcnn-ranking")].map((list) => list.textContent),
    ];
}"""


class Panel(Protocol):
    """An explorer on a page. place: a CSS selector in it, of one element."""

    def press(self, place: str, key: str) -> None: ...
    def select_option(self, place: str, text: str) -> None: ...
    def click(self, place: str) -> None: ...
    def push(self, button: str) -> None:
        """Click the button of this text, if there is one."""

    def wait_for(self, summary: str) -> None:
        """Until it says this; fails with what it says instead."""

    def seen(self) -> list:
        """What SEEN returns, once the last change is drawn."""


class ChromiumPanel:
    """An explorer of a page, in Chromium."""

    def __init__(self, page, number: int):
        self.element = page.locator(f"[data-explorer='{number}'] .rcnn-explorer")

    def press(self, place: str, key: str) -> None:
        self.element.locator(place).press(key)

    def select_option(self, place: str, text: str) -> None:
        self.element.locator(place).select_option(text)

    def click(self, place: str) -> None:
        self.element.locator(place).click()

    def push(self, button: str) -> None:
        found = self.element.locator(".rcnn-presets").get_by_text(button, exact=True)
        if found.count():
            found.click()

    def wait_for(self, summary: str) -> None:
        expect(self.element.locator(".rcnn-summary")).to_have_text(summary)

    def seen(self) -> list:
        wait_until_drawn(self.element.page)
        return self.element.evaluate(SEEN)


class Move(NamedTuple):
    """What a reader does, by keyboard or click, and the value that the control then has."""

    act: str  # a method of Panel
    words: tuple[str, ...]  # the key, or the option
    value: object


def move_every_control(panel: Panel, explorer: Explorer) -> None:
    """Each to its places and back. Fails where page and Python differ, or where a control changes nothing."""
    panel.push("More")
    for name, control in movable(explorer):
        views = [panel.seen()]
        for act, words, value in moves(control):
            getattr(panel, act)(place_of(name, control), *words)
            explorer.set(**{name: value})
            panel.wait_for(explorer.summary)
            views.append(panel.seen())
        assert any(view != views[0] for view in views), name  # whatever its first step may do
        press(panel, explorer, "Reset")


def press(panel: Panel, explorer: Explorer, button: str) -> None:
    """A preset, or Reset."""
    panel.push(button)
    explorer.press(button)
    panel.wait_for(explorer.summary)


def drag_in_python(explorer: Explorer, handle: str, by: tuple[int, int], width: float) -> None:
    """Move a box as a hand does by screen pixels (x, y), where the picture is `width` of them wide."""
    scale = width / explorer.canvas.size[1]
    dx, dy = (math.floor(pixels / scale + 0.5) for pixels in by)  # as the page rounds
    x1, y1, x2, y2 = explorer.canvas.handles[handle]
    explorer.canvas.move(**{handle: (x1 + dx, y1 + dy, x2 + dx, y2 + dy)})


def movable(explorer: Explorer) -> Iterator[tuple[str, widgets.Widget]]:
    """The controls that a page has and that do not rest, nor run by themselves."""
    for name, control in explorer.controls.items():
        if not control.disabled and name != "play" and name not in explorer.notebook_only:
            yield name, control


def place_of(name: str, control: widgets.Widget) -> str:
    """Where a reader moves it; of several boxes the first."""
    return f"[data-control='{name}']" + " label:first-of-type input" * isinstance(control, Several)


def moves(control: widgets.Widget) -> list[Move]:
    """A step and both ends of a slider, some options of a menu, a box ticked."""
    if isinstance(control, Several):
        ticked = tuple(one for one in control.options if (one in control.value) != (one == control.options[0]))
        return [Move("click", (), ticked)]
    if hasattr(control, "step"):
        step = control.step if control.value < control.max else -control.step
        arrow = "ArrowRight" if step > 0 else "ArrowLeft"
        return [Move("press", (arrow,), control.value + step), *ends(control.min, control.max)]
    if hasattr(control, "options"):
        options = [option if isinstance(option, tuple) else (str(option), option) for option in control.options]
        if isinstance(control, widgets.SelectionSlider):
            return ends(options[0][1], options[-1][1])
        return [Move("select_option", (text,), value) for text, value in (*options[:2], options[-1])]
    return [Move("click", (), not control.value)]


def ends(low, high) -> list[Move]:
    return [Move("press", ("End",), high), Move("press", ("Home",), low)]
