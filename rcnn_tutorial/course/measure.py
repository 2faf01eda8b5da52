"""How long a lesson is: `python -m rcnn_tutorial.course.measure [NOTEBOOK ...]` prints a line a lesson.

Words are those of the text; what `<details>` folds away counts apart. Screens are an estimate of what JupyterLab shows
in a window of 1400 x 900 pixels, from the stored outputs: lines of text and code, the pictures' own sizes.
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

MOST_WORDS = {"03_rpn_loss": 2000, "04_proposal_target": 2000, "08_training": 2000}  # unfolded; the others:
MOST_WORDS_ELSE = 1500
MOST_WORDS_IN_ALL = 17_500
MOST_SCREENS = 12

SCREEN = 900  # pixels
WIDTH = 1000  # of a cell, pixels
LETTERS = 130  # in a line of text
TEXT, CODE, TABLE, FORMULA, HEADING, GAP = 22, 17, 30, 50, 55, 30  # pixels: a line or row, and the space between
EXPLORER, QUESTION = 700, 30  # pixels: a whole explorer; a line of a question

_FOLD = re.compile(r"<details.*?</details>", re.DOTALL)


class Measure(NamedTuple):
    """The size of a lesson."""

    words: int  # that are seen at once
    folded: int
    screens: float  # of SCREEN pixels, estimated
    trues: int  # printed lines that end in True


def measure(path: Path) -> Measure:
    """Measure a lesson as it is stored, executed."""
    cells = nbformat.read(path, as_version=4).cells
    texts = [cell.source for cell in cells if cell.cell_type == "markdown"]
    words, seen = (sum(len(text.split()) for text in some) for some in (texts, [_FOLD.sub("", t) for t in texts]))
    printed = [line for cell in cells for o in cell.get("outputs", []) for line in o.get("text", "").splitlines()]
    trues = sum(line.rstrip().endswith("True") for line in printed)
    return Measure(seen, words - seen, sum(map(_height, cells)) / SCREEN, trues)


def most_words(path: Path) -> int:
    """How many words a lesson may show at once."""
    return MOST_WORDS.get(path.stem, MOST_WORDS_ELSE)


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
    print(f"{'lesson':20}{'words':>7}{'of':>7}{'folded':>8}{'screens':>9}{'True':>6}")
    sizes = [measure(path) for path in paths]
    for path, size in zip(paths, sizes, strict=True):
        print(f"{path.stem:20}{size.words:7}{most_words(path):7}{size.folded:8}{size.screens:9.1f}{size.trues:6}")
    words, folded, screens, trues = map(sum, zip(*sizes, strict=True))
    print(f"{'all':20}{words:7}{MOST_WORDS_IN_ALL:7}{folded:8}{screens:9.1f}{trues:6}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
