"""How long a lesson is: `python -m rcnn_tutorial.course.measure [NOTEBOOK ...]` prints a line a lesson.

Words are those of the text; what `<details>` folds away counts apart. Screens are an estimate of what JupyterLab shows
in a window of 1400 x 900 pixels, from the stored outputs: lines of text and code, the pictures' own sizes. Minutes are
an estimate of how long a reader takes who reads what is folded, too, and does the exercises; `MINUTES` says by what.
"""

from __future__ import annotations

import base64
import io
import re
import sys
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbformat import NotebookNode
from PIL import Image

from rcnn_tutorial.course.files import course_folder

LONGER = ("03_rpn_loss", "04_proposal_target", "08_training", "10_errors")
MOST_WORDS = dict.fromkeys(LONGER, 2000)  # unfolded; the others:
MOST_WORDS_ELSE = 1500
MOST_WORDS_IN_ALL = 18_000
MOST_SCREENS = 12

SCREEN = 900  # pixels
WIDTH = 1000  # of a cell, pixels
LETTERS = 130  # in a line of text
TEXT, CODE, TABLE, FORMULA, HEADING, GAP = 22, 17, 30, 50, 55, 30  # pixels: a line or row, and the space between
EXPLORER, QUESTION = 700, 30  # pixels: a whole explorer; a line of a question

MINUTES = {  # one of these each takes a reader
    "200 words of text": 1.0,  # technical prose: a newspaper is read at 240
    "20 lines of code in view": 1.0,
    "picture": 2.0,
    "explorer": 3.0,
    "prediction": 2.0,  # to think, to commit, to read why
    "exercise": 3.0,
    "line of a solution": 1.0,  # so that an exercise of three to six lines takes six to nine minutes
    "bug hunt": 5.0,
    "quiz": 3.0,
}
MINUTES_APART = 5  # at most: what lessons and teacher's page say, a multiple of 5, from what is computed

_FOLD = re.compile(r"<details.*?</details>", re.DOTALL)
_CHECKED = re.compile(r"^check\.(\w+)\(", re.MULTILINE)  # the cell of an exercise


class Measure(NamedTuple):
    """The size of a lesson."""

    words: int  # that are seen at once
    folded: int
    screens: float  # of SCREEN pixels, estimated
    trues: int  # printed lines that end in True
    minutes: float  # of a reader who does the exercises, estimated


def measure(path: Path) -> Measure:
    """Measure a lesson as it is stored, executed."""
    cells = nbformat.read(path, as_version=4).cells
    texts = [cell.source for cell in cells if cell.cell_type == "markdown"]
    words, seen = (sum(len(text.split()) for text in some) for some in (texts, [_FOLD.sub("", t) for t in texts]))
    printed = [line for cell in cells for o in cell.get("outputs", []) for line in o.get("text", "").splitlines()]
    trues = sum(line.rstrip().endswith("True") for line in printed)
    minutes = sum(count * MINUTES[what] for what, count in _counts(path, cells, words).items())
    return Measure(seen, words - seen, sum(map(_height, cells)) / SCREEN, trues, minutes)


def most_words(path: Path) -> int:
    """How many words a lesson may show at once."""
    return MOST_WORDS.get(path.stem, MOST_WORDS_ELSE)


def _counts(path: Path, cells: list[NotebookNode], words: int) -> dict[str, float]:
    """How many there are of what takes a reader's time; without a notebook of solutions next to it no line of those."""
    codes = [cell for cell in cells if cell.cell_type == "code"]
    live = [cell for cell in codes if _has(cell, "rcnn-wake")]
    still = [o for cell in codes if cell not in live for o in cell.outputs if "image/jpeg" in o.get("data", {})]
    forms = [cell for cell in codes if _has(cell, "rcnn-question")]
    quizzes = [cell for cell in forms if cell.source.strip() == "quiz"]
    lines = _code_lines([cell for cell in codes if not cell.metadata.get("jupyter", {}).get("source_hidden", False)])
    exercises = [name for cell in codes for name in _CHECKED.findall(cell.source)]
    return {
        "200 words of text": words / 200,
        "20 lines of code in view": lines / 20,
        "picture": len(still),
        "explorer": len(live),
        "prediction": sum(_questions(cell) for cell in forms if cell not in quizzes),
        "exercise": len(exercises) - exercises.count("bug_hunt"),
        "line of a solution": _solution_lines(path.parent / "solutions" / path.name),
        "bug hunt": exercises.count("bug_hunt"),
        "quiz": len(quizzes),
    }


