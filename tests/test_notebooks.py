"""The rules that every committed notebook keeps. What they print is compared by nbval, beside this file."""

import html
import re

import nbformat
import pytest
from nbclient import NotebookClient
from PIL import Image

from rcnn_tutorial.checks.checking import STILL
from rcnn_tutorial.course.files import course_folder, notebook_paths

SECTIONS = (
    "One picture", "Predict", "Build it slowly", "The package's function", "Explore", "What breaks if", "Exercises",
    "Quiz", "Recap", "Next",
)  # fmt: skip
NOTEBOOKS = course_folder()
PATHS = notebook_paths(NOTEBOOKS)
LESSONS = [path for path in PATHS if path.parent == NOTEBOOKS]
MOST_BYTES = 2_000_000  # a notebook beyond this is slow to open and to review

# What a notebook must not say: that something it claims is not so. nbval would compare a stored False with the same
# False and be content.
DOUBTFUL = re.compile(r"\bFalse\b|\bnan\b|\binf\b|\b(?:not|un)[ -]?equal\b|\bNot yet\b", re.IGNORECASE)
HUNT = f"Not yet. {STILL}"  # so begins what an untouched bug hunt says
STUB = "Not yet. Your function returns nothing yet: write it, and end it with `return`."
EXPLAINED = {  # (notebook, line): why it may
    ("04_proposal_target.ipynb", "e to the power 1000 in float32: inf"): "the overflow that decode guards against",
}


def printed_lines(output) -> list[str]:
    """The lines of text in one output of a cell, whatever form it is stored in."""
    if output.output_type == "stream":
        return output.text.splitlines()
    texts = {kind: text for kind, text in output.get("data", {}).items() if kind.startswith("text/")}
    if "text/html" in texts:
        texts["text/html"] = html.unescape(re.sub(r"<[^>]*>", "\n", texts["text/html"]))
    return [line for text in texts.values() for line in text.splitlines()]


def doubtful_lines(cell, stubs: bool) -> list[str]:
    """The stored lines of a cell that refute it. stubs: whether an exercise may still be unsolved."""
    lines = [line.strip() for output in cell.get("outputs", []) for line in printed_lines(output)]
    return [line for line in lines if DOUBTFUL.search(line) and not (stubs and (line == STUB or line.startswith(HUNT)))]


def source_of(path, kind: str = "") -> str:
    cells = nbformat.read(path, as_version=4).cells
    return "\n".join(cell.source for cell in cells if cell.cell_type.startswith(kind))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.relative_to(NOTEBOOKS).as_posix())
def test_a_notebook_is_committed_executed_and_clean(path):
    code = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code" and cell.source]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1)), "run `make notebooks`"
    outputs = [output for cell in code for output in cell.outputs]
    assert [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"] == []
    assert path.stat().st_size < MOST_BYTES


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.name)
def test_every_picture_says_in_words_what_it_shows(path):
    outputs = [output for cell in nbformat.read(path, as_version=4).cells for output in cell.get("outputs", [])]
    pictures = [output for output in outputs if "image/jpeg" in output.get("data", {})]
    assert pictures and all(len(picture.metadata.get("alt", "")) > 25 for picture in pictures)


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.name)
def test_a_lesson_has_the_common_skeleton(path):
    headings = re.findall(r"^## (.+)$", source_of(path, "markdown"), flags=re.MULTILINE)
    assert [heading for heading in headings if heading in SECTIONS] == list(SECTIONS)


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.name)
def test_a_lesson_has_solutions_to_its_three_exercises(path):
    """And to its bug hunt, where it has one."""
    solution = NOTEBOOKS / "solutions" / path.name
    checks = re.findall(r"^check\.(\w+)\(", source_of(path, "code"), flags=re.MULTILINE)
    assert len(set(checks) - {"bug_hunt"}) == 3 and f"solutions/{path.name}" in source_of(path, "markdown")
    assert set(checks) == set(re.findall(r"^check\.(\w+)\(", source_of(solution, "code"), flags=re.MULTILINE))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.relative_to(NOTEBOOKS).as_posix())
