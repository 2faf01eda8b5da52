"""Copies of the course for students. Working copies: test_working_copy.py."""

import re

import nbformat
import pytest

from rcnn_tutorial.course.files import FURTHER, HUB, PAPER, course_folder
from rcnn_tutorial.course.handout import copy_course, write_handout
from rcnn_tutorial.course.start import START
from rcnn_tutorial.errors import DataError


def test_a_student_gets_every_lesson_not_run_and_without_a_way_to_the_solutions(tmp_path):
    written = write_handout(tmp_path / "class").written
    lessons = sorted(course_folder().glob("*.ipynb"))
    pages = [path.name for part in (FURTHER, PAPER) for path in sorted((course_folder() / part).iterdir())]
    pages.remove(HUB)
    assert [path.name for path in written] == [*(path.name for path in lessons), START, *pages]
    assert sorted((tmp_path / "class").rglob("*.*")) == sorted(written)
    assert not any("Answers" in path.read_text(encoding="utf-8") for path in written if path.suffix == ".md")
    for path in written[: len(lessons)]:
        notebook = nbformat.read(path, as_version=4)
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
        assert not re.search("solutions/|<code>solutions", "".join(cell.source for cell in notebook.cells))
    for path, lesson in zip(written, lessons, strict=False):
        assert code_of(path) == code_of(lesson)


def code_of(path):
    return [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def test_a_second_handout_changes_nothing_and_refuses_a_changed_lesson(tmp_path):
    first = write_handout(tmp_path).written
    assert write_handout(tmp_path).written == []
    first[2].write_text("notes of a student", encoding="utf-8")
    first[0].unlink()
    with pytest.raises(DataError, match=first[2].name):
        write_handout(tmp_path)
    assert first[2].read_text(encoding="utf-8") == "notes of a student" and not first[0].exists()


def test_what_is_no_lesson_or_no_folder_is_named(tmp_path):
    (tmp_path / "00_tour.ipynb").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="00_tour.ipynb: is there already"):
        write_handout(tmp_path)
    for copy in (write_handout, copy_course):
        with pytest.raises(DataError, match="00_tour.ipynb: cannot be made a folder .*; name another place"):
            copy(tmp_path / "00_tour.ipynb")
