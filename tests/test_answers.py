"""Answers on disk: one file a lesson, nothing lost to a damaged file or a read-only folder, one report."""

import json
from types import SimpleNamespace

import pytest

from rcnn_tutorial import answers
from rcnn_tutorial.errors import DataError


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "answers"


def content(path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def test_answers_add_up_in_the_lesson_s_file(folder):
    assert answers.keep(folder, "tour", "quiz", "coco", {"right": True}) == ""
    assert answers.keep(folder, "tour", "exercises", "to_photo", {"right": False}) == ""
    assert answers.keep(folder, "anchors", "quiz", "iou", {"right": True}) == ""
    assert content(folder / "tour.json") == {
        "quiz": {"coco": {"right": True}},
        "exercises": {"to_photo": {"right": False}},
    }
    assert sorted(path.name for path in folder.iterdir()) == ["anchors.json", "tour.json"]


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b'{"quiz": {"a',
        b"\xff\xfe",
        b"[1]",
        b'{"quiz": 3}',
        b'{"quiz": {"a": 3}}',
        b'{"other": {}}',
        b"[" * 100_000,
    ],
)
def test_a_damaged_file_is_put_aside_and_said(folder, damage):
    folder.mkdir()
    (folder / "tour.json").write_bytes(damage)
    said = answers.keep(folder, "tour", "quiz", "coco", {"right": True})
    assert said.startswith("tour.json was damaged: it is now tour.damaged-1.json") and "\n" not in said
    assert (folder / "tour.damaged-1.json").read_bytes() == damage
    assert content(folder / "tour.json") == {"quiz": {"coco": {"right": True}}}
    (folder / "tour.json").write_bytes(damage)
    assert "tour.damaged-2.json" in answers.keep(folder, "tour", "quiz", "coco", {"right": True})


def test_what_cannot_be_written_is_said_kept_in_memory_and_written_as_soon_as_it_can(folder, monkeypatch):
    def full(path, data):
        raise DataError(f"{path}: not written (No space left on device); make room or name another place")

    with monkeypatch.context() as broken:
        broken.setattr(answers, "write_atomically", full)
        for key in ("a", "b"):
            said = answers.keep(folder, "tour", "quiz", key, {"right": True})
            assert said.startswith("Kept until the notebook is closed only: ") and "No space left" in said
    assert answers.read(folder / "tour.json") == ({"quiz": {"a": {"right": True}, "b": {"right": True}}}, "")
    assert answers.keep(folder, "tour", "quiz", "c", {"right": True}) == ""
    assert set(content(folder / "tour.json")["quiz"]) == {"a", "b", "c"}


def test_outside_of_a_notebook_and_in_solutions_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert answers.folder_of_answers() is None and answers.keep(None, "tour", "quiz", "a", {}) == ""
    monkeypatch.setattr(answers, "get_ipython", lambda: SimpleNamespace(kernel=object()))
    assert answers.folder_of_answers() == tmp_path / "answers"
    (tmp_path / "solutions").mkdir()
    monkeypatch.chdir(tmp_path / "solutions")
    assert answers.folder_of_answers() is None


def test_the_report_holds_every_lesson_and_sums_up_in_a_line(tmp_path, folder, capsys):
    answers.keep(folder, "tour", "predictions", "anchors", {"right": True})
    answers.keep(folder, "tour", "predictions", "rpn", {"right": False})
    answers.keep(folder, "anchors", "exercises", "iou", {"right": False, "misconceptions": ["Off by one."]})
    answers.report("Ada Lovelace", tmp_path)
    assert capsys.readouterr().out == "report-ada-lovelace.json: 1 of 2 predictions right, 0 of 1 exercises right.\n"
    written = content(tmp_path / "report-ada-lovelace.json")
    assert written["name"] == "Ada Lovelace" and list(written["lessons"]) == ["00_tour", "02_anchors"]
    assert written["lessons"]["02_anchors"]["exercises"]["iou"]["misconceptions"] == ["Off by one."]


def test_a_report_of_nothing_and_of_a_damaged_file(tmp_path, folder, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answers.report()
    folder.mkdir()
    (folder / "tour.json").write_bytes(b"?")
    answers.report()
    nothing, damaged = capsys.readouterr().out.splitlines()
    assert nothing == "report.json: nothing answered yet."
    assert damaged == f"{nothing} answers/tour.json cannot be read (JSONDecodeError); it is left out."
    assert content(tmp_path / "report.json")["could_not_be_read"]
    assert (folder / "tour.json").read_bytes() == b"?"


def test_a_report_that_cannot_be_written_says_so_in_its_line(tmp_path, capsys):
    (tmp_path / "file").write_text("", encoding="utf-8")
    answers.report(folder=tmp_path / "file")
    line = capsys.readouterr().out
    assert line.startswith("nothing answered yet. But ") and "not written" in line and line.count("\n") == 1
