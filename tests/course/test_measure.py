"""What the measure of a lesson counts."""

import base64
import io

import nbformat
import pytest
from PIL import Image

from rcnn_tutorial.course.measure import main, measure


def write(path, *cells):
    nbformat.write(nbformat.v4.new_notebook(cells=list(cells)), path)
    return path


def one_pixel():
    file = io.BytesIO()
    Image.new("RGB", (1, 1)).save(file, "JPEG")
    return base64.b64encode(file.getvalue()).decode()


def test_folded_words_count_apart_and_lines_that_end_in_true_are_counted(tmp_path):
    text = "# Three words\n\n<details><summary>Answer</summary>\n\nfour\n\n</details>"
    printed = nbformat.v4.new_output("stream", text="equal: True\n7 boxes\n")
    code = nbformat.v4.new_code_cell("f()", outputs=[printed])
    path = write(tmp_path / "x.ipynb", nbformat.v4.new_markdown_cell(text), code)
    size = measure(path)
    assert (size.words, size.folded, size.trues) == (3, 3, 1)


def test_folded_code_takes_less_of_a_screen(tmp_path):
    cell = nbformat.v4.new_code_cell("a = 1\n" * 30)
    seen = measure(write(tmp_path / "seen.ipynb", cell)).screens
    cell.metadata.jupyter = {"source_hidden": True}
    assert measure(write(tmp_path / "hidden.ipynb", cell)).screens < seen / 3


def test_the_command_prints_a_line_a_lesson_and_the_sum(tmp_path, capsys):
    path = write(tmp_path / "03_rpn_loss.ipynb", nbformat.v4.new_markdown_cell("one two"))
    assert main([str(path)]) == 0
    head, lesson, total = capsys.readouterr().out.splitlines()
    assert lesson.split()[:4] == ["03_rpn_loss", "2", "2000", "0"] and total.startswith("all")


def exercise(name):
    return nbformat.v4.new_code_cell(f"def my_{name}(boxes):\n    return None\n\n\ncheck.{name}(my_{name})")


def test_minutes_are_those_of_text_code_pictures_and_of_all_that_is_to_be_done(tmp_path):
    """200 words, 20 lines, an explorer with its still, a picture, two predictions, an exercise, a bug hunt, a quiz."""
    wake, asked = {"text/html": "<p class='rcnn-wake'>"}, "1. How many?\n   ____\n2. Which?\n   ( ) 12. none"
    picture, form = {"image/jpeg": one_pixel()}, {"text/html": "rcnn-question", "text/plain": asked}
    shown = [nbformat.v4.new_output("display_data", data=data) for data in (wake, picture, form)]
    cells = [
        nbformat.v4.new_markdown_cell("word " * 150 + "<details> " + "word " * 48 + "</details>"),
        nbformat.v4.new_code_cell("a = 1\n\n" * 7 + "explorer", outputs=shown[:2]),
        nbformat.v4.new_code_cell("figure()", outputs=shown[1:2]),
        nbformat.v4.new_code_cell("predict", outputs=shown[2:]),
        exercise("iou"),
        exercise("bug_hunt"),
        nbformat.v4.new_code_cell("quiz", outputs=shown[2:]),
        nbformat.v4.new_code_cell("b = 2\n" * 40, metadata={"jupyter": {"source_hidden": True}}),
    ]
    lesson = write(tmp_path / "x.ipynb", *cells)
    words, lines, rest = 1, 17 / 20, 3 + 2 + 2 * 2 + 3 + 5 + 3
    assert measure(lesson).minutes == pytest.approx(words + lines + rest)

    (tmp_path / "solutions").mkdir()
    solved = "def my_iou(boxes):\n    a = 1\n    return a\n\n\ncheck.iou(my_iou)"
    given = "def bug_hunt(boxes):\n    a = 1\n    return a\n\n\ncheck.bug_hunt(bug_hunt)"
    write(tmp_path / "solutions" / "x.ipynb", *map(nbformat.v4.new_code_cell, (solved, given, "for _ in a:\n    b")))
    assert measure(lesson).minutes == pytest.approx(words + lines + rest + 2)
