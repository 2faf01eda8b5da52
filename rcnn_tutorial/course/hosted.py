"""Lessons for notebook services such as Colab and Kaggle: a cell that installs the course there, links that open them.

The project knows of no address of its own: who publishes lessons and wheel says where (`rcnn-tutorial handout --help`).
"""

from __future__ import annotations

import re
from typing import NamedTuple

import nbformat
from nbformat import NotebookNode

from rcnn_tutorial.errors import ConfigError

GITHUB = re.compile(r"https://github\.com/(?P<repository>[^/\s]+/[^/\s]+)/(?:tree|blob)/(?P<folder>\S+?)/?")
WEB = re.compile(r"https?://\S+")
# No `--upgrade`: what the service has stays, where pyproject.toml allows it, because its kernel is running it.
INSTALL = """\
# Installs the course where it is missing, as on Colab and Kaggle
import importlib.util

WHEEL = {wheel!r}  # the package: a path, or an address
if importlib.util.find_spec("rcnn_tutorial") is None:
    %pip install --quiet "$WHEEL"
    importlib.invalidate_caches()"""


class Published(NamedTuple):
    """Where the parts of a course lie; empty: nowhere. Raise ConfigError by `checked`."""

    wheel: str = ""  # the package: a path where lessons run, or an address
    github: str = ""  # the folder of the lessons: https://github.com/OWNER/REPOSITORY/tree/BRANCH[/FOLDER]
    pages: str = ""  # the folder of the pages that `make site` writes

    def checked(self) -> Published:
        """These, unless an address cannot be one."""
        if self.github and not GITHUB.fullmatch(self.github):
            raise ConfigError(f"--github {self.github}: give https://github.com/OWNER/REPOSITORY/tree/BRANCH/FOLDER")
        if self.pages and not WEB.fullmatch(self.pages):
            raise ConfigError(f"--pages {self.pages}: give the address of a folder, https://...")
        if re.search(r"[\s\"'$`]", self.wheel):
            raise ConfigError(f"--wheel {self.wheel}: give a path or an address without spaces, quotes and $")
        return self


NOWHERE = Published()


def prepare(lesson: NotebookNode, name: str, published: Published) -> None:
    """Put links under a lesson's title, and the cell that installs before its first code. name: 02_anchors.ipynb."""
    first = lesson.cells[0]
    if links := _links(name, published):
        title, _, rest = first.source.partition("\n")
        first.source = f"{title}\n\n{links}\n{rest}"
    if published.wheel:
        cell = nbformat.v4.new_code_cell(INSTALL.format(wheel=published.wheel), id="install")
        cell.metadata = {"jupyter": {"source_hidden": True}}
        lesson.cells.insert(1, cell)


def _links(name: str, published: Published) -> str:
    """One line: where else the lesson opens, and its page, where the explorers need no kernel."""
    links = []
    if match := GITHUB.fullmatch(published.github):
        place = f"{match['repository']}/blob/{match['folder']}/{name}"
        links.append(f"[Open in Colab](https://colab.research.google.com/github/{place})")
        links.append(f"[Open in Kaggle](https://kaggle.com/kernels/welcome?src=https://github.com/{place})")
    if published.pages:
        page = f"{published.pages.rstrip('/')}/{name.removesuffix('.ipynb')}.html"
        links.append(f"[Open it as a page]({page}), where the explorers move without a kernel")
    return " · ".join(links)
