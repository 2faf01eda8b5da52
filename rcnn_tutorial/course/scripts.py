"""The scripts of pages: every module by its name, the twins among them; and the style of what they show."""

from pathlib import Path

from rcnn_tutorial.explorers.canvas import SCRIPTS, Canvas

PARTS = SCRIPTS[:-1]  # of canvas.js, no modules of their own
_FOLDERS = [
    Path(__file__).parent / "web",
    Path(__file__).parents[1] / "explorers",
    Path(__file__).parents[1] / "questions",
]


def sources() -> dict[str, str]:
    """Name -> text of every module. Those of which the canvas is made are one, as the widget has them."""
    files = [path for folder in _FOLDERS for path in sorted(folder.glob("*.js"))]
    return {path.name: path.read_text(encoding="utf-8") for path in files} | {"canvas.js": Canvas._esm}


def style_files() -> list[Path]:
    """The style of an explorer on a page: that of its widgets, then the page's own."""
    web, explorers, questions = _FOLDERS
    return [explorers / "canvas.css", explorers / "ranking.css", questions / "form.css", web / "host.css"]
