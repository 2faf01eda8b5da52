"""An installed Firefox, driven by the protocol that it speaks itself, WebDriver BiDi: Playwright wants its own."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import websocket
from browser_lab import ANSWER_TIMEOUT, START_TIMEOUT
from drawn import DRAWN
from moving import SEEN

WAIT_SECONDS = ANSWER_TIMEOUT / 1000
KEYS = {"ArrowLeft": "\ue012", "ArrowRight": "\ue014", "End": "\ue010", "Home": "\ue011"}  # WebDriver's names of them
LISTENS = "WebDriverBiDiServer.json"  # the file of the profile that says where
OFFLINE = "file:", "blob:", "data:"  # what a page from a disk asks for
MIDDLE = """(selector) => {
    const element = document.querySelector(selector);
    element.scrollIntoView({ block: "center", behavior: "instant" });
    const { left, top, width, height } = element.getBoundingClientRect();
    return [left + width / 2, top + height / 2].map(Math.round);
}"""
SELECT = """(selector, text) => {
    const list = document.querySelector(selector);
    list.selectedIndex = [...list.options].findIndex((option) => option.text === text);
    list.dispatchEvent(new Event("change"));
}"""
# Firefox says this of a formula of which it lays out the first half, before the rest of the page has arrived; whole
# formulas are looked at by tests/course/test_site.py.
HALF_A_FORMULA = "Invalid markup: Incorrect number of children for <m"
WAIT = """async (selector, beginnings, seconds) => {
    const said = () => document.querySelector(selector)?.textContent ?? "";
    const end = Date.now() + 1000 * seconds;
    while (Date.now() < end && !beginnings.some((words) => said().startsWith(words)))
        await new Promise((resolve) => { setTimeout(resolve, 5); });
    return said();
}"""


def firefox() -> str | None:
    """Debian's Firefox, or the one that $FIREFOX names."""
    return os.environ.get("FIREFOX") or shutil.which("firefox-esr") or shutil.which("firefox")


@contextmanager
def run_firefox(folder: Path) -> Iterator[FirefoxPage]:
    """A Firefox without a window, its home and profile in `folder`; it ends with the context."""
    command = [firefox(), "--headless", "--no-remote", "--profile", folder, "--remote-debugging-port=0"]
    log = folder / "firefox.log"
    with log.open("w") as output:
        environment = {**os.environ, "HOME": str(folder)}  # it refuses a home of somebody else's
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        page = FirefoxPage(_address(process, folder / LISTENS, log))
        yield page
        page.ask("browser.close")
    finally:
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _address(process: subprocess.Popen, file: Path, log: Path) -> tuple[str, int]:
    deadline = time.monotonic() + START_TIMEOUT
    while not (file.exists() and file.read_text(encoding="utf-8").rstrip().endswith("}")):  # written, and whole
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"Firefox did not start; it says:\n{log.read_text(encoding='utf-8')}")
        time.sleep(0.1)
    where = json.loads(file.read_text(encoding="utf-8"))
    return where["ws_host"], where["ws_port"]


