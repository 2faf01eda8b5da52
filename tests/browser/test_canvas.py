"""The canvas in the browser: what the pointer asks for, and what a refusal leaves on the screen."""

import nbformat
import pytest
import torch
from browser_lab import OpenNotebook, run_lab
from canvas_page import open_canvas

from rcnn_tutorial.explorers.canvas import Canvas
from rcnn_tutorial.roles import Role
from rcnn_tutorial.scene import Words

KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
CELL = """import torch
from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.explorers.canvas import Canvas
from rcnn_tutorial.explorers.explorer import Explorer, integer
from rcnn_tutorial.scene import Boxes

x = torch.arange(20.0) * 40
columns = torch.stack([x, 0 * x, x + 40, 0 * x + 400], dim=1)  # twenty boxes, side by side


class Row(Explorer):
    def draw(self) -> str:
        if self.count.value == 7:
            raise ConfigError("no seven")
        self.canvas.draw([Boxes(columns[: self.count.value], hover=lambda i: f"column {i}")])
        return f"{self.count.value} boxes."


row = Row({"count": integer("Count", 20, 0, 20)}, Canvas(torch.rand(3, 400, 800)))
row"""
FEW_CONTROLS = """() => {
    const canvas = document.querySelector(".rcnn-canvas");
    const explorer = document.createElement("div");
    Object.assign(explorer, { className: "rcnn-explorer rcnn-few", style: "width: 100%" });
    explorer.innerHTML = `<div class="rcnn-controls" style="height: 120px"></div><div class="rcnn-right"></div>`;
    canvas.replaceWith(explorer);
    explorer.lastChild.append(canvas);
}"""
BUSY = "import pathlib\nwhile not pathlib.Path({!r}).exists():\n    pass"


INKED = """(color) => {
    const canvas = document.querySelector("canvas"), { width, height } = canvas;
    const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
    const found = [width, height, 0, 0];
    for (let i = 0; i < data.length; i += 4) {
        if (data[i + 3] < 200 || color.some((value, k) => Math.abs(data[i + k] - value) > 40)) continue;
        const [x, y] = [(i / 4) % width, Math.floor(i / 4 / width)];
        found.splice(0, 4, Math.min(found[0], x), Math.min(found[1], y), Math.max(found[2], x), Math.max(found[3], y));
    }
    return found.map((at, i) => (at * 400) / width); // in the picture's coordinates
}"""


@pytest.fixture
def row(browser, tmp_path):
    """The explorer above, its notebook, and the messages that its page sends."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    nbformat.write(
        nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)], metadata=KERNEL), folder / "row.ipynb"
    )
    with run_lab(folder, tmp_path / "scratch") as lab:
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        sent = []
        page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
        notebook = OpenNotebook(page, lab, "row.ipynb")
        notebook.run_all()
        [explorer] = notebook.explorers()
        explorer.shown()
        yield explorer, notebook, sent
        page.close()


def questions(sent) -> int:
    """How many hover texts the page has asked for."""
    return sum(b'"hover"' in (frame if isinstance(frame, bytes) else frame.encode()) for frame in sent)


def test_a_busy_kernel_is_asked_once_and_answers_for_the_box_under_the_pointer(row, tmp_path):
    explorer, notebook, sent = row
    canvas = explorer.root.locator("canvas")
    canvas.scroll_into_view_if_needed()
    place = canvas.bounding_box()
    done = str(tmp_path / "done")
    notebook.page.evaluate(
        """([session, code]) => { eval(session).session.kernel.requestExecute({ code, store_history: false }); }""",
        ["window.jupyterapp.shell.currentWidget.context.sessionContext", BUSY.format(done)],
    )
    sent.clear()
    y = place["y"] + place["height"] / 2
    for column in range(2, 15):
        notebook.page.mouse.move(place["x"] + place["width"] * (column + 0.5) / 20, y)
        notebook.page.evaluate("() => new Promise(requestAnimationFrame)")
    assert questions(sent) == 1
    open(done, "w", encoding="utf-8").close()
    explorer.root.locator(".rcnn-tip", has_text="column 14").wait_for()
    assert questions(sent) == 2


def test_a_refusal_keeps_the_last_picture_and_dims_it(row):
    explorer, _, _ = row
    canvas = explorer.root.locator("canvas")
    explorer.press(explorer.sliders.first, "Home", *["ArrowRight"] * 6)
    explorer.root.locator(".rcnn-summary", has_text="6 boxes.").wait_for()
    before = explorer.pictures()
    explorer.press(explorer.sliders.first, "ArrowRight")
    explorer.root.locator(".rcnn-summary", has_text="Not possible: no seven.").wait_for()
    explorer.root.locator("canvas.rcnn-dim").wait_for()
    assert explorer.pictures() == before
    explorer.press(explorer.sliders.first, "ArrowRight")
    explorer.root.locator(".rcnn-summary", has_text="8 boxes.").wait_for()
    assert "rcnn-dim" not in (canvas.get_attribute("class") or "")


def test_few_controls_stand_beside_the_picture_or_above_it_where_it_is_larger(browser):
    with open_canvas(browser, Canvas(torch.rand(3, 400, 600), width=2000)) as shown:
        shown.page.evaluate(FEW_CONTROLS)
        above, beside = ".rcnn-few.rcnn-stacked", ".rcnn-few:not(.rcnn-stacked)"
        for width, height, place in ((1300, 600, beside), (900, 1200, above), (1300, 600, beside), (1300, 900, beside)):
            shown.page.set_viewport_size({"width": width, "height": height})
            shown.page.wait_for_selector(place)
            shown.settle()
            controls, picture = (shown.page.locator(part).bounding_box() for part in (".rcnn-controls", "canvas"))
            assert (controls["y"] + controls["height"] <= picture["y"]) == (place == above)
            assert picture["width"] > 600 and picture["y"] + picture["height"] < height


def test_words_are_as_large_as_the_picture_says_and_where_it_says(browser):
    colors = {"#FF0000": [255, 0, 0], "#00FF00": [0, 255, 0], "#0000FF": [0, 0, 255]}
    red, green, blue = (Role(color) for color in colors)
    words = [
        Words([[200, 100]], ["HHH"], red, letter=40),
        Words([[390, 200]], ["HHH"], green, letter=40, align="right"),
        Words([[30, 290]], ["HHH"], blue, letter=40, align="left", turned=True),
        Words([], []),
    ]
    for width in (800, 300):  # on the screen: the words keep their place and their size in the picture
        canvas = Canvas(size=(300, 400), width=width)
        canvas.draw(words)
        with open_canvas(browser, canvas) as shown:
            middle, right, up = (shown.page.evaluate(INKED, color) for color in colors.values())
        assert (middle[0] + middle[2]) / 2 == pytest.approx(200, abs=4)
        assert (middle[1] + middle[3]) / 2 == pytest.approx(100, abs=6)
        assert 20 < middle[3] - middle[1] < 36 and right[2] == pytest.approx(
            386, abs=6
        )  # a capital is 0.7 letters high
        assert up[3] == pytest.approx(287, abs=6) and up[3] - up[1] > 2 * (up[2] - up[0])
        assert right[2] - right[0] == pytest.approx(middle[2] - middle[0], abs=4)
