"""One table of letters for all lessons: every letter of every formula is in it, and none has two meanings."""

from collections import Counter

import pytest

from rcnn_tutorial.course.files import course_folder, notebook_paths
from rcnn_tutorial.course.symbols import SYMBOLS, formulas, letters, table, texts_of, unknown_letters

COURSE = course_folder()
PAGES = [*notebook_paths(COURSE), *sorted(COURSE.rglob("*.md"))]

TIMES = Counter(letter for symbol in SYMBOLS for letter in symbol.letters)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(COURSE).as_posix())
def test_the_table_knows_every_letter(path):
    assert unknown_letters(path) == []


def test_no_letter_has_two_meanings_and_none_is_left_over():
    assert [letter for letter, times in TIMES.items() if times > 1] == []
    texts = [text.replace(table(), "") for path in PAGES for text in texts_of(path)]
    used = {letter for text in texts for formula in formulas(text) for letter in letters(formula)}
    assert set(TIMES) - used == set()


@pytest.mark.parametrize("name", ["README.md", "00_tour.ipynb"])
def test_the_teachers_page_and_the_first_lesson_show_the_table(name):
    text = "\n".join(texts_of(COURSE / name))
    assert f"\n\n{table()}\n\n" in text, "print it anew: python -m rcnn_tutorial.course.symbols"


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        (r"t_x = \frac{G_x - P_x}{P_w}", {"t", "x", "G", "P", "w"}),
        (r"\hat v = \hat t / \text{std}_d", {"v", "t", "d"}),
        (r"H' = \lceil H/16 \rceil", {"H'", "H"}),
        (r"\begin{cases}\sigma^2\\[1ex] \ln e\end{cases}", {r"\sigma", "e"}),
        (r"\mathrm{smooth}_{L1}(\Delta) \qquad \le \texttt{rpn\_loss}", {"L", r"\Delta"}),
    ],
)
def test_letters_of_a_formula(formula, expected):
    assert letters(formula) == expected


def test_dollar_signs_of_code_open_no_formula():
    assert formulas("`a$b` costs $x$\n```\n$y$\n```\n$$\nz\n$$") == ["x", "\nz\n"]


def test_an_unknown_letter_is_named_with_its_cell(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(r"$x + \alpha$ and $X$", encoding="utf-8")
    assert unknown_letters(page) == [r"cell 0: \alpha in x + \alpha", "cell 0: X in X"]
