"""rcnn-tutorial anchors: which objects are out of reach, as a table, JSON and a picture, and what would reach them."""

import json

import pytest
from PIL import Image

from rcnn_tutorial import data
from rcnn_tutorial.data import TOY_CLASSES, open_dataset


@pytest.fixture
def boxes(tmp_path):
    """A function: the spec of a COCO file with these objects, x, y, width, height, on one photo of 600 x 800."""

    def write(*rows, crowd=0):
        Image.new("RGB", (800, 600)).save(tmp_path / "photo.png")
        content = {
            "images": [{"id": 1, "file_name": "photo.png", "width": 800, "height": 600}],
            "categories": [{"id": 1, "name": "thing"}],
            "annotations": [
                {"id": i, "image_id": 1, "category_id": 1, "bbox": list(row), "iscrowd": crowd}
                for i, row in enumerate(rows)
            ],
        }
        (tmp_path / "boxes.json").write_text(json.dumps(content), encoding="utf-8")
        return f"coco:{tmp_path}:{tmp_path / 'boxes.json'}"

    return write


@pytest.fixture
def asked(run, capsys):
    """A function: the JSON that the command answers with."""

    def asked(*options):
        assert run(["anchors", *options, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    return asked


EXACT, TINY, LONG = (
    (264, 264, 128, 128),
    (326, 326, 4, 4),
    (100, 320, 400, 20),
)  # an anchor of cell (20, 20); two others


def test_anchors_json_names_what_is_not_reached(asked, boxes, tmp_path):
    report = asked("--data", boxes(EXACT, TINY, LONG))
    assert report["images"] == 1 and report["difficult"] == 0 and report["suggestion"] is None
    assert report["anchors"] == {"base_size": 16, "scales": [8, 16, 32], "ratios": [0.5, 1, 2]}
    assert (report["stride"], report["target_size"], report["max_size"]) == (16, 600, 1000)
    assert report["all"]["objects"] == 3 and report["all"]["at_0.5"] == pytest.approx(1 / 3)
    tiny, long = report["below_0.7"]
    assert tiny["box"] == [326, 326, 330, 330] and tiny["best_IoU"] == 0.001  # 16 / 15 488
    assert long["image"] == str(tmp_path / "photo.png") and long["label"] == "thing"
    assert long["scaled_size"] == [400, 20] and long["best_IoU"] < 0.21
    assert {name: row["objects"] for name, row in report["by_size"].items()} == {"small": 1, "medium": 1, "large": 1}
    assert {name: row["objects"] for name, row in report["by_shape"].items()} == {"below 1/3": 1, "2/3 to 3/2": 2}


def test_anchors_prints_a_table_and_examples(run, boxes, capsys, tmp_path):
    assert run(["anchors", "--data", boxes(EXACT, TINY, LONG)]) == 0
    output = capsys.readouterr()
    lines = output.out.splitlines()
    assert lines[0].endswith("boxes.json: 3 objects on 1 image")
    assert lines[1] == "photos of 600 / 1000 pixels, cells of 16, 9 anchors a cell: scales 8 16 32, ratios 0.5 1 2"
    assert lines[4].split() == ["all", "3", "0.333", "0.333", f"{(1 + 16 / 15488 + 3680 / 21984) / 3:.3f}"]
    assert "no anchor reaches 0.5: 2 objects" in lines
    example = f"  {tmp_path / 'photo.png'}: thing [326.0, 326.0, 330.0, 330.0], 4 x 4 after scaling, best IoU 0.00"
    assert example in lines and "an anchor reaches 0.5, none 0.7: 0 objects" in lines
    assert "nan" not in output.out and "100%" in output.err


def test_anchors_tells_of_objects_that_no_shape_reaches_between_cells(run, boxes, capsys):
    assert run(["anchors", "--data", boxes((318, 318, 4, 4))]) == 0
    assert "an anchor of their own shape stays below 0.5 for 1 object, as anchors stand 16" in capsys.readouterr().out


def test_a_suggestion_comes_with_what_it_gains_and_holds_when_it_is_used(asked, boxes):
    spec = boxes(*((60 * i, 40 * i, 40 + 3 * i, 70 + i) for i in range(1, 9)))
    suggestion = asked("--data", spec, "--suggest")["suggestion"]
    assert suggestion["better"] and len(suggestion["k_means"]) == 8  # as many as differ
    assert suggestion["after"]["at_0.5"] > suggestion["before"]["at_0.5"]
    anchors = suggestion["anchors"]
    again = asked("--data", spec, "--anchor-scales", *anchors["scales"], "--anchor-ratios", *anchors["ratios"])
    assert again["all"] == suggestion["after"] and len(anchors["scales"]) * len(anchors["ratios"]) <= 9


def test_the_suggestion_is_printed_as_options_of_train(run, boxes, capsys):
    spec = boxes((100, 100, 40, 40))
    assert run(["anchors", "--data", spec, "--suggest", 1]) == 0
    *_, flags, gain = capsys.readouterr().out.splitlines()
    assert flags.startswith("suggestion: --anchor-scales 2") and " --anchor-ratios " in flags
    assert gain.startswith("  1 a cell; reached at 0.5: 0.000 -> 1.000, at 0.7: 0.000 -> ")


def test_where_nothing_is_better_the_command_says_so(run, boxes, capsys):
    assert run(["anchors", "--data", boxes(EXACT), "--suggest"]) == 0
    assert "no better scales and ratios were found: keep those that are there" in capsys.readouterr().out
    assert run(["anchors", "--data", boxes(EXACT, (400, 100, 352, 176), (20, 20, 88, 176)), "--suggest", 1]) == 0
    assert "keep those that are there; the best were --anchor-scales " in capsys.readouterr().out


@pytest.mark.parametrize("rows", [[EXACT], [TINY], [LONG], [(0, 0, 800, 600)], [(300, 200, 50, 60)] * 3])
def test_one_object_and_objects_of_one_size(asked, boxes, rows):
    shifted = [(x + 20 * i, y, w, h) for i, (x, y, w, h) in enumerate(rows)]
    report = asked("--data", boxes(*shifted), "--suggest", 40)
    assert report["all"]["objects"] == len(rows) and len(report["suggestion"]["k_means"]) == 1
    before, after = report["suggestion"]["before"], report["suggestion"]["after"]
    assert not report["suggestion"]["better"] or after["mean_best_IoU"] > before["mean_best_IoU"]


def test_boxes_without_area_are_left_out(asked, boxes):
    assert asked("--data", boxes(EXACT, (10, 10, 0, 30), (50, 50, 0, 0)))["all"]["objects"] == 1


@pytest.mark.parametrize(
    ("rows", "crowd", "why"),
    [([], 0, "none of 1 images has one"), ([(5, 5, 0, 0)], 0, "none of 1"), ([EXACT], 1, "all 1 are marked")],
)
def test_without_an_object_one_line_says_why(run, boxes, capsys, rows, crowd, why):
    assert run(["anchors", "--data", boxes(*rows, crowd=crowd)]) == 1
    output = capsys.readouterr()
    assert output.out == "" and f"no object for anchors to reach: {why}" in output.err


def test_settings_come_from_a_detector_a_file_or_options(asked, boxes, weights, tmp_path):
    spec = boxes(EXACT)
    toy = asked("--data", spec, "--weights", weights)
    assert (toy["stride"], toy["target_size"], toy["anchors"]["scales"]) == (8, 128, [1, 2, 4])
    assert asked("--data", spec, "--weights", weights, "--target-size", 200, "--max-size", 300)["target_size"] == 200
    file = tmp_path / "config.json"
    content = {"data": spec, "model": {"anchors": {"ratios": [1]}, "anchor_targets": {"border": 64}}}
    file.write_text(json.dumps(content), encoding="utf-8")
    report = asked("--config", file, "--anchor-scales", 4, 8)
    assert report["data"] == spec and report["anchors"] == {"base_size": 16, "scales": [4, 8], "ratios": [1]}


def test_toy_scenes_by_default_those_of_val(asked, monkeypatch):
    monkeypatch.setitem(data.TOY_LENGTHS, "val", 4)
    report = asked("--data", "toy")
    assert report["split"] == "val" and report["images"] == 4
    assert {row["label"] for row in report["below_0.7"]} <= set(TOY_CLASSES)
    assert report["below_0.7"][0]["image"].startswith("toy-val-0-")


def test_photos_are_not_read_where_the_annotation_tells_their_size(asked, run, voc, capsys, tmp_path):
    for name in ("0.jpg", "1.jpg"):
        (tmp_path / "voc data" / "JPEGImages" / name).write_bytes(b"no picture")
    dataset = open_dataset(voc, "train", classes=None)
    learned = sum(int((~record.difficult).sum()) for record in dataset.records)
    assert asked("--data", voc)["all"]["objects"] == learned > 0

    annotation = tmp_path / "voc data" / "Annotations" / "0.xml"
    text = annotation.read_text(encoding="utf-8").replace("<width>64</width><height>64</height>", "")
    annotation.write_text(text, encoding="utf-8")
    assert run(["anchors", "--data", voc]) == 1 and "0.jpg" in capsys.readouterr().err
    assert asked("--data", voc, "--on-bad-file", "skip")["images"] == 1


def test_the_picture_has_its_words_beside_it(run, boxes, capsys, tmp_path):
    out = tmp_path / "new" / "folder"
    assert run(["anchors", "--data", boxes(EXACT, TINY, LONG), "--suggest", "--out", out]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"drawn in {out / 'anchors.png'}"
    with Image.open(out / "anchors.png") as picture:
        assert picture.format == "PNG" and picture.width > 600
    assert "3 objects, 33% reached at IoU 0.5" in (out / "anchors.txt").read_text(encoding="utf-8")
    assert sorted(path.name for path in out.iterdir()) == ["anchors.png", "anchors.txt"]


def test_a_folder_that_cannot_be_written_is_named(run, boxes, capsys, tmp_path):
    (tmp_path / "taken").write_text("a file", encoding="utf-8")
    assert run(["anchors", "--data", boxes(EXACT), "--out", tmp_path / "taken"]) == 1
    assert "taken" in capsys.readouterr().err
