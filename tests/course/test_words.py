"""What a page says in place of a notebook's words: each of them stands in a lesson, and none is left on a page."""

import re

import nbformat
import pytest

from rcnn_tutorial.course.files import course_folder
from rcnn_tutorial.course.pages import read_source
from rcnn_tutorial.course.words import ON_A_PAGE, on_a_page

PATHS = sorted(course_folder().glob("*.ipynb"))
LESSONS = [nbformat.read(path, as_version=4) for path in PATHS]
TEXTS = [cell.source for lesson in LESSONS for cell in lesson.cells if cell.cell_type == "markdown"]
NOT_ON_A_PAGE = (
    r"Run All|Press \*\*Start|run the cell, read the answer|back to the monitor|on any photo;|toolbar|Steps in all"
)


@pytest.mark.parametrize("words", ON_A_PAGE)
def test_words_that_a_page_replaces_stand_in_a_lesson(words):
    assert any(words in text for text in TEXTS)


def test_other_words_stay():
    assert on_a_page("Press **More**, then *Start*.") == "Press **More**, then *Start*."


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_no_page_asks_to_run_what_it_cannot_run(path):
    cells = read_source(path, course_folder()).notebook.cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    assert re.findall(NOT_ON_A_PAGE, text, re.IGNORECASE) == []
