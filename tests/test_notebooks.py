"""The rules that every committed notebook keeps. What they print is compared by nbval, beside this file."""

import re

import nbformat
import pytest

from rcnn_tutorial.course import NOTEBOOKS, broken_rules, notebook_paths

SECTIONS = (
    "One picture", "Predict", "Build it slowly", "The package's function", "Explore", "What breaks if", "Exercises",
    "Quiz", "Recap", "Next",
)  # fmt: skip
PATHS = notebook_paths()
LESSONS = [path for path in PATHS if path.parent == NOTEBOOKS]


def source_of(path, kind: str = "") -> str:
    cells = nbformat.read(path, as_version=4).cells
    return "\n".join(cell.source for cell in cells if cell.cell_type.startswith(kind))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.relative_to(NOTEBOOKS).as_posix())
def test_a_notebook_is_committed_executed_and_clean(path):
    assert broken_rules(path) == []


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.name)
def test_a_lesson_has_the_common_skeleton(path):
    headings = re.findall(r"^## (.+)$", source_of(path, "markdown"), flags=re.MULTILINE)
    assert [heading for heading in headings if heading in SECTIONS] == list(SECTIONS)


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.name)
def test_a_lesson_has_solutions_to_its_three_exercises(path):
    solution = NOTEBOOKS / "solutions" / path.name
    checks = re.findall(r"^check\.(\w+)\(", source_of(path, "code"), flags=re.MULTILINE)
    assert len(set(checks)) == 3 and f"solutions/{path.name}" in source_of(path, "markdown")
    assert set(checks) == set(re.findall(r"^check\.(\w+)\(", source_of(solution, "code"), flags=re.MULTILINE))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.relative_to(NOTEBOOKS).as_posix())
def test_links_between_notebooks_lead_somewhere(path):
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", source_of(path, "markdown"))
    assert [target for target in targets if not (path.parent / target).exists()] == []
