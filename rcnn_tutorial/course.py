"""The notebooks as files: where they lie, how they are executed in place, and the rules they keep.

`python -m rcnn_tutorial.course [NOTEBOOK ...]` executes all of them, or those named, and writes them back with their
outputs and nothing else that changes from run to run. It is what `make notebooks` calls.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from rcnn_tutorial.assets import course_folder
from rcnn_tutorial.errors import DataError

NOTEBOOKS = course_folder()
MOST_BYTES = 2_000_000  # a notebook beyond this is slow to open and to review
CELL_TIMEOUT = 600  # seconds


def notebook_paths(folder: Path = NOTEBOOKS) -> list[Path]:
    """Every notebook of the course and of its solutions, in the order of the lesson."""
    return [path for path in sorted(folder.rglob("*.ipynb")) if ".ipynb_checkpoints" not in path.parts]


def execute(path: Path) -> None:
    """Run a notebook from top to bottom in a fresh kernel and write it back normalized, all or nothing.

    Raises DataError naming the notebook when a cell fails or the kernel dies; the file is then as it was.
    """
    from rcnn_tutorial.checkpoints import write_atomically

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
    """Reduce a notebook to what a reader sees: no timings, no widget state, no names of this machine's software."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02d}"
        cell.metadata = {key: value for key, value in cell.metadata.items() if key == "tags"}
        for output in cell.get("outputs", []):
            output.pop("metadata", None) if output.output_type == "stream" else output.update(metadata={})


def broken_rules(path: Path) -> list[str]:
    """What a committed notebook does wrong, a sentence each: not executed, out of order, errors, noise, size."""
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    broken = []
    counts = [cell.execution_count for cell in code]
    if counts != list(range(1, len(code) + 1)):
        broken.append(f"{path.name}: cells executed as {counts}; run `make notebooks`")
    for cell in code:
        for output in cell.outputs:
            if output.output_type == "error" or output.get("name") == "stderr":
                broken.append(f"{path.name}: cell {cell.execution_count} saved an error or a warning")
    if path.stat().st_size > MOST_BYTES:
        broken.append(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB; shrink its pictures")
    return broken


def main(arguments: list[str]) -> int:
    """Execute the notebooks named, or all, telling each one's time."""
    for path in map(Path, arguments) if arguments else notebook_paths():
        started = time.perf_counter()
        try:
            execute(path)
        except DataError as error:
            print(error, file=sys.stderr)
            return error.exit_code
        print(f"{path.name}: {time.perf_counter() - started:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
