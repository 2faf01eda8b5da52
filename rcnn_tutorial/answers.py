"""What a student answered and solved, kept beside the notebooks: one JSON file a lesson, one report for the teacher.

    answers/tour.json = {"predictions": {key: entry}, "quiz": {key: entry}, "exercises": {name: entry}}

Nothing leaves the machine. What cannot be written stays in memory until the kernel ends, and a line says so.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from rcnn_tutorial.atomic import write_atomically
from rcnn_tutorial.errors import DataError

STAGES = (
    "tour", "preprocessing", "anchors", "rpn_loss", "proposal_target", "crop_pooling", "classification",
    "inference_nms", "training", "three_generations", "errors",
)  # fmt: skip
SECTIONS = ("predictions", "quiz", "exercises")
FOLDER = "answers"

_unwritten: dict[Path, dict] = {}  # all that is known of a lesson whose file could not be written


def get_ipython():
    """IPython's shell, or None where there is none. A notebook has imported IPython; who has not, runs in none."""
    return sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None


def folder_of_answers() -> Path | None:
    """Where the answers of a running notebook are kept; None outside of notebooks, and in solutions."""
    kernel = getattr(get_ipython(), "kernel", None)
    here = Path.cwd()
    return None if kernel is None or here.name == "solutions" else here / FOLDER


def keep(folder: Path | None, stage: str, section: str, key: str, entry: dict) -> str:
    """Add an answer to a lesson's file, the others as they are. Returns "", or in one line what went wrong.

    A damaged file is put aside under another name, and a new one begun. Without a folder nothing is kept.
    """
    if folder is None:
        return ""
    path = folder / f"{stage}.json"
    known, trouble = read(path)
    known.setdefault(section, {})[key] = entry
    try:
        if trouble:
            aside = _unused(path)
            path.rename(aside)
            trouble = f"{path.name} was damaged: it is now {aside.name}, and a new file holds the answers from here on."
        write_atomically(path, (json.dumps(known, indent=1, ensure_ascii=False) + "\n").encode())
        _unwritten.pop(path, None)
    except (DataError, OSError) as error:
        _unwritten[path] = known
        return f"Kept until the notebook is closed only: {error}".replace("\n", " ")
    return trouble


def read(path: Path) -> tuple[dict, str]:
    """A lesson's answers, and in one line why its file cannot be read ("" where it can, or where there is none)."""
    if path in _unwritten:
        return _unwritten[path], ""
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}, ""
    except (ValueError, OSError, RecursionError) as error:
        return {}, f"{FOLDER}/{path.name} cannot be read ({type(error).__name__})"
    if is_lesson(known):
        return known, ""
    return {}, f"{FOLDER}/{path.name} holds something else than answers"


def is_lesson(known) -> bool:
    """Whether what a file holds has the form of a lesson's answers."""
    return isinstance(known, dict) and all(_is_section(name, entries) for name, entries in known.items())


def _is_section(name: str, entries) -> bool:
    return name in SECTIONS and isinstance(entries, dict) and all(isinstance(e, dict) for e in entries.values())


def _unused(path: Path) -> Path:
    """A name that no file has, for a damaged one: tour.damaged-1.json."""
    names = (path.with_suffix(f".damaged-{number}.json") for number in range(1, 10_000))
    return next(name for name in names if not name.exists())


def report(name: str = "", folder: Path | None = None) -> None:
    """Write what was answered and solved in all lessons to one file for the teacher, and print a line that sums it up.

    name: whose answers they are; it becomes part of the file's name. folder: of the notebooks; by default where one is.
    """
    folder = Path.cwd() if folder is None else Path(folder)
    lessons, troubles = {}, []
    for number, stage in enumerate(STAGES):
        known, trouble = read(folder / FOLDER / f"{stage}.json")
        troubles += [trouble] * bool(trouble)
        if known:
            lessons[f"{number:02d}_{stage}"] = known
    words = re.sub(r"\W+", "-", name.lower()).strip("-")
    path = folder / f"report{'-' * bool(words)}{words}.json"
    content = {"name": name, "lessons": lessons, "could_not_be_read": troubles}
    try:
        write_atomically(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())
        said = f"{path.name}: {summed_up(lessons)}"
    except DataError as error:
        said = f"{summed_up(lessons)} But {error}".replace("\n", " ")
    print(" ".join([said, *(f"{trouble}; it is left out." for trouble in troubles)]))


def summed_up(lessons: dict[str, dict]) -> str:
    """One sentence: of what was tried in each kind of question, how much is right."""
    parts = []
    for section in SECTIONS:
        entries = [entry for lesson in lessons.values() for entry in lesson.get(section, {}).values()]
        if entries:
            parts.append(f"{sum(entry.get('right') is True for entry in entries)} of {len(entries)} {section} right")
    return f"{', '.join(parts)}." if parts else "nothing answered yet."
