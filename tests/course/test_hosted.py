"""Lessons for notebook services: a cell that installs, links that open."""

import importlib.util
from types import SimpleNamespace

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager

from rcnn_tutorial.course.handout import write_handout
from rcnn_tutorial.course.hosted import INSTALL, Published
from rcnn_tutorial.errors import ConfigError

WHEEL = "https://example.org/rcnn_tutorial-0.1.0-py3-none-any.whl"
GITHUB = "https://github.com/someone/course/tree/main/lessons"


def lessons_of(folder):
    return [nbformat.read(path, as_version=4) for path in sorted(folder.glob("0*.ipynb"))]


def test_the_first_code_of_a_lesson_installs_the_wheel_and_is_folded(tmp_path):
    write_handout(tmp_path / "plain")
    write_handout(tmp_path / "hosted", Published(wheel=WHEEL))
    for plain, hosted in zip(lessons_of(tmp_path / "plain"), lessons_of(tmp_path / "hosted"), strict=True):
        cell = hosted.cells.pop(1)
        assert cell.source == INSTALL.format(wheel=WHEEL) and cell.metadata == {"jupyter": {"source_hidden": True}}
        assert hosted == plain
        nbformat.validate(hosted)


@pytest.mark.parametrize("there", [True, False])
def test_the_cell_installs_only_where_the_course_is_missing_and_upgrades_nothing(monkeypatch, there):
    ran = []
    shell = SimpleNamespace(run_line_magic=lambda name, line: ran.append((name, line)))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: there or None)
    code = TransformerManager().transform_cell(INSTALL.format(wheel=WHEEL))
    exec(compile(code, "install", "exec"), names := {"get_ipython": lambda: shell})
    assert ran == ([] if there else [("pip", 'install --quiet "$WHEEL"')]) and names["WHEEL"] == WHEEL


def test_links_stand_under_the_title(tmp_path):
    write_handout(tmp_path, Published(github=GITHUB + "/", pages="https://example.org/site/"))
    title, empty, links, *_ = lessons_of(tmp_path)[2].cells[0].source.split("\n")
    place = "someone/course/blob/main/lessons/02_anchors.ipynb"
    assert title.startswith("# 02") and empty == ""
    assert links.split(" · ") == [
        f"[Open in Colab](https://colab.research.google.com/github/{place})",
        f"[Open in Kaggle](https://kaggle.com/kernels/welcome?src=https://github.com/{place})",
        "[Open it as a page](https://example.org/site/02_anchors.html), where the explorers move without a kernel",
    ]


@pytest.mark.parametrize(
    ("published", "said"),
    [
        (Published(github="https://github.com/someone/course"), "--github .*: give https://github.com/OWNER/REPO"),
        (Published(github="someone/course"), "--github someone/course: give"),
        (Published(pages="site"), "--pages site: give the address of a folder"),
        (Published(wheel='a.whl"; rm'), "--wheel .*: give a path or an address without spaces"),
    ],
)
def test_what_cannot_be_an_address_is_refused_before_anything_is_written(tmp_path, published, said):
    with pytest.raises(ConfigError, match=said):
        write_handout(tmp_path / "class", published)
    assert not (tmp_path / "class").exists()
