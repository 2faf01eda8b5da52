"""rcnn-tutorial reports: a class's reports as a table, a damaged one left out with a warning."""

import csv

import pytest

from rcnn_tutorial import answers


@pytest.fixture
def sent(tmp_path, capsys):
    """The reports of two students, and one that was damaged on its way."""
    for name, right in (("Zoë", True), ("ada", False)):
        entry = {"right": right, "misconceptions": [] if right else ["You add the areas."]}
        answers.keep(tmp_path / name / "answers", "anchors", "exercises", "iou", entry)
        answers.report(name, tmp_path / name)
    (tmp_path / "report-cut.json").write_text('{"name": "C', encoding="utf-8")
    capsys.readouterr()
    return tmp_path


def test_a_line_for_each_student_and_the_misconceptions(run, sent, capsys):
    assert run(["reports", sent]) == 0
    output = capsys.readouterr()
    head, ada, zoe, _, title, told = output.out.splitlines()
    assert head.split() == ["name", "predictions", "quiz", "exercises", "file"]
    assert ada.split("  ")[0] == "ada" and "0 of 1" in ada and ada.endswith(str(sent / "ada" / "report-ada.json"))
    assert zoe.startswith("Zoë") and "1 of 1" in zoe
    assert title.endswith("(1 of 1):") and told.split() == "1 02_anchors, iou: You add the areas.".split()
    assert output.err.count("\n") == 1 and f"warning: left out: {sent / 'report-cut.json'}: no report" in output.err


def test_the_table_for_a_spreadsheet(run, sent):
    assert run(["reports", sent, "--csv", sent / "new" / "class.csv"]) == 0
    with open(sent / "new" / "class.csv", encoding="utf-8-sig", newline="") as file:
        assert [(row["name"], row["exercises_right"]) for row in csv.DictReader(file)] == [("ada", "0"), ("Zoë", "1")]


def test_a_folder_without_a_readable_report_is_one_line(run, tmp_path, complaint, capsys):
    assert run(["reports", tmp_path]) == 1
    assert f"error: {tmp_path}: holds no report*.json" in complaint()
    (tmp_path / "report.json").write_text("[]", encoding="utf-8")
    assert run(["reports", tmp_path]) == 1
    assert "none of its files is a report" in capsys.readouterr().err