def test_links_between_notebooks_lead_somewhere(path):
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", source_of(path, "markdown"))
    assert [target for target in targets if not (path.parent / target).exists()] == []


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.relative_to(NOTEBOOKS).as_posix())
def test_a_printed_claim_holds(path):
    """No stored line says False, nan or the like but those that are to say it, and these are all there."""
    cells = nbformat.read(path, as_version=4).cells
    name = path.relative_to(NOTEBOOKS).as_posix()
    said = [(name, line) for cell in cells for line in doubtful_lines(cell, stubs=path in LESSONS)]
    assert sorted(said) == sorted(key for key in EXPLAINED if key[0] == name)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.relative_to(NOTEBOOKS).as_posix())
def test_what_is_printed_as_true_is_asserted_before(path):
    cells = nbformat.read(path, as_version=4).cells
    claims = [
        cell
        for cell in cells
        for output in cell.get("outputs", [])
        for line in printed_lines(output)
        if line.endswith("True")
    ]
    assert [cell.source for cell in claims if not re.search(r"^ *assert ", cell.source, flags=re.MULTILINE)] == []


def test_the_explained_lines_belong_to_notebooks():
    assert {name for name, _ in EXPLAINED} <= {path.relative_to(NOTEBOOKS).as_posix() for path in PATHS}


OUTPUTS = {
    "stream": nbformat.v4.new_output("stream", text="a\nequal: False\n"),
    "plain": nbformat.v4.new_output("execute_result", data={"text/plain": "mean nan"}),
    "html": nbformat.v4.new_output("display_data", data={"text/html": "<b>loss</b><i>&#110;an</i>", "text/plain": "x"}),
    "html table": nbformat.v4.new_output("display_data", data={"text/html": "<td>not equal</td>"}),
    "infinite": nbformat.v4.new_output("stream", text="loss -inf"),
    "unsolved": nbformat.v4.new_output("execute_result", data={"text/plain": "Not yet. You square."}),
}


@pytest.mark.parametrize("output", OUTPUTS.values(), ids=OUTPUTS)
def test_a_doubtful_line_is_found_in_every_kind_of_output(output):
    cell = nbformat.v4.new_code_cell("", outputs=[output])
    assert len(doubtful_lines(cell, stubs=True)) == 1


def test_a_stub_may_be_unsolved_in_a_lesson_only():
    words = nbformat.v4.new_output("stream", text="finance, nanometer, info, equal: True")
    stub = nbformat.v4.new_output("execute_result", data={"text/plain": STUB})
    cell = nbformat.v4.new_code_cell("", outputs=[words, stub])
    assert doubtful_lines(cell, stubs=True) == [] and doubtful_lines(cell, stubs=False) == [STUB]


@pytest.mark.parametrize(
    "lesson, width, height",
    [
        ("00_tour", 240, 20),  # a panorama: one row of cells or two
        ("00_tour", 20, 180),  # a long screenshot
        ("01_preprocessing", 1, 1),
        ("02_anchors", 60, 1),
        ("02_anchors", 1, 60),
    ],
)
def test_a_lesson_runs_with_an_odd_photo(lesson, width, height, tmp_path):
    photo = tmp_path / "photo.png"
    Image.linear_gradient("L").convert("RGB").resize((width, height)).save(photo)
    notebook = nbformat.read(NOTEBOOKS / f"{lesson}.ipynb", as_version=4)
    (cell,) = [cell for cell in notebook.cells if cell.source.count("\nPHOTO = ") == 1 and cell.cell_type == "code"]
    cell.source = re.sub(r"(?m)^PHOTO = .*$", f"PHOTO = {str(photo)!r}", cell.source)
    NotebookClient(notebook, timeout=600, kernel_name="python3").execute()  # raises where a cell fails
    said = [line for cell in notebook.cells for line in doubtful_lines(cell, stubs=True)]
    assert [
        output.text for cell in notebook.cells for output in cell.get("outputs", []) if output.get("name") == "stderr"
    ] == []
    assert said == []
