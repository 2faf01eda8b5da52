"""Working copies of the course: made, brought up to date, and never at the price of what a reader wrote."""

import json
import os
import shutil
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from rcnn_tutorial.course import handout, start
from rcnn_tutorial.course.files import course_folder, notebook_paths
from rcnn_tutorial.course.handout import RECORD, copy_course
from rcnn_tutorial.course.start import START
from rcnn_tutorial.errors import DataError

LESSON, SOLUTION = "00_tour.ipynb", "solutions/00_tour.ipynb"


def write(path, code, outputs=()):
    """A notebook of one cell."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=[new_code_cell(code, outputs=list(outputs), id="only")]), path)


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A small course that a test may change."""
    folder = tmp_path / "notebooks"
    for name in (LESSON, SOLUTION):
        write(folder / name, "first edition")
    shutil.copy(course_folder() / "README.md", folder)
    for module in (handout, start):
        monkeypatch.setattr(module, "course_folder", lambda: folder)
    return folder


def names(paths, folder):
    """Names relative to the copy."""
    return [path.relative_to(folder).as_posix() for path in paths]


def test_the_copy_is_complete(tmp_path):
    copied = copy_course(tmp_path)
    wanted = {path.relative_to(course_folder()) for path in notebook_paths(course_folder())}
    wanted |= {path.relative_to(course_folder()) for path in course_folder().rglob("*.md")} | {Path(START)}
    assert {path.relative_to(tmp_path) for path in copied.written} == wanted and copied.kept == []
    assert copy_course(tmp_path) == ([], [])


def test_changed_files_stay_and_the_others_become_the_new_edition(course, tmp_path):
    copy = tmp_path / "copy"
    copy_course(copy)
    write(copy / LESSON, "mine")
    assert copy_course(copy) == ([], [])  # nothing new, so nothing to tell
    for name in (LESSON, SOLUTION):
        write(course / name, "second edition")
    for _ in range(2):  # told until the reader has moved it away
        copied = copy_course(copy)
        assert names(copied.kept, copy) == [LESSON] and "mine" in (copy / LESSON).read_text(encoding="utf-8")
    assert (copy / SOLUTION).read_bytes() == (course / SOLUTION).read_bytes()
    (copy / LESSON).rename(copy / "mine.ipynb")
    assert names(copy_course(copy).written, copy) == [LESSON]
    write(course / LESSON, "third edition")
    assert names(copy_course(copy).written, copy) == [LESSON] and (copy / "mine.ipynb").exists()


def test_a_lesson_that_was_only_opened_is_unchanged_and_one_that_was_run_is_not(course, tmp_path):
    copy = tmp_path / "copy"
    copy_course(copy)
    opened = nbformat.read(copy / LESSON, as_version=4)
    opened.metadata["language_info"] = {"name": "python"}  # JupyterLab adds such things
    nbformat.write(opened, copy / LESSON)
    write(copy / SOLUTION, "first edition", [new_output("stream", text="an hour of training")])
    for name in (LESSON, SOLUTION):
        write(course / name, "second edition")
    copied = copy_course(copy)
    assert (names(copied.written, copy), names(copied.kept, copy)) == ([LESSON], [SOLUTION])


@pytest.mark.parametrize("record", [None, "{", "[]", "\udcff"])
def test_without_its_record_every_difference_is_the_readers(course, tmp_path, record):
    copy = tmp_path / "copy"
    copy_course(copy)
    (copy / RECORD).unlink()
    if record:
        (copy / RECORD).write_text(record, encoding="utf-8", errors="surrogateescape")
    write(course / LESSON, "second edition")
    copied = copy_course(copy)
    assert (copied.written, names(copied.kept, copy)) == ([], [LESSON])
    assert json.loads((copy / RECORD).read_text(encoding="utf-8")).keys() >= {SOLUTION, START}


def test_links_folders_and_answers_are_the_readers(course, tmp_path):
    copy, elsewhere = tmp_path / "copy", tmp_path / "elsewhere.ipynb"
    copy.mkdir()
    (copy / LESSON).symlink_to(elsewhere)  # dangling
    (copy / "README.md").mkdir()
    for folder in (course, copy):
        (folder / "answers").mkdir()
        (folder / "answers" / "tour.json").write_text(folder.name, encoding="utf-8")
    (course / "report-ada.json").write_text("{}", encoding="utf-8")
    copied = copy_course(copy)
    assert names(copied.kept, copy) == [LESSON, "README.md"]
    assert names(copied.written, copy) == [SOLUTION, START]
    assert (copy / LESSON).is_symlink() and not elsewhere.exists() and (copy / "README.md").is_dir()
    assert (copy / "answers" / "tour.json").read_text(encoding="utf-8") == "copy"


def test_a_file_that_cannot_be_written_is_named_and_the_copy_goes_on_from_there(course, tmp_path, monkeypatch):
    copy = tmp_path / "copy"

    def full(path, content):
        raise DataError(f"{path}: not written (Read-only file system); make room or name another place")

    with monkeypatch.context() as patched:
        patched.setattr(handout, "write_atomically", full)
        with pytest.raises(DataError, match=LESSON):
            copy_course(copy)
    copy_course(copy)
    with monkeypatch.context() as patched:  # complete: nothing to write, so a folder that is read-only will do
        patched.setattr(handout, "write_atomically", full)
        assert copy_course(copy) == ([], [])
    assert os.listdir(copy / "solutions") == ["00_tour.ipynb"]
