"""Rules of all annotated photos: nothing to learn from, boxes that are no pixels, files that cannot be read."""

import json
import logging

import numpy as np
import pytest
import torch
from PIL import Image

from rcnn_tutorial.config import TOY_TRAINING, toy_config
from rcnn_tutorial.data import CachedDataset, open_dataset
from rcnn_tutorial.data.records import PhotoDataset, Record, check_objects
from rcnn_tutorial.errors import ConfigError, DataError
from rcnn_tutorial.evaluation import evaluate
from rcnn_tutorial.model import build_model
from rcnn_tutorial.training import train

SIZE = (60, 80)


def photos(tmp_path, *boxes, difficult=False, size=SIZE, labels=None):
    """A data set with a photo for each list of boxes, (x1, y1, x2, y2)."""
    records = []
    for i, each in enumerate(boxes):
        path = tmp_path / f"{i}.png"
        Image.new("RGB", size[::-1]).save(path)
        corners = np.array(each, dtype=np.float32).reshape(-1, 4)
        flags = np.full(len(corners), difficult)
        records.append(Record(path, tmp_path / f"{i}.xml", str(i), size, corners, np.ones(len(corners), int), flags))
    return PhotoDataset("mine", records, ("cat",))


def test_an_outline_is_all_of_an_item_but_its_pixels(tmp_path):
    dataset = photos(tmp_path, [], [(1, 2, 30, 40), (5, 5, 90, 9)])
    _, target = dataset[1]
    (tmp_path / "1.png").write_bytes(b"no picture")
    outline = dataset.outline(1)
    assert outline.name == str(tmp_path / "1.png") and outline.size == SIZE
    assert outline.target["boxes"].tolist() == target["boxes"].tolist() == [[1, 2, 30, 40], [5, 5, 80, 9]]
    assert outline.target["image_id"] == "1"


NOTHING = {
    "no boxes at all": ([[], []], {}, "none of the 2 images has one"),
    "all difficult or crowds": ([[(1, 2, 30, 40)]], {"difficult": True}, "of 1 objects 0 have an empty box, 1 are"),
    "swapped corners": ([[(30, 40, 1, 2)]], {}, "of 1 objects 1 have an empty box, 0 are"),
    "swapped in one direction": ([[(1, 40, 30, 2)]], {}, "of 1 objects 1 have an empty box"),
    "no width": ([[(5, 5, 5, 30)], []], {}, "of 1 objects 1 have an empty box"),
    "nan": ([[(np.nan, 1, 30, 40), (1, 1, np.inf, 9)]], {}, "of 2 objects 2 have an empty box"),
    "outside the image": ([[(100, 5, 120, 30)], [(-20, 3, -10, 9)]], {}, "of 2 objects 2 have an empty box"),
    "thinner than can be seen": ([[(5, 5, 5.001, 30)]], {}, "of 1 objects 1 have an empty box"),
    "empty and difficult": ([[(9, 9, 1, 1)], [(1, 2, 30, 40)]], {"difficult": True}, "of 2 objects 1 have .* 1 are"),
}


@pytest.mark.parametrize("name", NOTHING)
def test_training_needs_an_object(tmp_path, name):
    boxes, options, words = NOTHING[name]
    dataset = photos(tmp_path, *boxes, **options)
    for wrapped in (dataset, CachedDataset(dataset), torch.utils.data.Subset(CachedDataset(dataset), [0])):
        with pytest.raises(DataError, match=f"mine: nothing to learn from, no object is left .*{words}.*; correct"):
            check_objects(wrapped)
    model = build_model(toy_config(dataset.classes))
    with pytest.raises(DataError, match="nothing to learn from"):
        train(model, dataset, TOY_TRAINING)


def test_one_object_is_enough_and_measuring_needs_none(tmp_path):
    check_objects(photos(tmp_path, [], [(1, 2, 30, 40)]))
    nothing = photos(tmp_path, [])
    assert np.isnan(evaluate(build_model(toy_config(("cat",))), nothing, progress=False).mAP)


SHARES = {
    "corners": [[(0.1, 0.2, 0.5, 0.75)], [(0.3, 0.3, 0.9, 1)]],
    "whole images": [[(0, 0, 1, 1)]],
    "centers with sides": [[(0.5, 0.5, 1.25, 1.5)]],
    "VOC's count from 1": [[(-0.9, -0.8, 0.5, 0.75)]],
    "with photos without objects": [[], [(0.1, 0.2, 0.5, 0.75)]],
    "swapped": [[(0.9, 0.2, 0.5, 0.1)]],
}


@pytest.mark.parametrize("name", SHARES)
def test_shares_are_refused(tmp_path, name):
    with pytest.raises(DataError, match=r"mine: all boxes .* such as in .*\.xml; boxes are counted in pixels: multi"):
        photos(tmp_path, *SHARES[name])


def test_pixels_are_not_taken_for_shares(tmp_path, caplog):
    photos(tmp_path, [(0, 0, 1, 1)], [(0, 0, 3, 1)])
    photos(tmp_path, [(0, 0, 1, 1), (0.25, 0, 1, 1)], size=(1, 1))  # a photo of one pixel
    photos(tmp_path, [], [])
    assert caplog.text == ""
    with caplog.at_level(logging.WARNING, logger="rcnn_tutorial"):
        photos(tmp_path, [(5, 5, 20, 20)], [(0.25, 0.25, 0.5, 0.5)])
    assert "mine: 1 boxes lie in the first 2 pixels, such as on" in caplog.text and "1.png" in caplog.text


