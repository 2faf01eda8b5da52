import importlib.util
import json
import re

import pytest
import torch
from PIL import Image
from torchvision import tv_tensors

from rcnn_tutorial import assets
from rcnn_tutorial.config import VOC_CLASSES
from rcnn_tutorial.data import samples
from rcnn_tutorial.data.samples import MOST_PHOTOS, SAMPLES, load_sample, open_photo, open_photos
from rcnn_tutorial.errors import ConfigError, DataError

NAMES = {
    "scene": ["cat", "motorbike", "bicycle", "person", "motorbike", "bicycle", "person"],
    "cat": ["cat"],
    "astronaut": ["person"],
    "motorcycle": ["motorbike", "bicycle"],
    "hopper": ["person"],
    "photographer": ["person"],
    "lake": ["boat"] * 14,
    "coffee": ["diningtable"],
    "rocket": [],
}
DIFFICULT = {"bicycle", "boat", "diningtable"}  # behind a bench, a few pixels large, seen from too near


@pytest.mark.parametrize("name", SAMPLES)
def test_samples(name):
    image, target = load_sample(name)
    assert isinstance(image, tv_tensors.Image) and image.dtype == torch.float32
    assert 0 <= image.min() < 0.12 and 0.9 < image.max() <= 1
    boxes = target["boxes"]
    assert isinstance(boxes, tv_tensors.BoundingBoxes) and boxes.canvas_size == tuple(image.shape[1:])
    assert [VOC_CLASSES[label - 1] for label in target["labels"]] == NAMES[name]
    assert target["difficult"].tolist() == [label in DIFFICULT for label in NAMES[name]]
    assert (boxes[:, :2] >= 0).all() and (boxes[:, 2:] - boxes[:, :2] >= (3 if name == "lake" else 10)).all()
    assert (boxes[:, 2] <= image.shape[2]).all() and (boxes[:, 3] <= image.shape[1]).all()
    assert target["image_id"] == name


def test_scene_is_a_collage_of_the_photos():
    scene, target = load_sample("scene")
    assert scene.shape == (3, 600, 800)
    assert (scene.mean(dim=0) > 0.02).float().mean() > 0.9  # no tile is missing
    cat, cat_target = load_sample("cat")
    x1, y1, x2, y2 = (round(value) for value in target["boxes"][0].tolist())
    assert (x1, y1, y2) == (0, 0, 260) and x2 == round(402 * 391 / 451)
    inside = scene[:, y1:y2, x1:x2].mean(dim=(1, 2))
    assert torch.allclose(inside, cat[:, :, :402].mean(dim=(1, 2)), atol=0.01)
    again, target_again = load_sample("scene")
    assert torch.equal(scene, again) and torch.equal(target["boxes"], target_again["boxes"])


def test_boxes_follow_their_tiles():
    _, target = load_sample("scene")
    small, large = (box.tolist() for box, label in zip(target["boxes"], target["labels"], strict=True) if label == 15)
    assert small[0] == pytest.approx(641 + 12 * 159 / 512, abs=0.01)
    assert small[3] == 260  # her tile ends above the photo's lower edge
    assert large[0] == pytest.approx(504 + 20 * 296 / 446, abs=0.01)


def test_unknown_sample():
    with pytest.raises(ConfigError, match="there is scene, cat, astronaut"):
        load_sample("dog")


@pytest.mark.parametrize(("photo", "package"), [("cat", "scikit-image"), ("hopper", "matplotlib")])
def test_a_missing_package_is_named(monkeypatch, photo, package):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=f"pip install {package}"):
        load_sample(photo)


def test_every_photo_names_its_author_and_a_free_licence():
    photos = json.loads(assets.asset_path("samples/boxes.json").read_text(encoding="utf-8"))["photos"]
    assert set(photos) == set(SAMPLES) - {"scene"}
    for photo in photos.values():
        assert re.fullmatch(r".+(, (CC0|CC BY 2\.0|public domain)|\(Scharstein et al\.\))", photo["credit"])


def test_assets_of_a_clone_and_of_a_wheel(tmp_path, monkeypatch):
    assert assets.asset_path("samples/boxes.json").is_file()
    monkeypatch.setattr(assets, "_PLACES", (tmp_path / "_assets", tmp_path / "assets"))
    with pytest.raises(DataError, match=r"samples/boxes\.json: not among the package's assets"):
        assets.asset_path("samples/boxes.json")
    for place in ("assets", "_assets"):  # the wheel's own folder comes first
        (tmp_path / place / "samples").mkdir(parents=True)
        (tmp_path / place / "samples" / "boxes.json").write_text("{}", encoding="utf-8")
        assert assets.asset_path("samples/boxes.json") == tmp_path / place / "samples" / "boxes.json"


