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
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")  # others may write this file at the same moment
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


def remove_leftovers(folder: Path, name: str) -> None:
    """Remove what processes that were killed as they wrote the file `name` left beside it; nobody may write it now."""
    for path in folder.glob(f".{name}.[0-9]*.tmp"):
        path.unlink(missing_ok=True)