def test_repeated_boxes_are_used_once(tmp_path, caplog):
    with caplog.at_level(logging.WARNING, logger="rcnn_tutorial"):
        dataset = photos(tmp_path, [(1, 2, 30, 40), (5, 5, 9, 9), (1, 2, 30, 40)], [(1, 2, 30, 40)])
    assert dataset[0][1]["boxes"].tolist() == [[1, 2, 30, 40], [5, 5, 9, 9]] and len(dataset[1][1]["labels"]) == 1
    assert "1 boxes that stand there twice are used once" in caplog.text


BOX = "<bndbox><xmin>11</xmin><ymin>21</ymin><xmax>30</xmax><ymax>40</ymax></bndbox>"
XML = (
    f"<annotation><size><width>80</width><height>60</height></size><object><name>cat</name>{BOX}</object></annotation>"
)


@pytest.fixture
def voc(tmp_path):
    """A VOC folder of five photos, 0 to 4, and its spec."""
    for name in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (tmp_path / "voc" / name).mkdir(parents=True)
    for i in range(5):
        (tmp_path / "voc" / "Annotations" / f"{i}.xml").write_text(XML, encoding="utf-8")
        Image.new("RGB", (80, 60)).save(tmp_path / "voc" / "JPEGImages" / f"{i}.png")
    (tmp_path / "voc" / "ImageSets" / "Main" / "train.txt").write_text("0\n1\n2\n3\n4\n", encoding="utf-8")
    return tmp_path / "voc"


DAMAGE = {
    "no photo": ("JPEGImages/2.png", None, "no file '2.jpg'"),
    "no annotation": ("Annotations/2.xml", None, "no file '2.xml'"),
    "truncated annotation": ("Annotations/2.xml", XML[:60], "not a readable XML file"),
    "empty annotation": ("Annotations/2.xml", "", "not a readable XML file"),
    "a word in a box": ("Annotations/2.xml", XML.replace(">30<", ">x<"), "the bndbox of object 1"),
    "no name": ("Annotations/2.xml", XML.replace("cat", ""), "object 1 has the name ''"),
    "no size and a broken photo": ("JPEGImages/2.png", "", "not a readable|known format"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_opening_skips_what_cannot_be_read(voc, name):
    file, content, words = DAMAGE[name]
    if content is None:
        (voc / file).unlink()
    else:
        (voc / file).write_text(content, encoding="utf-8")
    if name == "no size and a broken photo":
        path = voc / "Annotations" / "2.xml"
        path.write_text(XML.replace(">80<", ">0<"), encoding="utf-8")
    with pytest.raises(DataError, match=words):
        open_dataset(f"voc:{voc}")
    with pytest.warns(UserWarning, match=f"left out: .*({words})"):
        dataset = open_dataset(f"voc:{voc}", on_bad_file="skip")
    assert [record.image_id for record in dataset.records] == ["0", "1", "3", "4"]


def test_skipping_everything_is_an_error(voc):
    for path in (voc / "JPEGImages").iterdir():
        path.unlink()
    with (
        pytest.warns(UserWarning, match="left out"),
        pytest.raises(DataError, match="no images that can be used; list"),
    ):
        open_dataset(f"voc:{voc}", on_bad_file="skip")


@pytest.mark.parametrize(
    ("key", "entry", "left"),
    [
        ("images", {"id": 9, "file_name": "missing.png"}, ["0", "1"]),
        ("images", {"id": 9}, ["0", "1"]),
        ("images", "9", ["0", "1"]),
        ("annotations", {"image_id": 1, "category_id": 1, "bbox": [1, 2]}, ["0"]),  # the image with it
        ("annotations", {"image_id": 1, "category_id": 7, "bbox": [1, 2, 3, 4]}, ["0"]),
        ("annotations", {"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "iscrowd": "?"}, ["0"]),
        ("annotations", {"image_id": 7, "category_id": 1, "bbox": [1, 2, 3, 4]}, ["0", "1"]),
        ("annotations", {"category_id": 1, "bbox": [1, 2, 3, 4]}, ["0", "1"]),
    ],
)
def test_opening_a_coco_file_skips_wrong_entries_with_their_image(tmp_path, key, entry, left):
    content = {
        "categories": [{"id": 1, "name": "cat"}],
        "images": [{"id": i, "file_name": f"{i}.png", "width": 80, "height": 60} for i in range(2)],
        "annotations": [{"image_id": i, "category_id": 1, "bbox": [10, 20, 30, 15]} for i in range(2)],
    }
    content[key].append(entry)
    for i in range(2):
        Image.new("RGB", (80, 60)).save(tmp_path / f"{i}.png")
    (tmp_path / "ann.json").write_text(json.dumps(content), encoding="utf-8")
    spec = f"coco:{tmp_path}:{tmp_path / 'ann.json'}"
    with pytest.raises(DataError, match="ann.json"):
        open_dataset(spec)
    with pytest.warns(UserWarning, match="left out: .*ann.json"):
        dataset = open_dataset(spec, on_bad_file="skip")
    assert [record.image_id for record in dataset.records] == left


def test_on_bad_file_is_fail_or_skip():
    with pytest.raises(ConfigError, match="on_bad_file = 'ignore': use fail or skip"):
        open_dataset("toy", on_bad_file="ignore")
