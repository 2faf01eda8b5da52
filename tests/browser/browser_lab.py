"""A JupyterLab of its own, with token, on a free port of 127.0.0.1, and a notebook opened in it in Chromium."""

from __future__ import annotations

import ast
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import BrowserContext, Locator, Page, Playwright

from rcnn_tutorial.questions.asking import WAKE

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
START_TIMEOUT = 300  # seconds
RUN_TIMEOUT = 600_000  # milliseconds
ANSWER_TIMEOUT = 120_000  # milliseconds; on a busy machine a page takes its time
JUPYTER_FOLDERS = (
    "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_SETTINGS_DIR",
    "JUPYTERLAB_WORKSPACES_DIR", "IPYTHONDIR",
)  # fmt: skip
QUIET = {"fetchNews": "false", "checkForUpdates": False}  # no pop-up over the cells, no network
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # the server is here, whatever proxy is set
CHROMIUM_OPTIONS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
]  # fmt: skip
SESSION = "window.jupyterapp.shell.currentWidget.context.sessionContext"


def chromium() -> str | None:
    """Debian's Chromium, or the one that $CHROMIUM names."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")


class PatientBrowser:
    """A Chromium whose pages have ANSWER_TIMEOUT for everything. options: more for its command line."""

    def __init__(self, playwright: Playwright, *options: str):
        self.playwright = playwright
        self.browser = playwright.chromium.launch(executable_path=chromium(), args=[*CHROMIUM_OPTIONS, *options])

    def __enter__(self) -> PatientBrowser:
        return self

    def __exit__(self, *_) -> None:
        self.browser.close()

    def new_context(self, **options) -> BrowserContext:
        context = self.browser.new_context(**options)
        context.set_default_timeout(ANSWER_TIMEOUT)
        return context

    def new_page(self, **options) -> Page:
        """In a context of its own."""
        page = self.browser.new_page(**options)
        page.set_default_timeout(ANSWER_TIMEOUT)
        return page


class Lab:
    """The address of a running server."""

    def __init__(self, port: int, token: str):
        self.origin = f"http://127.0.0.1:{port}"
        self.token = token

    def url(self, notebook: str) -> str:
        """The page that shows one notebook and nothing else."""
        return f"{self.origin}/doc/tree/{notebook}?reset&token={self.token}"

    def answers(self) -> bool:
        """Whether the server is up."""
        try:
            DIRECT.open(f"{self.origin}/api/status?token={self.token}", timeout=1).close()
        except OSError:
            return False
        return True


@contextmanager
def run_lab(folder: Path, scratch: Path) -> Iterator[Lab]:
    """Serve `folder` with settings of its own in `scratch`; the server ends with the context."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    lab = Lab(port, secrets.token_hex(16))
    folders = {name: str(scratch / name) for name in JUPYTER_FOLDERS}
    settings = scratch / "JUPYTERLAB_SETTINGS_DIR" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(QUIET), encoding="utf-8")
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}",
        "--port-retries=0", f"--ServerApp.root_dir={folder}", "--expose-app-in-browser",
    ]  # fmt: skip
    log = scratch / "jupyterlab.log"
    with log.open("w") as output:
        environment = {**os.environ, **folders, "JUPYTER_TOKEN": lab.token}
        server = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        _wait_for(lab, server, log)
        yield lab
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()


def _wait_for(lab: Lab, server: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while not lab.answers():
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"JupyterLab did not start; it says:\n{log.read_text(encoding='utf-8')}")
        time.sleep(0.1)


def change_theme(page: Page, theme: str) -> None:
    """JupyterLab's theme of that name, Light or Dark, once it is the page's."""
    page.evaluate(
        "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })", f"JupyterLab {theme}"
    )
    light = str(theme == "Light").lower()
    page.wait_for_function("(light) => document.body.dataset.jpThemeLight === light", arg=light)