@pytest.fixture
def voc(tmp_path):
    """A VOC folder with two photos, the first with a cat from (10, 20) to (60, 80)."""
    root = tmp_path / "VOC2007"
    for folder in ("Annotations", "ImageSets/Main", "JPEGImages"):
        (root / folder).mkdir(parents=True)
    for name in ("a", "b"):
        Image.new("RGB", (200, 100), "gray").save(root / "JPEGImages" / f"{name}.jpg")
    box = "<xmin>11</xmin><ymin>21</ymin><xmax>60</xmax><ymax>80</ymax>"
    (root / "Annotations" / "a.xml").write_text(
        f"<annotation><object><name>cat</name><bndbox>{box}</bndbox></object></annotation>",
        encoding="utf-8",
    )
    return root


def test_a_photo_of_a_voc_folder_comes_with_its_objects_and_the_folder_stands_for_its_first(voc):
    for path in (voc / "JPEGImages" / "a.jpg", voc, voc.parent):
        image, target = open_photo(path)
        assert image.shape == (3, 100, 200) and target["boxes"].tolist() == [[10, 20, 60, 80]]
        assert VOC_CLASSES[target["labels"][0] - 1] == "cat"
    assert len(open_photo(voc / "JPEGImages" / "b.jpg")[1]["boxes"]) == 0  # not annotated


def test_boxes_shrink_with_a_large_photo(voc, monkeypatch):
    monkeypatch.setattr(samples, "MOST_PIXELS", 5_000)
    image, target = open_photo(voc / "JPEGImages" / "a.jpg")
    assert image.shape == (3, 50, 100) and target["boxes"].tolist() == [[5, 10, 30, 40]]


def test_a_photo_of_an_own_voc_folder_comes_with_its_objects_of_known_classes(voc, caplog):
    path = voc / "Annotations" / "a.xml"
    cat = path.read_text(encoding="utf-8")
    path.write_text(cat.replace(">cat<", ">apple<"), encoding="utf-8")
    image, target = open_photo(voc / "JPEGImages" / "a.jpg")
    assert image.shape == (3, 100, 200) and len(target["labels"]) == 0
    assert "without its objects of 'apple', no classes of VOC" in caplog.text
    both = cat.replace(
        "<object>", cat[cat.index("<object>") : cat.index("</annotation>")].replace("cat", "Cat") + "<object>"
    )
    path.write_text(both, encoding="utf-8")
    assert [VOC_CLASSES[label - 1] for label in open_photo(voc)[1]["labels"]] == ["cat"]


def test_a_photo_in_a_subfolder_comes_with_its_objects(voc):
    for folder, name in (("JPEGImages", "a.jpg"), ("Annotations", "a.xml")):
        (voc / folder / "day").mkdir()
        (voc / folder / name).rename(voc / folder / "day" / name)
    (voc / "JPEGImages" / "b.jpg").unlink()
    for path in (voc, voc / "JPEGImages" / "day" / "a.jpg"):
        assert open_photo(path)[1]["boxes"].tolist() == [[10, 20, 60, 80]]


@pytest.mark.parametrize("name", ["Thumbs.db", ".DS_Store", "._a.jpg", "desktop.ini", "AAA.txt", "1.xml"])
def test_what_is_no_photo_does_not_stand_for_a_folder(voc, name):
    (voc / "JPEGImages" / name).write_bytes(b"no photo")
    assert open_photo(voc)[0].shape == (3, 100, 200)
    for photo in (voc / "JPEGImages").glob("*.jpg"):
        photo.unlink()
    with pytest.raises(DataError, match="VOC2007: holds no photo; put one there"):
        open_photo(voc)


def test_a_photo_below_home(voc, monkeypatch):
    monkeypatch.setenv("HOME", str(voc))
    assert open_photo("~/JPEGImages/a.jpg")[1]["image_id"] == "a"


@pytest.mark.parametrize("missing", ["photo.jpg", "folder"])
def test_a_photo_that_cannot_be_opened_is_named(tmp_path, missing):
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match=missing) as caught:
        open_photo(tmp_path / missing)
    assert "\n" not in str(caught.value)


def test_any_folder_of_photos_will_do(tmp_path):
    for number in range(MOST_PHOTOS + 1, 0, -1):
        (tmp_path / f"day {number % 2}").mkdir(exist_ok=True)
        Image.new("RGB", (20, number), "gray").save(tmp_path / f"day {number % 2}" / f"{number:02}.png")
    image, target = open_photo(tmp_path)
    assert image.shape == (3, 2, 20) and len(target["boxes"]) == 0
    photos = open_photos(tmp_path)
    own = [name for name in photos if name not in SAMPLES]
    assert own == [f"day {number % 2}/{number:02}.png" for number in (*range(2, 14, 2), *range(1, 13, 2))]
    assert list(photos)[len(own) :] == list(SAMPLES) and photos["day 0/04.png"].shape == (3, 4, 20)


def test_a_menu_begins_with_the_photo_that_is_asked_for(voc):
    assert list(open_photos("rocket")) == ["rocket", *(name for name in SAMPLES if name != "rocket")]
    assert list(open_photos(voc / "JPEGImages" / "b.jpg")) == ["b.jpg", *SAMPLES]
    assert list(open_photos(voc)) == ["JPEGImages/a.jpg", "JPEGImages/b.jpg", *SAMPLES]
