"""rcnn-tutorial evaluate --errors: three more tables, more JSON, and a page with pictures."""

import json
import math
import re
from pathlib import Path

import pytest
import torch
from bs4 import BeautifulSoup

from rcnn_tutorial.cli.error_report import as_json, as_table, collect, largest_confusions
from rcnn_tutorial.data import TOY_CLASSES
from rcnn_tutorial.evaluation import KINDS, Evaluation

ROOT = Path(__file__).parents[2]


def test_errors_in_json(run, weights, coco, capsys):
    command = ["evaluate", "--data", coco, "--weights", weights, "--metric", "voc", "--json"]
    assert run(command) == 0
    plain = json.loads(capsys.readouterr().out)
    assert run([*command, "--errors"]) == 0
    result = json.loads(capsys.readouterr().out)
    errors = result.pop("errors")
    assert result == plain
    assert (errors["foreground"], errors["background"]) == (0.5, 0.1)
    assert errors["AP"] == pytest.approx(result["mAP"])
    assert list(errors["kinds"]) == list(KINDS) and list(errors["without"]) == ["false positives", "false negatives"]
    assert sum(kind["count"] for kind in errors["kinds"].values()) > 0
    assert all(0 <= kind["dAP"] <= 1 for kind in errors["kinds"].values())
    assert errors["confusion"]["names"] == ["background", *TOY_CLASSES]
    assert [len(row) for row in errors["confusion"]["counts"]] == [11] * 11
    assert 0 <= errors["calibration_error"] <= 1 and errors["spread_of_mAP"] >= 0


def test_errors_as_tables(run, weights, coco, capsys):
    assert run(["evaluate", "--data", coco, "--weights", weights, "--errors", "--metric", "coco"]) == 0
    summary, kinds, confusion, how_sure = capsys.readouterr().out.split("\n\n")
    assert summary.splitlines()[-1].startswith("mAP (coco, 3 images)")
    rows = [line.split("  ")[0] for line in kinds.splitlines()]
    assert rows == ["error", *KINDS, "all false positives", "all false negatives"]
    assert all(re.search(r" \d\.\d{4}$", line) for line in kinds.splitlines()[1:])
    first, *cells = confusion.splitlines()
    assert first == "there -> said, detections scored 0.5 and above"
    counts = [int(line.split()[-1]) for line in cells]
    assert counts == sorted(counts, reverse=True) and all(" -> nothing " in line for line in cells)  # random weights
    assert [line.split("  ")[0] for line in how_sure.splitlines()] == [
        "calibration error of the scores",
        "spread of mAP (voc) over photos",
    ]


def test_the_example_in_the_readme_is_laid_out_so_and_is_the_model_card_s(run, weights, coco, capsys):
    assert run(["evaluate", "--data", coco, "--weights", weights, "--errors"]) == 0
    printed = capsys.readouterr().out.split("\n\n")[1].splitlines()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    example = readme.split(f"```\n{printed[0]}\n")[1].split("\n```")[0].splitlines()
    assert [line[:20] for line in example] == [line[:20] for line in printed[1:]]

    card = (ROOT / "assets" / "toy.md").read_text(encoding="utf-8")
    for line in example:
        name, count, gain = line[:20].strip(), line[20:27].strip(), line[29:]
        assert f"| {name} | {count} | {gain} |".replace("|  |", "| |") in card


def test_without_objects_there_is_a_word_in_place_of_a_number():
    nothing = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.long)}
    found = [nothing | {"scores": torch.zeros(0)}] * 2
    result = Evaluation("voc", math.nan, {}, 2, {}, {}, found, [nothing] * 2, [0, 1])
    mistakes = collect(result, ("cat",), 0.5, 0.1)
    text, report = as_table(mistakes), as_json(mistakes)
    assert "nan" not in text and text.count("no objects") == 9 and "no detections" in text and "no confusion" in text
    assert report["AP"] is report["spread_of_mAP"] is report["calibration_error"] is None
    json.dumps(report, allow_nan=False)


