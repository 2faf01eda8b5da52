"""The lessons as assignments of nbgrader: below each exercise a locked cell asks its check for the point."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from rcnn_tutorial.course.files import course_folder
from rcnn_tutorial.course.handout import Copied, student_copy, write_new

CHECKS = re.compile(r"^import (rcnn_tutorial\.checks\.\w+) as check$", re.MULTILINE)
EXERCISE = re.compile(r"^check\.(\w+)\((\w+)\)$", re.MULTILINE)  # the exercise, the student's function
GRADE = """\
# nbgrader's point for the exercise above: 1 or 0. It fetches the check anew and keeps nothing.
import {module} as check

int(check.{exercise}.judge({function}).passed)"""


def write_assignments(folder: Path) -> Copied:
    """Write each lesson as an assignment of nbgrader, `folder`/02_anchors/02_anchors.ipynb, where `folder` is `source`.

    All or nothing: raises DataError when a lesson of the same name lies there with other content.
    """
    lessons = sorted(course_folder().glob("*.ipynb"))
    return write_new({folder / path.stem / path.name: graded_copy(path) for path in lessons})


def graded_copy(path: Path) -> str:
    """The lesson as a student gets it, with a cell for the point of each exercise."""
    notebook = nbformat.reads(student_copy(path), as_version=4)
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    module = CHECKS.search("\n".join(code))[1]
    notebook.cells = [part for cell in notebook.cells for part in (cell, *_grade(cell, module))]
    return nbformat.writes(notebook).rstrip("\n") + "\n"


def _grade(cell: NotebookNode, module: str) -> list[NotebookNode]:
    """The cell that follows an exercise; nothing for another cell."""
    found = EXERCISE.search(cell.source) if cell.cell_type == "code" else None
    if not found:
        return []
    exercise, function = found.groups()
    # what nbgrader asks of a cell of tests; the student's own cell needs no mark to be read and run
    marks = {"grade": True, "solution": False, "locked": True, "task": False, "points": 1, "schema_version": 3}
    source = GRADE.format(module=module, exercise=exercise, function=function)
    metadata = {"nbgrader": marks | {"grade_id": exercise, "cell_type": "code"}}
    return [nbformat.v4.new_code_cell(source, id=f"grade-{exercise.replace('_', '-')}", metadata=metadata)]
