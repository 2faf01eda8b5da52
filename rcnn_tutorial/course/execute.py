"""Notebooks executed in place: run from top to bottom, and stored with nothing that changes from run to run."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from rcnn_tutorial.atomic import write_atomically
from rcnn_tutorial.course.files import course_folder, notebook_paths
from rcnn_tutorial.errors import DataError, TutorialError

CELL_TIMEOUT = 600  # seconds


def execute(path: Path) -> None:
    """Run a notebook from top to bottom in a fresh kernel and write it back normalized, all or nothing.

    Raises DataError naming the notebook when a cell fails or the kernel dies; the file is then as it was.
    """
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, timeout=CELL_TIMEOUT, startup_timeout=CELL_TIMEOUT, kernel_name="python3",
        record_timing=False, store_widget_state=False,
        coalesce_streams=True,  # one output a cell and stream, however the kernel cut it
        resources={"metadata": {"path": str(path.parent)}},
    )  # fmt: skip
    try:
        client.execute()
    except CellExecutionError as error:
        raise DataError(f"{path}: a cell fails; open it to see where ({error.ename}: {error.evalue})") from error
    except DeadKernelError as error:
        raise DataError(f"{path}: the kernel died, most likely for want of memory; close other programs") from error
    except CellTimeoutError as error:
        raise DataError(f"{path}: a cell runs for over {CELL_TIMEOUT} s; use a faster machine or less work") from error
    normalize(notebook)
    write_atomically(path, (nbformat.writes(notebook).rstrip("\n") + "\n").encode())


def normalize(notebook: NotebookNode) -> None:
    """Reduce a notebook to what a reader sees or hears: no timings, no widget state, nothing of this machine.

    Of an output's metadata stays `alt`, what a picture shows in words (see `figures.style.describe`); of a cell's,
    `tags` and `jupyter`, which folds the imports.
    """
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02d}"
        cell.metadata = {key: value for key, value in cell.metadata.items() if key in ("tags", "jupyter")}
        for output in cell.get("outputs", []):
            if "metadata" in output:  # a stream has none
                output.metadata = {key: value for key, value in output.metadata.items() if key == "alt"}


def main(arguments: list[str]) -> int:
    """Execute the notebooks named, or all, telling each one's time."""
    try:
        for path in map(Path, arguments) if arguments else notebook_paths(course_folder()):
            started = time.perf_counter()
            execute(path)
            print(f"{path.name}: {time.perf_counter() - started:.0f} s", flush=True)
    except TutorialError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0
