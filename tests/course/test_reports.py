"""Reports of a class: read as what strangers send, counted, and written as a table."""

import csv
import json

import pytest

from rcnn_tutorial import answers
from rcnn_tutorial.course.reports import as_csv, counts, find_reports, misconceptions, plain, read_report
from rcnn_tutorial.errors import DataError


def send(folder, name: str, misconception: str = "You divide by one area alone.") -> None:
    """A student's folder with two lessons answered, and the report of them."""
    answers.keep(folder / "answers", "tour", "predictions", "anchors", {"right": True})
    answers.keep(folder / "answers", "tour", "predictions", "rpn", {"right": False})
    wrong = {"right": False, "misconceptions": [misconception, 7]}
    answers.keep(folder / "answers", "anchors", "exercises", "iou", wrong)
    answers.report(name, folder)


@pytest.fixture
def sent(tmp_path):
    for name in ("Ada", "Zoë"):
        send(tmp_path / name, name)
    return tmp_path


def test_what_check_report_writes_is_found_and_read_with_its_counts(sent):
    paths = find_reports(sent)
    assert [path.relative_to(sent).as_posix() for path in paths] == ["Ada/report-ada.json", "Zoë/report-zoë.json"]
    report = read_report(paths[1])
    assert (report.name, list(report.lessons)) == ("Zoë", ["00_tour", "02_anchors"])
    assert counts(report.lessons.values(), "predictions") == (1, 2)
    assert counts(report.lessons.values(), "exercises") == (0, 1)
    assert counts(report.lessons.values(), "quiz") == (0, 0)


def test_a_misconception_counts_once_a_report_the_most_frequent_first(sent):
    send(sent / "Bob", "Bob", "You add the areas.")
    reports = [read_report(path) for path in find_reports(sent)]
    assert misconceptions(reports) == [
        ("02_anchors, iou: You divide by one area alone.", 2),
        ("02_anchors, iou: You add the areas.", 1),
    ]


def test_the_table_has_a_line_for_each_report_and_lesson(sent):
    rows = list(csv.DictReader(as_csv([read_report(path) for path in find_reports(sent)]).splitlines()))
    assert [(row["name"], row["lesson"]) for row in rows] == [
        (name, lesson) for name in ("Ada", "Zoë") for lesson in ("00_tour", "02_anchors")
    ]
    tour, anchors, *_ = rows
    assert (tour["predictions_right"], tour["predictions"], tour["exercises"]) == ("1", "2", "0")
    assert (anchors["exercises_right"], anchors["exercises"]) == ("0", "1")


def test_a_name_is_no_formula_of_a_spreadsheet_and_steers_no_terminal(tmp_path):
    send(tmp_path, "=HYPERLINK(1)\x1b[2J\nAda")
    report = read_report(*find_reports(tmp_path))
    assert report.name == "=HYPERLINK(1)[2J Ada"
    (first, *_) = csv.DictReader(as_csv([report]).splitlines())
    assert first["name"] == "'=HYPERLINK(1)[2J Ada"
    assert len(plain("a" * 1000)) == 60


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[1]",
        "{}",
        '{"name": "Ada"}',
        '{"name": 3, "lessons": {}}',
        '{"name": "Ada", "lessons": []}',
        '{"name": "Ada", "lessons": {"00_tour": {"quiz": 3}}}',
        '{"name": "Ada", "lessons": {"00_tour": {"marks": {}}}}',
        "[" * 100_000,
    ],
)
def test_what_is_no_report_is_named(content, tmp_path):
    (tmp_path / "report.json").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match="report.json: .*ask for the file of check.report"):
        read_report(tmp_path / "report.json")


def test_an_odd_entry_of_a_report_is_no_misconception(tmp_path):
    lessons = {"02_anchors": {"exercises": {"iou": {"misconceptions": "none"}, "other": {}}}}
    (tmp_path / "report.json").write_text(json.dumps({"name": "", "lessons": lessons}), encoding="utf-8")
    assert misconceptions([read_report(tmp_path / "report.json")]) == []


def test_a_folder_without_reports_is_named(tmp_path):
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(DataError, match=f"{folder.name}: holds no report"):
            find_reports(folder)