def test_confusions_of_two_classes_come_first():
    there = {"boxes": torch.tensor([[0.0, 0, 9, 9]]), "labels": torch.tensor([1])}
    empty = {name: values[:0] for name, values in there.items()}
    said = there | {"labels": torch.tensor([2]), "scores": torch.tensor([0.9])}
    result = Evaluation("voc", 0.0, {}, 3, {}, {}, [said] * 3, [there, empty, empty], [0, 1, 2])
    cells = largest_confusions(collect(result, ("cat", "dog"), 0.5, 0.1))
    assert cells == [("cat", "dog", 1), ("nothing", "dog", 2)]


def test_thresholds_are_those_given(run, weights, coco, capsys):
    command = ["evaluate", "--data", coco, "--weights", weights, "--json", "--errors"]
    found = []
    for options in ([], ["--foreground", "0.3", "--background", "0.2"]):
        assert run([*command, *options]) == 0
        found.append(json.loads(capsys.readouterr().out)["errors"])
    assert (found[1]["foreground"], found[1]["background"]) == (0.3, 0.2)
    counts = [{kind: row["count"] for kind, row in errors["kinds"].items()} for errors in found]
    assert counts[1]["background"] > counts[0]["background"]


def test_the_page_stands_alone_and_says_what_its_pictures_show(run, weights, voc, capsys, tmp_path):
    """An unreadable photo is left out, and the pictures are those of the others."""
    (tmp_path / "voc data" / "JPEGImages" / "1.jpg").write_bytes(b"no picture")
    out = tmp_path / "new" / "page"
    options = ["--split", "all", "--weights", weights, "--on-bad-file", "skip", "--errors", "--out", out]
    assert run(["evaluate", "--data", voc, *options]) == 0
    output = capsys.readouterr().out
    assert output.splitlines()[-1] == f"the worst of each kind, in pictures: {out / 'errors.html'}"
    assert [path.name for path in out.iterdir()] == ["errors.html"]

    page = BeautifulSoup((out / "errors.html").read_text(encoding="utf-8"), "html.parser")
    assert page.h1.text == f"What {weights} gets wrong" and "3 images of" in page.find(class_="lead").text
    rows = [[cell.text for cell in row.find_all(["th", "td"])] for row in page.table.tbody.find_all("tr")]
    assert [row[0] for row in rows] == [*KINDS, "no false positives", "no false negatives"]
    for kind, _, count, gain in rows[: len(KINDS)]:
        assert re.search(rf"^{kind} +{count}  {gain}$", output, flags=re.MULTILINE)
    assert not page.find_all("script") and not page.find_all(src=re.compile("^(?!data:)"))
    figures = page.find_all("figure")
    assert figures and all(figure.img["alt"] == figure.figcaption.text for figure in figures)
    assert {re.match(r"Image (\d)", figure.img["alt"])[1] for figure in figures} <= {"0", "2", "3"}
    assert all(figure.img["src"].startswith("data:image/jpeg;base64,") for figure in figures)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--out", "page"], "--out has no effect without --errors; add it, or leave --out away"),
        (["--foreground", "0.4"], "--foreground has no effect without --errors"),
        (
            ["--errors", "--foreground", "0.1"],
            "background = 0.1: use 0 <= background < foreground < 1",
        ),
    ],
)
def test_what_cannot_work_is_refused_before_the_work(run, complaint, options, says):
    assert run(["evaluate", "--data", "voc:nowhere", "--weights", "nothing", *options]) == 2
    assert says in complaint()


def test_a_place_that_cannot_be_a_folder_is_told_before_the_work(run, weights, coco, complaint, tmp_path):
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    options = ["--errors", "--out", tmp_path / "file"]
    assert run(["evaluate", "--data", coco, "--weights", weights, *options]) == 1
    assert "no folder can be made there" in complaint()
