"""Assignments for nbgrader: a point for each exercise, in a locked cell that asks the check and not the student."""

import re

import nbformat
import pytest

from rcnn_tutorial.course.files import course_folder
from rcnn_tutorial.course.grading import EXERCISE, graded_copy, write_assignments
from rcnn_tutorial.course.handout import student_copy
from rcnn_tutorial.errors import DataError

LESSONS = sorted(course_folder().glob("*.ipynb"))


def marks(cell) -> dict:
    return cell.metadata.get("nbgrader", {})


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_each_exercise_is_followed_by_its_locked_point_and_the_rest_is_the_handout(path):
    cells = nbformat.reads(graded_copy(path), as_version=4).cells
    graded = [index for index, cell in enumerate(cells) if marks(cell)]
    names = [EXERCISE.search(cells[index - 1].source)[1] for index in graded]
    assert len(names) == len(set(names)) == 4 and names[-1] == "bug_hunt"
    assert [marks(cells[index])["grade_id"] for index in graded] == names
    for index in graded:
        expected = {"grade": True, "locked": True, "solution": False, "task": False, "points": 1, "schema_version": 3}
        assert expected.items() <= marks(cells[index]).items()
    handout = nbformat.reads(student_copy(path), as_version=4).cells
    assert [cell for cell in cells if not marks(cell)] == handout


def grade(path, exercise: str, answer) -> int:
    """What the cell shows where `answer` is the student's function and `check` is whatever the student made it."""
    (cell,) = (c for c in nbformat.reads(graded_copy(path), as_version=4).cells if marks(c).get("grade_id") == exercise)
    *statements, shown = cell.source.split("\n")
    names = {re.search(r"judge\((\w+)\)", shown)[1]: answer, "check": None}
    exec("\n".join(statements), names)
    return eval(shown, names)


def test_the_cell_gives_one_point_to_a_right_answer_and_none_to_a_wrong_one(capsys):
    from rcnn_tutorial.boxes import box_iou

    (lesson,) = (path for path in LESSONS if path.stem == "02_anchors")
    assert grade(lesson, "iou", box_iou) == 1
    assert grade(lesson, "iou", lambda a, b: box_iou(a, b) * 2) == 0
    assert grade(lesson, "iou", lambda a, b: 1 / 0) == 0
    assert grade(lesson, "iou", "no function") == 0
    output = capsys.readouterr()
    assert output.out == output.err == ""  # nbgrader takes any line on stderr for a failure


def test_a_lesson_is_an_assignment_of_its_own_and_a_changed_one_is_kept(tmp_path):
    written = write_assignments(tmp_path / "source").written
    assert written == [tmp_path / "source" / path.stem / path.name for path in LESSONS]
    assert write_assignments(tmp_path / "source").written == []
    written[1].write_text("changed", encoding="utf-8")
    written[0].unlink()
    with pytest.raises(DataError, match="is there already and differs"):
        write_assignments(tmp_path / "source")
    assert written[1].read_text(encoding="utf-8") == "changed" and not written[0].exists()
