"""A class's reports, the files of `check.report()`, as one table. What a report says is its student's own claim."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from rcnn_tutorial.answers import SECTIONS, is_lesson
from rcnn_tutorial.errors import DataError

NAME, SENTENCE = 60, 300  # letters, at most
FORMULA = tuple("=+-@\t\r")  # what a spreadsheet takes for the beginning of one


class Report(NamedTuple):
    """One student's file: lessons[lesson][section][key] is an answer, as `answers` keeps it."""

    path: Path
    name: str
    lessons: dict[str, dict]


def find_reports(folder: Path) -> list[Path]:
    """The files report.json and report-NAME.json in a folder and below it, sorted. Raises DataError without any.

    Hidden folders, such as those where Jupyter keeps copies, are left out.
    """
    files = (path for path in folder.rglob("report*.json") if path.is_file())
    found = sorted(path for path in files if not any(part.startswith(".") for part in path.relative_to(folder).parts))
    if not found:
        raise DataError(f"{folder}: holds no report*.json; have the students call check.report() and send its file")
    return found


def read_report(path: Path) -> Report:
    """Read a file that a student sent. Raises DataError for one that is no report."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        name, lessons = content["name"], content["lessons"]
        fine = isinstance(name, str) and all(is_lesson(lesson) for lesson in lessons.values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"{path}: no report ({type(error).__name__}); ask for the file of check.report()") from error
    if not fine:
        raise DataError(f"{path}: holds something else than answers; ask for the file of check.report()")
    return Report(path, plain(name), {plain(lesson): answers for lesson, answers in lessons.items()})


def plain(text: str, longest: int = NAME) -> str:
    """Untrusted text on one line, without what steers a terminal."""
    return "".join(letter for letter in " ".join(text.split()) if letter.isprintable())[:longest]


def counts(lessons: Iterable[dict], section: str) -> tuple[int, int]:
    """How many answers of a section are right, and how many there are."""
    entries = [entry for lesson in lessons for entry in lesson.get(section, {}).values()]
    return sum(entry.get("right") is True for entry in entries), len(entries)


def misconceptions(reports: Sequence[Report]) -> list[tuple[str, int]]:
    """Each as "02_anchors, iou: You ...", and the number of reports that name it; the most frequent first."""
    told: Counter[str] = Counter()
    for report in reports:
        for lesson, answers in report.lessons.items():
            for exercise, entry in answers.get("exercises", {}).items():
                told.update(f"{lesson}, {plain(exercise)}: {words}" for words in _sentences(entry))
    return sorted(told.items(), key=lambda item: (-item[1], item[0]))


def _sentences(entry: dict) -> set[str]:
    """The misconceptions of an exercise; none where the file holds something else in their place."""
    known = entry.get("misconceptions")
    return {plain(words, SENTENCE) for words in known if isinstance(words, str)} if isinstance(known, list) else set()


def as_csv(reports: Sequence[Report]) -> str:
    """A line for each report and lesson: name, file, lesson, and for each section how many are right, of how many."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = [f"{section}{suffix}" for section in SECTIONS for suffix in ("_right", "")]
    writer.writerow(["name", "file", "lesson", *columns])
    for report in reports:
        for lesson, answers in report.lessons.items():
            numbers = [number for section in SECTIONS for number in counts([answers], section)]
            writer.writerow([*map(_as_cell, (report.name, str(report.path), lesson)), *numbers])
    return text.getvalue()


def _as_cell(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text
