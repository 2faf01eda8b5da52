"""Copies of the course: a whole one to work in, and a clean one for students, without outputs and solutions."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from pathlib import Path
from typing import NamedTuple

import nbformat

from rcnn_tutorial.answers import FOLDER
from rcnn_tutorial.atomic import write_atomically
from rcnn_tutorial.course.files import FURTHER, HUB, PAPER, course_folder
from rcnn_tutorial.course.hosted import NOWHERE, Published, prepare
from rcnn_tutorial.course.start import START, start_page
from rcnn_tutorial.errors import DataError

SOLUTION_LINK = re.compile(r"[^.\n>]*\[[^\]]*\]\(solutions/[^)]*\)\.?")  # the sentence that holds it
RECORD = ".rcnn_course.json"


class Copied(NamedTuple):
    """What became of the files."""

    written: list[Path]
    kept: list[Path]  # the reader's own versions of files that the course has changed since


def copy_course(folder: Path) -> Copied:
    """Bring a working copy of the course up to date: lessons, solutions, the teacher's page, a start page.

    What is missing is written, and so is a new edition of a file that is as it was written. Everything else stays as it
    is: changed files, links, answers and reports. RECORD, in the folder, tells what was written.
    """
    record, copied = _read_record(folder / RECORD), Copied([], [])
    known = dict(record)
    for name, content in _edition().items():
        target, edition = _prepared(folder / name), _fingerprint(content)
        there = _fingerprint_at(target)
        if there is None or there == record.get(name) != edition:
            write_atomically(target, content)
            copied.written.append(target)
        elif edition not in (there, record.get(name)):
            copied.kept.append(target)
            continue  # recorded is what the reader began with
        known[name] = edition
    if known != record:
        write_atomically(folder / RECORD, (json.dumps(known, indent=1) + "\n").encode())
    return copied


def _edition() -> dict[str, bytes]:
    """Every file of a working copy: its name, relative to the folder, and its content."""
    source = course_folder()
    paths = [path for path in sorted(source.rglob("*")) if _belongs(path)]
    files = {path.relative_to(source).as_posix(): path.read_bytes() for path in paths}
    return files | {START: start_page(solutions=True).encode()}


def _read_record(path: Path) -> dict[str, str]:
    """Fingerprints by name; none where the file is missing or damaged, which makes every difference the reader's."""
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _fingerprint_at(path: Path) -> str | None:
    """None where nothing is; "", which no edition has, for a link, a folder or a file that cannot be read."""
    if not os.path.lexists(path):
        return None
    try:
        return "" if path.is_symlink() else _fingerprint(path.read_bytes())
    except OSError:
        return ""


def _fingerprint(content: bytes) -> str:
    """Digest of a file; of a notebook's cells alone, since JupyterLab changes the rest by opening it."""
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):  # no notebook
        cells = nbformat.v4.reads(content.decode()).cells
        parts = ("cell_type", "source", "attachments", "outputs")
        content = json.dumps([[cell.get(part) for part in parts] for cell in cells], sort_keys=True).encode()
    return hashlib.sha256(content).hexdigest()


def write_handout(folder: Path, published: Published = NOWHERE) -> Copied:
    """Write lessons, their pages and a start page to `folder`, without outputs, answers and the way to solutions.

    published: where notebook services find the course. All or nothing: raises DataError when a lesson of the same name
    lies there with other content, ConfigError for an address that cannot be one.
    """
    course, published = course_folder(), published.checked()
    lessons = {folder / path.name: student_copy(path, published) for path in sorted(course.glob("*.ipynb"))}
    lessons[folder / START] = start_page(solutions=False)
    pages = [path for part in (FURTHER, PAPER) for path in sorted((course / part).glob("*.md")) if path.name != HUB]
    for path in pages:
        lessons[folder / path.relative_to(course)] = path.read_text(encoding="utf-8").partition("\n## Answers\n")[0]
    return write_new(lessons)


def write_new(contents: dict[Path, str]) -> Copied:
    """Write the files that are missing. Raises DataError, with nothing written, where one is there and differs."""
    there = [path for path in contents if path.exists()]
    for path in there:
        if not path.is_file() or path.read_bytes() != contents[path].encode():
            raise DataError(f"{path}: is there already and differs; name another folder, or move it away")
    written = [path for path in contents if path not in there]
    for path in written:
        write_atomically(_prepared(path), contents[path].encode())
    return Copied(written, [])


def student_copy(path: Path, published: Published = NOWHERE) -> str:
    """The lesson as a student gets it: nothing run, no link to its solutions, the way to it in notebook services."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.source = SOLUTION_LINK.sub("", cell.source)
        if cell.cell_type == "code":
            cell.execution_count, cell.outputs = None, []
    prepare(notebook, path.name, published)
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
