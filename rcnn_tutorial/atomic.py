"""Files that are written whole or not at all."""

import contextlib
import os
from pathlib import Path

from rcnn_tutorial.errors import DataError


def write_atomically(path: str | Path, data: bytes) -> None:
    """Write a file such that whoever opens `path`, even after a crash, finds the old content or the new, no mixture.

    Raises DataError, the old content in place, when the disk is full or the place cannot be written to.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.tmp")  # a killed process leaves one behind; the next write replaces it
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise DataError(f"{path}: not written ({error.strerror or error}); make room or name another place") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    if os.name == "posix":  # the new name lives in the directory; elsewhere directories cannot be opened
        directory = os.open(path.parent, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)