class OpenNotebook:
    """One notebook in the browser: run its cells, read what it shows, take pictures of it."""

    def __init__(self, page: Page, lab: Lab, name: str):
        self.page = page
        self.name = name.removesuffix(".ipynb")
        self.page_errors: list[str] = []
        page.on("pageerror", lambda error: self.page_errors.append(str(error)))
        self.url = lab.url(name)
        self.live = False  # whether there is a kernel in which all cells have run
        self.open()

    def open(self) -> None:
        """Open the notebook in a fresh page, with its kernel if it still runs, else with a new one."""
        self.page.goto(self.url)
        self.page.wait_for_selector(".jp-Notebook .jp-Cell")
        self.wait_for_kernel()

    def wait_for_kernel(self) -> None:
        """Until it has nothing to do."""
        self.page.wait_for_function(
            """() => {
                const session = window.jupyterapp?.shell.currentWidget?.context?.sessionContext;
                return session?.isReady && session.session?.kernel?.status === "idle";
            }"""
        )

    def run_all(self) -> None:
        """Run every cell, and wait until the last has ended."""
        self.page.set_default_timeout(RUN_TIMEOUT)
        self.page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
        self.page.set_default_timeout(ANSWER_TIMEOUT)
        self.live = True

    def restart(self) -> None:
        """Restart the kernel and run nothing."""
        self.live = False
        self.page.evaluate(f"() => {SESSION}.session.kernel.restart()")
        self.wait_for_kernel()

    def save(self) -> None:
        """Write the notebook with the outputs of now."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")

    def shut_down(self) -> None:
        """End the kernel."""
        self.live = False
        self.page.evaluate(f"() => {SESSION}.shutdown()")

    def ask_kernel(self, code: str, expression: str):
        """Run `code` unseen and return the value of `expression`, which JSON can hold."""
        answer = self.page.evaluate(
            """async ([code, expression]) => {
                const { kernel } = window.jupyterapp.shell.currentWidget.context.sessionContext.session;
                const user_expressions = { answer: `__import__("json").dumps(${expression})` };
                const asked = kernel.requestExecute({ code, user_expressions, store_history: false });
                return (await asked.done).content.user_expressions?.answer;
            }""",
            [code, expression],
        )
        assert answer and answer["status"] == "ok", answer
        return json.loads(ast.literal_eval(answer["data"]["text/plain"]))

    def round_trip(self) -> None:
        """Until the kernel has done what it was told before now, and the page has drawn what came of it."""
        self.ask_kernel("", "0")
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def outputs(self, mime: str) -> list[str]:
        """The text of every output of a kind, from the notebook's model: cells out of sight are not drawn."""
        return self.page.evaluate(
            """(mime) => {
                const cells = window.jupyterapp.shell.currentWidget.content.model.cells;
                const outputs = Array.from(cells).flatMap((cell) => cell.type === "code" ? cell.outputs.toJSON() : []);
                const text = (value) => Array.isArray(value) ? value.join("") : String(value);
                return outputs.flatMap((output) =>
                    output.output_type === "error" ? (mime === "error" ? [output.ename + ": " + output.evalue] : [])
                    : output.output_type === "stream" ? (mime === output.name ? [text(output.text)] : [])
                    : output.data?.[mime] === undefined ? [] : [text(output.data[mime])]);
            }""",
            mime,
        )

    def problems(self) -> list[str]:
        """Every error, every line on stderr and every error of the page's own scripts."""
        return self.outputs("error") + self.outputs("stderr") + self.page_errors

    def resize(self, width: int, height: int, files: bool = False) -> None:
        """Another window. files: as `rcnn-tutorial lab` opens it, with tabs and with the file browser at the left."""
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.evaluate(
            """(files) => {
                const { shell, commands } = window.jupyterapp;
                shell.mode = files ? "multiple-document" : "single-document";
                return shell.leftCollapsed === files && commands.execute("application:toggle-left-area");
            }""",
            files,
        )

    def scroll_to(self, cell: int) -> Locator:
        """Bring a cell into view and return it."""
        self.page.evaluate(
            """(cell) => {
                const notebook = window.jupyterapp.shell.currentWidget.content;
                notebook.activeCellIndex = cell;
                return notebook.scrollToItem(cell, "start");
            }""",
            cell,
        )
        found = self.page.locator(f'.jp-Cell[data-windowed-list-index="{cell}"]')
        found.wait_for()
        return found

    def read_through(self, folder: Path) -> list[Path]:
        """Page down from top to bottom, as a reader does, with a picture of every screen."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.page.evaluate("() => { document.querySelector('.jp-WindowedPanel-outer').scrollTop = 0; }")
        pictures = []
        while True:
            self.round_trip()
            pictures.append(folder / f"{len(pictures):02d}.png")
            self.page.screenshot(path=pictures[-1])
            moved = self.page.evaluate(
                """() => {
                    const panel = document.querySelector('.jp-WindowedPanel-outer');
                    const before = panel.scrollTop;
                    panel.scrollTop += panel.clientHeight - 60;
                    return panel.scrollTop > before + 1;
                }"""
            )
            if not moved:
                return pictures

    def live_cells(self) -> dict[int, str]:
        """The cells with a live picture, from the top, and what it says of itself: {3: "NMSExplorer: 3 kept."}.

        Forms with questions are live, too, but no pictures: see `test_questions.py`.
        """
        shown = self.page.evaluate(
            """() => Array.from(window.jupyterapp.shell.currentWidget.content.model.cells).flatMap((cell, index) =>
                (cell.type === "code" ? cell.outputs.toJSON() : [])
                    .filter((output) => output.data?.["application/vnd.jupyter.widget-view+json"])
                    .map((output) => [index, [output.data["text/plain"]].flat().join("")]))"""
        )
        return {cell: words for cell, words in shown if words != WAKE}

    def explorers(self) -> list[OpenExplorer]:
        """Every explorer of the notebook, from the top, alive."""
        cells = [cell for cell, words in self.live_cells().items() if not words.startswith("LossCurves")]
        return [OpenExplorer(self, cell) for cell in cells]  # those are a picture without controls


class OpenExplorer:
    """One explorer on the page, as a reader meets it: sliders, pictures, the summary line."""

    def __init__(self, notebook: OpenNotebook, cell: int):
        self.page, self.notebook = notebook.page, notebook
        self.root = notebook.scroll_to(cell).locator(".rcnn-explorer")
        self.root.wait_for()
        self.summary_line = self.root.locator(".rcnn-summary")
        self.summary_line.wait_for()
        more = self.root.locator(".rcnn-presets .widget-toggle-button:not(.mod-active)")
        if more.count():
            more.click()
        self.sliders = self.root.locator(".noUi-handle")
        self.handles = self.root.locator(".rcnn-handle")

    @property
    def summary(self) -> str:
        """What the picture shows, in words."""
        return self.summary_line.inner_text()

    def pictures(self) -> list[str]:
        """The pixels of every canvas."""
        return self.root.locator("canvas").evaluate_all("all => all.map((canvas) => canvas.toDataURL())")

    def shown(self) -> tuple[str, list[str]]:
        """Summary and pictures, once three looks in a row find the same; between two of them the kernel answers.

        A change that waits for one under way to be answered leaves the page before the second look.
        """
        looks = []
        while len(looks) < 3 or not looks[-1] == looks[-2] == looks[-3]:
            looks.append((self.summary, self.pictures()))
            self.notebook.round_trip()
        return looks[-1]

    def cut_off(self, stacked: bool) -> list[str]:
        """What does not fit in the notebook's panel together with the rest, with the pixels that it needs; too wide."""
        return self.root.evaluate(
            """(root, stacked) => {
                const panel = document.querySelector(".jp-WindowedPanel-outer").getBoundingClientRect();
                const parts = ["presets", "main", "ranking", "stage", "bar", "summary"].map((part) => `.rcnn-${part}`);
                const boxes = parts.flatMap((part) =>
                    [...root.querySelectorAll(part)].map((element) => [part, element.getBoundingClientRect()]));
                const top = Math.min(...boxes.map(([, box]) => box.top));
                const low = boxes.filter(([, box]) => !stacked && box.bottom - top > panel.height);
                const wide = boxes.filter(([, box]) => box.right > panel.right + 1 || box.left < panel.left - 1);
                return [
                    ...low.map(([part, box]) => `${part} ends at ${box.bottom - top} of ${panel.height} pixels`),
                    ...wide.map(([part, box]) => `${part} reaches from ${box.left} to ${box.right}`),
                ];
            }""",
            stacked,
        )

    def press(self, control: Locator, *keys: str) -> None:
        """Focus a control and press keys on it."""
        control.scroll_into_view_if_needed()
        control.focus()
        for key in keys:
            self.page.keyboard.press(key)

    def drag(self, control: Locator, dx: float, dy: float) -> None:
        """Take hold of the middle of a control with the mouse and move it in five steps."""
        control.scroll_into_view_if_needed()
        box = control.bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x + dx, y + dy, steps=5)
        self.page.mouse.up()
