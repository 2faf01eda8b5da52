import json
from unittest import mock

import pytest
from PIL import Image

from rcnn_tutorial import data
from rcnn_tutorial.data import TOY_CLASSES, open_dataset
from rcnn_tutorial.errors import ConfigError, DataError


def test_toy():
    train, val = open_dataset("toy"), open_dataset("toy", "val")
    assert (len(train), len(val)) == (20_000, 500)
    assert train.classes == TOY_CLASSES
    dataset = open_dataset("toy", "val", seed=3, classes=TOY_CLASSES, toy_length=4, toy_size=(64, 96))
    assert len(dataset) == 4
    assert dataset[0][0].shape == (3, 64, 96)
    with pytest.raises(ConfigError, match="its classes are"):
        open_dataset("toy", classes=["cat"])


def test_voc(tmp_path):
    for name in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (tmp_path / name).mkdir(parents=True)
    box = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>"
    objects = "".join(f"<object><name>{name}</name>{box}</object>" for name in ("zebra", "ant"))
    (tmp_path / "Annotations" / "a.xml").write_text(f"<annotation>{objects}</annotation>", encoding="utf-8")
    (tmp_path / "ImageSets" / "Main" / "val.txt").write_text("a\n", encoding="utf-8")
    Image.new("RGB", (20, 10)).save(tmp_path / "JPEGImages" / "a.jpg")
    assert open_dataset(f"voc:{tmp_path}", "val").classes == ("ant", "zebra")
    assert open_dataset(f"voc:{tmp_path}", "val", classes=["zebra", "ant"])[0][1]["labels"].tolist() == [1, 2]
    with pytest.raises(DataError, match="no such folder"):
        open_dataset(f"voc:{tmp_path}/missing")


def test_coco(tmp_path):
    content = {"categories": [{"id": 1, "name": "cat"}], "images": [{"id": 1, "file_name": "a.png"}], "annotations": []}
    (tmp_path / "a.json").write_text(json.dumps(content), encoding="utf-8")
    Image.new("RGB", (20, 10)).save(tmp_path / "a.png")
    dataset = open_dataset(f"coco:{tmp_path}:{tmp_path / 'a.json'}")
    assert dataset.classes == ("cat",) and len(dataset) == 1
    assert open_dataset(f"coco:{tmp_path}:{tmp_path / 'a.json'}", classes=["dog", "cat"]).classes == ("dog", "cat")


@pytest.mark.parametrize(
    ("spec", "paths"),
    [
        ("coco:images:ann.json", ("images", "ann.json")),
        ("coco:/data/images:/data/ann.json", ("/data/images", "/data/ann.json")),
        (r"coco:C:\imgs:C:\ann.json", (r"C:\imgs", r"C:\ann.json")),
        ("coco:C:/imgs:ann.json", ("C:/imgs", "ann.json")),
        (r"coco:imgs:D:\ann.json", ("imgs", r"D:\ann.json")),
        ("coco:i:/ann.json", ("i", "/ann.json")),
    ],
)
def test_coco_paths(spec, paths):
    with mock.patch.object(data, "CocoFolder") as folder:
        open_dataset(spec)
    assert folder.call_args.args[:2] == paths


@pytest.mark.parametrize("spec", ["", "voc", "voc:", "coco:images", "coco:a:b:c", "coco::b", "toys", "VOC:x"])
def test_wrong_specs(spec):
    with pytest.raises(ConfigError, match="use toy, voc:DIR or coco:IMAGES:ANNOTATIONS.json"):
        open_dataset(spec)
