"""Copies of the course for students and for those without a clone."""

import nbformat
import pytest

from rcnn_tutorial.course import handout
from rcnn_tutorial.course.files import PAPER, course_folder
from rcnn_tutorial.course.handout import copy_course, write_handout
from rcnn_tutorial.errors import DataError


def test_a_student_gets_every_lesson_not_run_and_without_a_way_to_the_solutions(tmp_path):
    written = write_handout(tmp_path / "class").written
    papers = [path for path in written if path.suffix == ".md"]
    lessons = written[: -len(papers)]
    assert [path.name for path in lessons] == sorted(path.name for path in course_folder().glob("*.ipynb"))
    assert sorted(path for path in (tmp_path / "class").rglob("*.*")) == sorted(written)
    assert [path.name for path in papers] == sorted(path.name for path in (course_folder() / PAPER).iterdir())
    assert not any("Answers" in path.read_text(encoding="utf-8") for path in papers)
    for path in lessons:
        notebook = nbformat.read(path, as_version=4)
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
        assert "solutions/" not in "".join(cell.source for cell in notebook.cells)
        assert [c.source for c in code] == [
            c.source for c in nbformat.read(course_folder() / path.name, as_version=4).cells if c.cell_type == "code"
        ]


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


def test_a_copy_is_complete_and_never_touches_what_is_there(tmp_path):
    source = course_folder()
    lessons = {path.relative_to(source) for path in source.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts}
    copied = copy_course(tmp_path)
    assert lessons <= {path.relative_to(tmp_path) for path in copied.written} and copied.kept == []
    changed = tmp_path / "solutions" / "00_tour.ipynb"
    changed.write_text("mine", encoding="utf-8")
    again = copy_course(tmp_path)
    assert again.written == [] and again.kept == [changed] and changed.read_text(encoding="utf-8") == "mine"


def test_somebody_s_answers_are_not_copied(tmp_path, monkeypatch):
    source = tmp_path / "notebooks"
    for name in ("00_tour.ipynb", "README.md", "answers/tour.json", "answers/tour.damaged-1.json", "report-ada.json"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text("{}", encoding="utf-8")
    monkeypatch.setattr(handout, "course_folder", lambda: source)
    assert [path.name for path in copy_course(tmp_path / "copy").written] == ["00_tour.ipynb", "README.md"]