class FirefoxPage:
    """Its one page. problems: what scripts complained of, and requests for what is not on the disk, nor allowed."""

    def __init__(self, address: tuple[str, int]):
        self.number, self.problems, self.allowed = 0, [], OFFLINE
        host, port = address
        direct = socket.create_connection(address, 2 * WAIT_SECONDS)  # whatever proxy is set
        self.socket = websocket.create_connection(f"ws://{host}:{port}/session", socket=direct, suppress_origin=True)
        self.ask("session.new", capabilities={})
        self.ask("session.subscribe", events=["log.entryAdded", "network.beforeRequestSent"])
        self.context = self.ask("browsingContext.getTree")["contexts"][0]["context"]

    def ask(self, method: str, **params) -> dict:
        """The answer to a command of the protocol; what is told meanwhile is heard."""
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": params}))
        while (answer := json.loads(self.socket.recv())).get("id") != self.number:
            self.hear(**answer)
        if answer["type"] == "error":
            raise RuntimeError(f"{method}: {answer['error']}: {answer['message']}")
        return answer["result"]

    def hear(self, method: str, params: dict, **_) -> None:
        if method == "log.entryAdded" and params["level"] in ("error", "warn"):
            if not params["text"].startswith(HALF_A_FORMULA):
                self.problems.append(params["text"])
        elif method == "network.beforeRequestSent" and not params["request"]["url"].startswith(self.allowed):
            self.problems.append(f"request for {params['request']['url']}")

    def take_problems(self) -> list[str]:
        """All since the last time."""
        self.ask("session.status")  # what was told before its answer has arrived with it
        found, self.problems = self.problems, []
        return found

    def set_viewport(self, width: int, height: int) -> None:
        self.ask("browsingContext.setViewport", context=self.context, viewport={"width": width, "height": height})

    def goto(self, path: Path) -> None:
        """Open a page from the disk, and wait until its explorers are drawn."""
        self.allowed = OFFLINE
        self.ask("browsingContext.navigate", context=self.context, url=path.as_uri(), wait="complete")
        self.wait_until(DRAWN)

    def begin(self, address: str) -> None:
        """Ask for a page of a server, and do not wait for it."""
        self.allowed = *OFFLINE, address
        self.ask("browsingContext.navigate", context=self.context, url=address, wait="none")

    def wait_until(self, condition: str) -> None:
        """Until an expression of the page is true, which after `begin` may still be the page before."""
        end, problem = time.monotonic() + WAIT_SECONDS, ""
        while time.monotonic() < end:
            try:
                if self.evaluate(f"() => Boolean({condition})"):
                    return
            except RuntimeError as error:  # as long as another page takes the place of this one
                problem = f"; {error}"
            time.sleep(0.01)
        raise AssertionError(f"not in {WAIT_SECONDS:.0f} seconds: {condition}{problem}")

    def call(self, function: str, *values) -> dict:
        """What a function of the page returns, as the protocol writes it. values: what JSON can hold."""
        answer = self.ask(
            "script.callFunction", target={"context": self.context}, awaitPromise=True,
            functionDeclaration=f"(given) => ({function})(...JSON.parse(given))",
            arguments=[{"type": "string", "value": json.dumps(values)}],
        )  # fmt: skip
        if answer["type"] == "exception":
            raise RuntimeError(answer["exceptionDetails"]["text"])
        return answer["result"]

    def evaluate(self, function: str, *values):
        """What a function of the page returns, if JSON can hold it."""
        answer = self.call(f"async (...given) => JSON.stringify(await ({function})(...given))", *values)
        return json.loads(answer.get("value", "null"))

    def wait_for(self, selector: str, *beginnings: str) -> str:
        """The text of an element, once it begins like one of these; what it says at last if it does not."""
        return self.evaluate(WAIT, selector, beginnings, WAIT_SECONDS)

    def press(self, selector: str, key: str) -> None:
        """Press a key in an element."""
        self.evaluate("(selector) => document.querySelector(selector).focus()", selector)
        strokes = [{"type": kind, "value": KEYS[key]} for kind in ("keyDown", "keyUp")]
        self.perform({"type": "key", "id": "keyboard", "actions": strokes})

    def click(self, selector: str) -> None:
        self.drag(selector)

    def drag(self, selector: str, *by: tuple[int, int]) -> None:
        """Press the mouse in the middle of an element, move it by screen pixels from there, let go."""
        x, y = self.evaluate(MIDDLE, selector)
        start, *way = [{"type": "pointerMove", "x": x + dx, "y": y + dy} for dx, dy in ((0, 0), *by)]
        down, up = ({"type": kind, "button": 0} for kind in ("pointerDown", "pointerUp"))
        self.perform({"type": "pointer", "id": "mouse", "actions": [start, down, *way, up]})

    def perform(self, source: dict) -> None:
        self.ask("input.performActions", context=self.context, actions=[source])

    def choose_file(self, selector: str, path: Path) -> None:
        node = self.call("(selector) => document.querySelector(selector)", selector)
        self.ask("input.setFiles", context=self.context, element={"sharedId": node["sharedId"]}, files=[str(path)])


class FirefoxPanel:
    """An explorer of the page, as `moving.Panel` wants it."""

    def __init__(self, page: FirefoxPage, number: int):
        self.page, self.selector = page, f"[data-explorer='{number}']"

    def press(self, place: str, key: str) -> None:
        self.page.press(f"{self.selector} {place}", key)

    def select_option(self, place: str, text: str) -> None:
        self.page.evaluate(SELECT, f"{self.selector} {place}", text)

    def click(self, place: str) -> None:
        self.page.click(f"{self.selector} {place}")

    def push(self, button: str) -> None:
        texts = self.page.evaluate(
            "(selector) => [...document.querySelectorAll(selector)].map((one) => one.textContent)",
            f"{self.selector} .rcnn-presets button",
        )
        if button in texts:
            self.click(f".rcnn-presets button:nth-of-type({texts.index(button) + 1})")

    def wait_for(self, summary: str) -> None:
        assert self.page.wait_for(f"{self.selector} .rcnn-summary", summary) == summary

    def seen(self) -> list:
        self.page.wait_until(DRAWN)
        return self.page.evaluate(f"(selector) => ({SEEN})(document.querySelector(selector))", self.selector)
