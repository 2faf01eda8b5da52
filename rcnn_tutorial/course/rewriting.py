"""A folder that is written anew: what an earlier writing left there, and this one does not write, goes.

The file LIST in the folder says what was written, a line a file, as `sha256sum -c` reads it. A file that is not listed,
or that somebody has changed since, stays, unless a file of its name is written now.
"""

import contextlib
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from rcnn_tutorial.atomic import write_atomically
from rcnn_tutorial.errors import DataError

LIST = ".faster_rcnn_course.sha256"


def write_anew(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files, name -> content, to a folder such that nothing else of earlier writings is left in it.

    Raises DataError naming the file that cannot be written, or the LIST if it cannot be read; the next writing knows
    what was written until then.
    """
    before, now = _listed(folder), {(_digest(content), name) for name, content in files.items()}
    _list(folder, before | now)
    for name, content in files.items():
        write_atomically(folder / name, content)
    for digest, name in before:
        if name not in files:
            _remove(folder, name, digest)
    _list(folder, now)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _listed(folder: Path) -> set[tuple[str, str]]:
    """(digest, name) of what was written to a folder; a name that leads out of it is none of ours."""
    if not (folder / LIST).is_file():
        return set()
    try:
        text = (folder / LIST).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise DataError(f"{folder / LIST}: cannot be read ({error.strerror}); remove it, or allow it") from error
    pairs = re.findall(r"^([0-9a-f]{64})  (.+)$", text, re.MULTILINE)
    return {(digest, name) for digest, name in pairs if _is_inside(name)}


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and not re.search(r"[\\:\0]", name)  # Windows' ways out


def _list(folder: Path, written: set[tuple[str, str]]) -> None:
    lines = [f"{digest}  {name}\n" for digest, name in sorted(written, key=lambda pair: pair[::-1])]
    write_atomically(folder / LIST, "".join(lines).encode())


def _remove(folder: Path, name: str, digest: str) -> None:
    """Remove a file if it is still what was written, and the folders that it leaves empty."""
    path = folder / name
    with contextlib.suppress(OSError):  # it is gone, or may not go: then it stays
        if _digest(path.read_bytes()) == digest:
            path.unlink()
            for above in path.relative_to(folder).parents[:-1]:
                (folder / above).rmdir()
