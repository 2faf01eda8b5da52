"""A canvas on a page of its own, without a kernel: a stand-in for the model notes what the canvas tells it."""

from __future__ import annotations

import base64
from contextlib import contextmanager

from rcnn_tutorial.explorers.canvas import Canvas

BODY = '<main class="rcnn-explorer"><div style="width: 100%"></div></main>'
OPEN = """async ([source, css, state, body]) => {
    const revive = (value) =>
        value?.bytes !== undefined ? new DataView(Uint8Array.from(atob(value.bytes), (c) => c.charCodeAt(0)).buffer)
        : Array.isArray(value) ? value.map(revive)
        : value && typeof value === "object"
            ? Object.fromEntries(Object.entries(value).map(([name, part]) => [name, revive(part)]))
        : value;
    const heard = {}; // event -> listeners
    window.model = {
        state: revive(state), told: [], // [trait or "message", value], in order
        get(name) { return this.state[name]; },
        set(name, value) { this.state[name] = value; this.told.push([name, value]); },
        save_changes() {},
        send(message) { this.told.push(["message", message]); },
        on(event, act) { (heard[event] ??= []).push(act); },
        off(event, act) { heard[event] = heard[event].filter((other) => other !== act); },
        listeners: () => Object.values(heard).flat().length,
        receive(changes) {
            Object.assign(this.state, revive(changes));
            Object.keys(changes).forEach((name) => heard[`change:${name}`]?.forEach((act) => act()));
        },
        answer(message) { heard["msg:custom"].forEach((act) => act(message)); },
    };
    document.body.innerHTML = body;
    document.head.appendChild(document.createElement("style")).textContent = css;
    const widget = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
    window.close_canvas = widget.default.render({ model, el: document.querySelector("main > div") });
}"""


class CanvasPage:
    """The canvas, its page and its handles."""

    def __init__(self, page, canvas: Canvas, body: str = BODY):
        self.page, self.python = page, canvas
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        page.set_content('<!DOCTYPE html><html lang="en"><head><title>Canvas</title></head><body></body></html>')
        page.evaluate(OPEN, [canvas._esm, str(canvas._css), self.state(), body])
        self.wait_for_frame()

    def state(self, *names: str) -> dict:
        """Traits of the Python side as JSON can hold them."""
        return state_of(self.python, *names)

    def receive(self, *names: str) -> None:
        """Send traits of the Python side to the page and wait until they are drawn."""
        self.page.evaluate("(changes) => model.receive(changes)", self.state(*names))
        self.wait_for_frame()

    def wait_for_frame(self) -> None:
        """Until the page shows the frame that Python has, and what an animation frame adds."""
        self.page.wait_for_selector(f'canvas[data-count="{self.python.frame["count"]}"]')
        self.settle()

    def settle(self) -> None:
        """Until the animation frame that now comes is over."""
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def handle(self, key: str):
        """The element that stands for a handle."""
        return self.page.locator(f'[data-handle="{key}"]')

    def box(self, key: str) -> list[float]:
        """Where the page's model has a handle: x1, y1, x2, y2."""
        return self.page.evaluate("(key) => model.get('handles')[key]", key)

    def told(self, name: str) -> list:
        """The values that the page has given a trait, or its messages."""
        return [value for trait, value in self.page.evaluate("() => model.told") if trait == name]

    def drag(self, start: tuple[float, float], by: tuple[float, float]) -> None:
        """Press the mouse at a point of the image, move it by screen pixels, let go."""
        x, y = self.on_screen(*start)
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x + by[0], y + by[1], steps=4)
        self.page.mouse.up()
        self.settle()

    def on_screen(self, x: float, y: float) -> tuple[float, float]:
        """A point of the image on the page."""
        sheet = self.page.locator(".rcnn-sheet").bounding_box()
        height, width = self.python.size
        return sheet["x"] + x * sheet["width"] / width, sheet["y"] + y * sheet["height"] / height


def state_of(canvas: Canvas, *names: str) -> dict:
    """These traits of a canvas, or all, as JSON can hold them."""
    names = names or ("image", "frame", "summary", "possible", "handles", "angles")
    return {name: _plain(getattr(canvas, name)) for name in names}


@contextmanager
def open_canvas(browser, canvas: Canvas, body: str = BODY, **options):
    """The canvas in a browser context with these options, in the div of main; no script error may happen in it."""
    context = browser.new_context(viewport={"width": 1000, "height": 900}, **options)
    shown = CanvasPage(context.new_page(), canvas, body)
    yield shown
    context.close()
    assert shown.errors == []


def _plain(value):
    if isinstance(value, bytes | memoryview):
        return {"bytes": base64.b64encode(bytes(value)).decode()}
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value
