"""The scripts of pages: every module by its name, the twins among them; and the style of what they show."""

import json
from collections.abc import Iterable
from pathlib import Path

from rcnn_tutorial.course.bundle import bundle
from rcnn_tutorial.explorers.canvas import SCRIPTS, Canvas
from rcnn_tutorial.explorers.suppression import Ranking
from rcnn_tutorial.questions.form import Form

PARTS = SCRIPTS[:-1]  # no modules of their own
_PACKAGE = Path(__file__).parents[1]
_FOLDERS = [_PACKAGE / folder for folder in ("course/web", "explorers", "questions")]


def sources() -> dict[str, str]:
    """Name -> text of every module. What widgets join of several files is one here too."""
    files = [path for folder in _FOLDERS for path in sorted(folder.glob("*.js"))]
    joined = {"canvas.js": Canvas._esm, "form.js": Form._esm, "ranking.js": Ranking._esm}
    return {path.name: path.read_text(encoding="utf-8") for path in files} | joined


def page_script(host: str, twins: Iterable[str], name: str = "") -> str:
    """The script of a page: modules, then `start` of the module `host`, which gets the twins by their files' names.

    name: of a variable that keeps what `start` returns.
    """
    twins = sorted(set(twins))
    given = ", ".join(f'"{twin}": modules["{twin}"]' for twin in twins)
    kept = f"const {name} = " if name else ""
    return f'{bundle([*twins, host], sources())}\n{kept}modules["{host}"].start({{ {given} }});'


def embedded(content: dict) -> str:
    """JSON that can neither end nor begin the script element that holds it."""
    return json.dumps(content, allow_nan=False).replace("<", "\\u003c")


def style_files() -> list[Path]:
    """The style of an explorer on a page: that of its widgets, then the page's own."""
    web, explorers, questions = _FOLDERS
    return [explorers / "canvas.css", explorers / "ranking.css", questions / "form.css", web / "host.css"]
