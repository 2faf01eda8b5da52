"""Where the notebooks lie, and that the course needs no torch to be found, copied or shown."""

import subprocess
import sys
from pathlib import Path

import pytest

from rcnn_tutorial.course import files
from rcnn_tutorial.course.files import course_folder, notebook_paths
from rcnn_tutorial.errors import DataError


def test_the_course_lies_in_the_package_once_installed_and_beside_it_in_a_clone(monkeypatch, tmp_path):
    package = tmp_path / "rcnn_tutorial"
    monkeypatch.setattr(files, "_PACKAGE", package)
    with pytest.raises(DataError, match="notebooks"):
        course_folder()
    (tmp_path / "notebooks").mkdir()
    assert course_folder() == tmp_path / "notebooks" and files.working_folder() == tmp_path / "course"
    (package / "_notebooks").mkdir(parents=True)
    assert course_folder() == package / "_notebooks" and files.working_folder() == Path("rcnn_course")


@pytest.mark.parametrize("not_mine", ["project", "project/course"])
def test_the_copy_goes_where_the_reader_is_when_the_clone_is_somebody_elses(monkeypatch, tmp_path, not_mine):
    (tmp_path / "project/notebooks").mkdir(parents=True)
    monkeypatch.setattr(files, "_PACKAGE", tmp_path / "project/rcnn_tutorial")
    if not_mine == "project/course":
        (tmp_path / not_mine).mkdir()
    monkeypatch.setattr(files.os, "access", lambda path, _: path != tmp_path / not_mine)  # root may write anywhere
    assert files.working_folder() == Path("rcnn_course")


def test_checkpoints_of_jupyter_are_no_lessons(tmp_path):
    for name in ("b.ipynb", "a.ipynb", ".ipynb_checkpoints/a.ipynb"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}", encoding="utf-8")
    assert [path.name for path in notebook_paths(tmp_path)] == ["a.ipynb", "b.ipynb"]


def test_no_part_of_the_course_imports_torch():
    parts = ", ".join(
        f"rcnn_tutorial.course.{name}" for name in ("files", "execute", "handout", "start", "site", "environment")
    )
    subprocess.run([sys.executable, "-c", f"import sys, {parts}; assert 'torch' not in sys.modules"], check=True)
