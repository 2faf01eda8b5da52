"""How notebooks are executed in place, and what is refused."""

import nbformat
import pytest
from nbclient import NotebookClient

from rcnn_tutorial.course.execute import execute, main
from rcnn_tutorial.errors import DataError


@pytest.fixture
def write(tmp_path):
    """Write a notebook of code cells and return its path."""

    def write(*sources: str):
        cells = [nbformat.v4.new_code_cell(source) for source in sources]
        kernel = {"kernelspec": {"name": "python3", "display_name": ""}}
        notebook = nbformat.v4.new_notebook(cells=cells, metadata=kernel)
        path = tmp_path / "lesson.ipynb"
        nbformat.write(notebook, path)
        return path

    return write


def test_a_notebook_is_executed_in_place_and_normalized(write):
    path = write("print(6 * 7)", "[1, 2]")
    assert main([str(path)]) == 0
    notebook = nbformat.read(path, as_version=4)
    assert notebook.cells[0].outputs[0].text == "42\n"
    assert [cell.id for cell in notebook.cells] == ["cell-00", "cell-01"]
    assert all(cell.metadata == {} for cell in notebook.cells)
    assert notebook.metadata.language_info == {"name": "python"}
    assert notebook.cells[1].execution_count == 2


def test_a_folded_cell_stays_folded(write):
    path = write("6 * 7")
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].metadata = {"jupyter": {"source_hidden": True}, "execution": {"shell.execute_reply": "now"}}
    nbformat.write(notebook, path)
    execute(path)
    assert nbformat.read(path, as_version=4).cells[0].metadata == {"jupyter": {"source_hidden": True}}


def test_a_picture_keeps_the_words_that_its_figure_carries(write):
    path = write(
        '%matplotlib inline\n%config InlineBackend.figure_formats = ["jpeg"]\nimport torch',
        "from rcnn_tutorial.figures.anchors import iou_figure\nbox = torch.tensor([0.0, 0, 2, 2])\n"
        "iou_figure(box, box + 1, 1 / 7)",
    )
    execute(path)
    (output,) = nbformat.read(path, as_version=4).cells[1].outputs
    assert output.metadata.keys() == {"alt"} and output.metadata.alt.startswith("Two boxes ")
    assert output.metadata.alt.endswith(". IoU = 0.1429.")  # the title of the panel
    assert output.data["image/jpeg"].startswith("/9j/")


def test_executing_twice_changes_nothing(write):
    path = write("import math\nmath.pi")
    execute(path)
    once = path.read_bytes()
    execute(path)
    assert path.read_bytes() == once


@pytest.mark.parametrize(
    "source, reason", [("1 / 0", "ZeroDivisionError: division by zero"), ("import os; os._exit(1)", "the kernel died")]
)
def test_a_failing_notebook_is_named_and_left_as_it_was(write, capsys, source, reason):
    path = write(source)
    before = path.read_bytes()
    with pytest.raises(DataError, match="lesson.ipynb") as caught:
        execute(path)
    assert reason in str(caught.value) and "\n" not in str(caught.value)
    assert path.read_bytes() == before


def test_in_a_notebook_the_package_s_errors_are_a_sentence_and_no_traceback(write):
    path = write("from rcnn_tutorial.data import open_photo\nopen_photo('missing.jpg')")
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, allow_errors=True).execute()
    (output,) = notebook.cells[0].outputs
    (line,) = output.traceback
    assert line.startswith("DataError: missing.jpg") and "\n" not in line


def test_main_reports_a_failure_in_one_line(write, capsys):
    assert main([str(write("undefined"))]) == 1
    assert capsys.readouterr().err.count("\n") == 1
