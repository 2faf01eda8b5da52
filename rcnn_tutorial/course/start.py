"""The start page of a copy of the course: a notebook of one text cell, which JupyterLab opens first.

A card a lesson, from the table of the teacher's page. A notebook, because it is what JupyterLab shows rendered at once
by an address; its pictures lie inside it, and its HTML keeps to what JupyterLab lets through.
"""

from __future__ import annotations

import base64
import re
from html import escape
from pathlib import Path
from typing import NamedTuple

import nbformat

from rcnn_tutorial.assets import asset_path
from rcnn_tutorial.course.files import TEACHER, course_folder
from rcnn_tutorial.errors import DataError

START = "start.ipynb"
SOLUTIONS = "Solutions for when you have tried: in <code>solutions</code>."
TEXT = """\
# Faster R-CNN, stage by stage

With nothing to install, on phones too: web pages, `make site`. Here, whenever you open a lesson,
**Run > Run All Cells** brings its explorers to life.

<div style="display: grid; gap: 6px; line-height: 1.15; font-size: 92%;
 grid-template-columns: repeat(auto-fill, minmax(min(100%, 200px), 1fr))">
{cards}
<div><small>The files here are your own: change what you like. What you answer is kept in <code>answers</code>.
{solutions}</small></div>
</div>
"""
CARD = """\
<div style="display: flex; gap: 8px; align-items: flex-start">
<a href="{file}" tabindex="-1" style="flex-shrink: 0">
<img src="attachment:{picture}" alt="{title}" width="64" height="48"></a>
<div><a href="{file}"><b>{title}</b></a><br><small>{minutes} min · {aim}</small></div>
</div>"""


class Row(NamedTuple):
    """A lesson in the table of the teacher's page."""

    title: str  # "02 Anchors"
    file: str  # "02_anchors.ipynb"
    minutes: str
    aim: str  # what a student can do afterward


def lesson_rows(page: Path) -> list[Row]:
    """The lessons in their order, from the teacher's page. Raises DataError where it has no table of them."""
    text = page.read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[(.+)\]\((\d\d_\w+\.ipynb)\) \| (\d+) \| (.+) \|$", text, re.MULTILINE)
    if not rows:
        raise DataError(f"{page}: has no table of the lessons; restore the file")
    return [Row(*map(escape, row)) for row in rows]


def start_page(solutions: bool) -> str:
    """The notebook, as text; with or without a word on where the solutions are."""
    rows = lesson_rows(course_folder() / TEACHER[0])
    cards = "\n".join(CARD.format(picture=_picture(row), **row._asdict()) for row in rows)
    cell = nbformat.v4.new_markdown_cell(TEXT.format(cards=cards, solutions=SOLUTIONS * solutions), id="start")
    pictures = {_picture(row): asset_path(f"readme/{_picture(row)}").read_bytes() for row in rows}
    cell.attachments = {name: {"image/jpeg": base64.b64encode(data).decode()} for name, data in pictures.items()}
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.writes(nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": kernel})) + "\n"


def _picture(row: Row) -> str:
    return f"{row.file[:2]}.jpg"
