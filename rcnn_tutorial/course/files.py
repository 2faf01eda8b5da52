"""Where the notebooks of the course lie."""

import os
from pathlib import Path

from rcnn_tutorial.errors import DataError

PAPER = "paper"  # the folder of exercises to print, a Markdown file a lesson
FURTHER = "going_further"  # the folder of Markdown pages for those who want to know more
HUB = "jupyterhub.md"  # one of them, for the teacher alone
TEACHER = ("README.md", "teacher.html")  # the teacher's page, as file and as page

_PACKAGE = Path(__file__).parents[1]


def course_folder() -> Path:
    """The notebooks: next to the package in a clone, inside it once installed. Raises DataError without them."""
    for folder in (_PACKAGE / "_notebooks", _PACKAGE.parent / "notebooks"):
        if folder.is_dir():
            return folder
    raise DataError(f"{_PACKAGE.parent / 'notebooks'}: the course is missing; clone or install the project again")


def working_folder() -> Path:
    """Where a reader's copy of the course goes: beside the notebooks of a clone of the reader's own, else here."""
    course = course_folder()
    beside = course.with_name("course")
    own = os.access(beside if beside.exists() else beside.parent, os.W_OK)
    return beside if own and not course.is_relative_to(_PACKAGE) else Path("rcnn_course")


def notebook_paths(folder: Path) -> list[Path]:
    """Every notebook in a folder and below, in the order of the lessons, the solutions after them."""
    return [path for path in sorted(folder.rglob("*.ipynb")) if ".ipynb_checkpoints" not in path.parts]
