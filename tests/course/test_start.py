"""The start page: every lesson, in order, with its picture; what JupyterLab opens first."""

import nbformat
import pytest
from bs4 import BeautifulSoup

from rcnn_tutorial.course.files import course_folder
from rcnn_tutorial.course.start import START, lesson_rows, start_page
from rcnn_tutorial.errors import DataError

LESSONS = [path.name for path in sorted(course_folder().glob("*.ipynb"))]


def test_every_lesson_has_its_card_in_order_with_a_picture_that_the_page_holds():
    (cell,) = nbformat.reads(start_page(solutions=True), as_version=4).cells
    page = BeautifulSoup(cell.source, "html.parser")
    assert [link["href"] for link in page.find_all("a", tabindex=None)] == LESSONS  # beside the page, in any copy
    pictures = [picture["src"].removeprefix("attachment:") for picture in page.find_all("img")]
    assert pictures == [f"{name[:2]}.jpg" for name in LESSONS] == list(cell.attachments)
    assert START not in LESSONS


def test_it_is_the_same_each_time_and_tells_of_solutions_where_there_are_any():
    assert start_page(solutions=True) == start_page(solutions=True)
    assert "solutions" in start_page(solutions=True) and "solutions" not in start_page(solutions=False)


def test_the_pages_that_need_no_notebook_come_first():
    words = start_page(solutions=True)
    assert words.index("make site") < words.index("Run All Cells")


def test_a_page_without_the_table_is_named(tmp_path):
    (tmp_path / "README.md").write_text("# The course", encoding="utf-8")
    with pytest.raises(DataError, match="README.md: has no table of the lessons"):
        lesson_rows(tmp_path / "README.md")
