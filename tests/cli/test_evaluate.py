"""rcnn-tutorial evaluate: a table, or JSON without nan."""

import json

import pytest

from rcnn_tutorial.data import TOY_CLASSES


@pytest.mark.parametrize("metric", ["voc07", "voc", "coco"])
def test_evaluate_json(run, metric, weights, coco, capsys):
    assert run(["evaluate", "--data", coco, "--weights", weights, "--metric", metric, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["metric"] == metric and result["images"] == 3
    assert set(result["per_class"]) == set(TOY_CLASSES)
    counted = [ap for ap in result["per_class"].values() if ap is not None]
    assert 0 < len(counted) < len(TOY_CLASSES)  # three scenes do not hold every class: those have null
    assert result["mAP"] == pytest.approx(sum(counted) / len(counted))
    assert 0 <= result["mAP"] <= 1
    assert list(result["AP50_by_size"]) == ["small", "medium", "large"]


def test_evaluate_prints_a_table(run, weights, coco, capsys):
    assert run(["evaluate", "--data", coco, "--weights", weights]) == 0
    output = capsys.readouterr()
    lines = output.out.splitlines()
    assert lines[-1].startswith("mAP (voc07, 3 images)") and 0 <= float(lines[-1].split()[-1]) <= 1
    assert [line.split()[1] for line in lines[: len(TOY_CLASSES)]] == list(TOY_CLASSES)
    assert [line.split()[2] for line in lines if line.startswith("AP50 of ")] == ["small", "medium", "large"]
    assert "100%" in output.err


def test_evaluate_on_missing_data(run, weights, capsys, tmp_path):
    assert run(["evaluate", "--data", f"voc:{tmp_path / 'nowhere'}", "--weights", weights]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "nowhere" in error


def test_evaluate_fails_at_an_unreadable_photo_or_leaves_it_out(run, weights, voc, capsys, tmp_path):
    (tmp_path / "voc data" / "JPEGImages" / "2.jpg").write_bytes(b"no picture")
    options = ["evaluate", "--data", voc, "--split", "all", "--weights", weights, "--json"]
    assert run(options) == 1 and "2.jpg" in capsys.readouterr().err
    assert run([*options, "--on-bad-file", "skip"]) == 0
    output = capsys.readouterr()
    assert json.loads(output.out)["images"] == 3 and "left out: " in output.err and "2.jpg" in output.err
