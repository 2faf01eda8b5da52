r"""The letters of the lessons' formulas, one meaning each: `python -m rcnn_tutorial.course.symbols` prints the table.

A letter is known by itself, whatever its subscript: `P_w` is the width (`w`) of the box `P`. Words in a formula
(`\text{mean}_d`) are no letters; take a word where the alphabet has nothing left.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import nbformat


class Symbol(NamedTuple):
    """Letters of TeX, as they stand in formulas, and what they mean in every lesson."""

    letters: tuple[str, ...]
    meaning: str


SYMBOLS = (
    Symbol(("x", "y"), "position to the right and down, in pixels or cells; $x_1, y_1, x_2, y_2$: a box's corners"),
    Symbol(("w", "h"), "width and height of a box; $P_x, P_y, P_w, P_h$: center and size of the box $P$"),
    Symbol(("P",), "the given box, which is to be moved: an anchor in the RPN, a ROI in the classifier"),
    Symbol(("G",), "the box that it is to become: an object's, the ground truth"),
    Symbol(("t",), "coefficients from $P$ to $G$: $t_x = (G_x - P_x) / P_w$, $t_w = \\ln(G_w / P_w)$; back: "
                   "$G_x = P_x + t_x P_w$, $G_w = P_w e^{t_w}$"),
    Symbol(("v",), "the classifier's coefficients, $t$ divided by their standard deviations"),
    Symbol(("q",), "a corner as a point, of a box that may be turned"),
    Symbol(("r",), "ratio of an anchor: height / width"),
    Symbol(("s",), "scale: scaled pixels per pixel of the photo"),
    Symbol(("b",), "what is added: a shift, a bias"),
    Symbol(("H", "W"), "height and width of an image, in its own pixels"),
    Symbol(("H'", "W'"), "rows and columns of the feature map, in cells"),
    Symbol(("n", "m"), "a cell's row and column"),
    Symbol(("i", "j"), "row and column of a pixel or of a sample of a crop"),
    Symbol(("K",), "rows and columns of a crop"),
    Symbol(("d",), "a channel"),
    Symbol(("U",), "values of a feature map: $U_{nm}$, with more channels $U_{dnm}$"),
    Symbol(("V",), "the value of a sample between the cells"),
    Symbol((r"\theta",), "the matrix from a crop to the map"),
    Symbol((r"\varphi",), "the angle of a turned box"),
    Symbol(("A",), "anchors at each cell"),
    Symbol(("B",), "images in a batch"),
    Symbol(("N",), "anchors on an image"),
    Symbol(("R",), "ROIs (proposals) of an image"),
    Symbol(("S",), "ROIs that are sampled for training"),
    Symbol(("C",), "classes, without background"),
    Symbol(("c",), "a class; 0 is background"),
    Symbol(("u",), "the label: the right class of an anchor (0 or 1) or of a ROI"),
    Symbol(("f",), "the feature vector of a ROI, fc7"),
    Symbol((r"\omega",), "a weight of the network"),
    Symbol(("z",), "a score (logit)"),
    Symbol(("p",), "a probability"),
    Symbol(("k",), "the first so many of a ranking"),
    Symbol((r"\rho",), "a level of recall"),
    Symbol(("L",), "a loss; $L_1$: of absolute differences"),
    Symbol((r"\lambda",), "the weight of a loss in the total"),
    Symbol((r"\sigma",), "of smooth L1: it bends at $1/\\sigma^2$"),
    Symbol((r"\Delta",), "a difference: predicted minus target, or a shift in widths"),
    Symbol(("g",), "a gradient"),
    Symbol((r"\eta", r"\mu", r"\delta"), "learning rate, momentum, weight decay"),
    Symbol((r"\gamma", r"\beta", r"\epsilon"),
           "factor and shift of a batch norm; a small number that avoids division by 0"),
    Symbol(("e",), "2.718, the base of the exponential function and of ln"),
)  # fmt: skip
HAT = r"A hat marks what the network predicts: $\hat t$, $\hat v$, and the box $\hat G$ that they lead to."
LETTERS = frozenset(letter for symbol in SYMBOLS for letter in symbol.letters)

_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
_FORMULA = re.compile(r"\$\$(.+?)\$\$|\$([^$\n]+)\$", re.DOTALL)
_WORDS = re.compile(r"\\(?:text|mathrm|texttt|begin|end)\s*\{[^}]*\}|\[[\d.]+ex\]")
_GREEK = ("alpha beta gamma delta epsilon zeta eta theta kappa lambda mu nu xi pi rho sigma tau phi varphi chi psi "
          "omega Gamma Delta Theta Lambda Sigma Phi Psi Omega").split()  # fmt: skip
_TOKEN = re.compile(r"\\([A-Za-z]+)|([A-Za-z]'*)")


def formulas(markdown: str) -> list[str]:
    """The TeX of all formulas of a text; dollar signs in code open none."""
    return [display or inline for display, inline in _FORMULA.findall(_CODE.sub("", markdown))]


def letters(formula: str) -> set[str]:
    r"""The letters of a formula, with their primes; of commands only the Greek letters, words not at all."""
    tokens = _TOKEN.findall(_WORDS.sub(" ", formula))
    return {letter or f"\\{command}" for command, letter in tokens if letter or command in _GREEK}


def texts_of(path: Path) -> list[str]:
    """The text of every cell of a notebook, empty for code; or the whole of a page."""
    if path.suffix != ".ipynb":
        return [path.read_text(encoding="utf-8")]
    return [cell.source * (cell.cell_type == "markdown") for cell in nbformat.read(path, as_version=4).cells]


def unknown_letters(path: Path) -> list[str]:
    r"""What the table lacks of a notebook's or a page's formulas: `cell 4: \alpha in x + \alpha`."""
    return [
        f"cell {number}: {letter} in {formula.strip()}"
        for number, text in enumerate(texts_of(path))
        for formula in formulas(text)
        for letter in sorted(letters(formula) - LETTERS)
    ]


def table() -> str:
    """All letters in Markdown: a table, and a line on the hat."""
    rows = [f"| {', '.join(f'${letter}$' for letter in symbol.letters)} | {symbol.meaning} |" for symbol in SYMBOLS]
    return "\n".join(["| letter | meaning |", "|---|---|", *rows, "", HAT])


if __name__ == "__main__":
    print(table())