def _has(cell: NotebookNode, name: str) -> bool:
    return any(name in output.get("data", {}).get("text/html", "") for output in cell.outputs)


def _questions(cell: NotebookNode) -> int:
    texts = [output.get("data", {}).get("text/plain", "") for output in cell.outputs]
    return sum(len(re.findall(r"^\d+\. ", text, re.MULTILINE)) for text in texts)


def _code_lines(cells: list[NotebookNode]) -> int:
    return sum(bool(line.strip()) for cell in cells for line in cell.source.splitlines())


def _solution_lines(path: Path) -> int:
    """Lines inside the functions that solve the exercises; the bug hunt is given, but for a line."""
    if not path.exists():
        return 0
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    solved = [cell for cell in cells if set(_CHECKED.findall(cell.source)) - {"bug_hunt"}]
    return sum(line.startswith("    ") for cell in solved for line in cell.source.splitlines())


def _height(cell: NotebookNode) -> float:
    if cell.cell_type == "markdown":
        return GAP + sum(map(_text_height, _FOLD.sub("fold", cell.source).splitlines()))
    hidden = cell.metadata.get("jupyter", {}).get("source_hidden", False)
    source = 0 if not cell.source else CODE * 2 if hidden else CODE * (1 + len(cell.source.splitlines()))
    bundles = [output.get("data", {}) for output in cell.get("outputs", [])]
    texts = [bundle.get("text/html", "") for bundle in bundles]
    if any("rcnn-wake" in text for text in texts):  # line, still picture and live view: one of them is seen
        return GAP + source + EXPLORER
    if any("rcnn-question" in text for text in texts):
        return GAP + source + QUESTION * len(bundles[0]["text/plain"].splitlines())
    return GAP + source + sum(map(_output_height, cell.get("outputs", [])))


def _text_height(line: str) -> float:
    if line.startswith(("#", "|", "$$")):
        return HEADING if line[0] == "#" else TABLE if line[0] == "|" else FORMULA
    return TEXT * -(-len(line) // LETTERS) if line.strip() else GAP / 2


def _output_height(output: NotebookNode) -> float:
    data = output.get("data", {})
    if "image/jpeg" in data:
        width, height = Image.open(io.BytesIO(base64.b64decode(data["image/jpeg"]))).size
        return height * min(1, WIDTH / width)
    return CODE * len(output.get("text", data.get("text/plain", "")).splitlines())


def main(arguments: list[str]) -> int:
    """Print the sizes of the notebooks named, or of all lessons, and their sum."""
    paths = [Path(argument) for argument in arguments] or sorted(course_folder().glob("*.ipynb"))
    print(f"{'lesson':20}{'words':>7}{'of':>7}{'folded':>8}{'screens':>9}{'True':>6}{'minutes':>9}")
    sizes = [measure(path) for path in paths]
    for path, size in zip(paths, sizes, strict=True):
        print(_row(path.stem, size, most_words(path)))
    print(_row("all", Measure(*map(sum, zip(*sizes, strict=True))), MOST_WORDS_IN_ALL))
    return 0


def _row(name: str, size: Measure, most: int) -> str:
    row = f"{name:20}{size.words:7}{most:7}{size.folded:8}{size.screens:9.1f}{size.trues:6}"
    return row + f"{size.minutes:9.0f}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
