"""Copies of the course: a whole one to work in, and a clean one for students, without outputs and solutions."""

from __future__ import annotations

import filecmp
import re
import shutil
from pathlib import Path
from typing import NamedTuple

import nbformat

from rcnn_tutorial.answers import FOLDER
from rcnn_tutorial.atomic import write_atomically
from rcnn_tutorial.course.files import PAPER, course_folder
from rcnn_tutorial.errors import DataError

SOLUTION_LINK = re.compile(r"[^.\n>]*\[[^\]]*\]\(solutions/[^)]*\)\.?")  # the sentence that holds it


class Copied(NamedTuple):
    """What became of the files."""

    written: list[Path]
    kept: list[Path]  # were there already, with other content


def copy_course(folder: Path) -> Copied:
    """Copy lessons, solutions and the teacher's page to `folder`; a file that is there already is never touched.

    Somebody's answers and reports, which may lie beside the lessons, stay where they are.
    """
    source = course_folder()
    names = [path.relative_to(source) for path in sorted(source.rglob("*")) if _belongs(path)]
    copied = Copied([], [])
    for name in names:
        target = _prepared(folder / name)
        if not target.exists():
            shutil.copyfile(source / name, target)
            copied.written.append(target)
        elif not filecmp.cmp(source / name, target, shallow=False):
            copied.kept.append(target)
    return copied


def write_handout(folder: Path) -> Copied:
    """Write lessons and paper exercises to `folder` without outputs, answers and the way to the solutions.

    All or nothing: raises DataError when a lesson of the same name lies there with other content.
    """
    course = course_folder()
    lessons = {folder / path.name: student_copy(path) for path in sorted(course.glob("*.ipynb"))}
    for path in sorted((course / PAPER).glob("*.md")):
        lessons[folder / PAPER / path.name] = path.read_text(encoding="utf-8").partition("\n## Answers\n")[0]
    there = [path for path in lessons if path.exists()]
    for path in there:
        if not path.is_file() or path.read_bytes() != lessons[path].encode():
            raise DataError(f"{path}: is there already and differs; name another folder, or move it away")
    written = [path for path in lessons if path not in there]
    for path in written:
        write_atomically(_prepared(path), lessons[path].encode())
    return Copied(written, [])


def student_copy(path: Path) -> str:
    """The lesson as a student gets it: nothing run, no link to its solutions."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.source = SOLUTION_LINK.sub("", cell.source)
        if cell.cell_type == "code":
            cell.execution_count, cell.outputs = None, []
    return nbformat.writes(notebook).rstrip("\n") + "\n"


def _belongs(path: Path) -> bool:
    answered = path.parent.name == FOLDER or path.name.startswith("report") and path.suffix == ".json"
    return path.is_file() and not answered and not any(part.startswith(".") for part in path.parts[-2:])


def _prepared(path: Path) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{path.parent}: cannot be made a folder ({error.strerror}); name another place") from error
    return path
