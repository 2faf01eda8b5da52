import logging
import os

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision import tv_tensors

from rcnn_tutorial.config import VOC_CLASSES
from rcnn_tutorial.data.voc import VocFolder
from rcnn_tutorial.errors import DataError

FUZZ_EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", 200))  # `make fuzz` tries more
CAT = "<object><name>cat</name><difficult>0</difficult>{}</object>"
BOX = "<bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox>"
SIZE = "<size><width>80</width><height>60</height><depth>3</depth></size>"


def cat(*corners):
    return CAT.format(BOX.format(*corners))


def write_voc(folder, split="train", **annotations):
    """A VOC folder with an 80 x 60 photo for every annotation, given as what is inside of <annotation>."""
    for name in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name, content in annotations.items():
        (folder / "Annotations" / f"{name}.xml").write_text(f"<annotation>{content}</annotation>", encoding="utf-8")
        Image.new("RGB", (80, 60), "red").save(folder / "JPEGImages" / f"{name}.jpg")
    (folder / "ImageSets" / "Main" / f"{split}.txt").write_text(
        "".join(f"{name}\n" for name in annotations), encoding="utf-8"
    )
    return folder


def error_of(root, **options):
    with pytest.raises(DataError) as caught:
        dataset = VocFolder(root, **options)
        dataset[0]
    assert len(str(caught.value).splitlines()) == 1
    assert ";" in str(caught.value)
    return str(caught.value)


def test_items(tmp_path):
    difficult = f"<object><name>dog</name><difficult>1</difficult>{BOX.format(1, 1, 80, 60)}</object>"
    part = f"<object><name>person</name><part><name>head</name>{BOX.format(1, 1, 2, 2)}</part>{BOX.format(5, 6, 5, 6)}"
    root = write_voc(tmp_path, a=SIZE + cat(11, 21, 30, 40) + difficult + part + "</object>", b=SIZE)
    dataset = VocFolder(root)
    assert len(dataset) == 2
    assert dataset.classes == VOC_CLASSES
    image, target = dataset[0]
    assert isinstance(image, tv_tensors.Image) and image.shape == (3, 60, 80)
    assert isinstance(target["boxes"], tv_tensors.BoundingBoxes) and target["boxes"].canvas_size == (60, 80)
    assert target["boxes"].dtype == torch.float32
    assert target["boxes"].tolist() == [[10, 20, 30, 40], [0, 0, 80, 60], [4, 5, 5, 6]]
    assert [VOC_CLASSES[label - 1] for label in target["labels"]] == ["cat", "dog", "person"]
    assert target["difficult"].tolist() == [False, True, False]
    assert target["image_id"] == "a"
    assert dataset[1][1]["boxes"].shape == (0, 4)  # a photo without objects


@pytest.mark.parametrize("inside", ["", "VOC2007", "VOCdevkit/VOC2007"])
def test_finds_the_folder(tmp_path, inside):
    write_voc(tmp_path / inside, a=SIZE)
    assert len(VocFolder(tmp_path)) == 1


def test_says_which_folder_to_give(tmp_path):
    assert "not a VOC folder" in error_of(tmp_path)
    assert "no such folder" in error_of(tmp_path / "missing")
    write_voc(tmp_path / "VOC2007", a=SIZE)
    write_voc(tmp_path / "VOC2012", a=SIZE)
    assert "holds 2 VOC folders" in error_of(tmp_path)


def test_splits(tmp_path):
    write_voc(tmp_path, split="val", a=SIZE)
    assert "there is val" in error_of(tmp_path, split="train")
    assert "there is val" in error_of(tmp_path, split="../Main/val")
    (tmp_path / "ImageSets/Main/train.txt").write_text("\n \n", encoding="utf-8")
    assert "empty" in error_of(tmp_path)
    (tmp_path / "ImageSets/Main/train.txt").write_bytes(b"\xff\xfe\xff")
    assert "UTF-8" in error_of(tmp_path)
    (tmp_path / "ImageSets/Main/train.txt").write_text("a  1\n", encoding="utf-8")  # as in VOC's lists for one class
    assert len(VocFolder(tmp_path)) == 1
    (tmp_path / "ImageSets/Main/train.txt").write_text("nothing\n", encoding="utf-8")
    assert "'nothing.xml'" in error_of(tmp_path)


def test_classes(tmp_path):
    zebra = f"<object><name> zebra </name>{BOX.format(1, 1, 9, 9)}</object>"
    write_voc(tmp_path, split="val", b=SIZE + zebra)
    write_voc(tmp_path, split="train", a=SIZE + cat(1, 1, 9, 9))
    collected = VocFolder(tmp_path, "train", classes=None)
    assert collected.classes == VocFolder(tmp_path, "val", classes=None).classes == ("cat", "zebra")
    own = VocFolder(tmp_path, "val", classes=["zebra", "cat"])
    assert own[0][1]["labels"].tolist() == [1]
    assert "unknown class 'zebra'" in error_of(tmp_path, split="val")
    assert "each name once" in error_of(tmp_path, classes=["cat", "cat"])


def test_photos_may_have_another_ending(tmp_path):
    write_voc(tmp_path, a=SIZE + "<filename>photos/a.png</filename>")
    photo = tmp_path / "JPEGImages" / "a.jpg"
    (tmp_path / "JPEGImages" / "photos").mkdir()
    Image.open(photo).save(tmp_path / "JPEGImages" / "photos" / "a.png")
    photo.unlink()
    assert VocFolder(tmp_path)[0][0].shape == (3, 60, 80)


@pytest.mark.parametrize("name", ["../../secret.png", "/etc/secret.png", "..\\secret.png", "C:\\secret.png", "C:s.png"])
def test_paths_stay_in_the_folder(tmp_path, name):
    root = write_voc(tmp_path / "voc", a=f"{SIZE}<filename>{name}</filename>")
    Image.new("RGB", (80, 60)).save(tmp_path / "secret.png")
    (root / "JPEGImages" / "a.jpg").unlink()
    assert "leads out of" in error_of(root)
    (root / "ImageSets/Main/train.txt").write_text("../Annotations/a\n", encoding="utf-8")
    assert "leads out of" in error_of(root)


def test_missing_photo(tmp_path):
    root = write_voc(tmp_path, a=SIZE)
    (root / "JPEGImages" / "a.jpg").unlink()
    assert "no file 'a.jpg'" in error_of(root)


BOMB = '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;&b;">]><annotation><filename>&c;</filename></annotation>'


@pytest.mark.parametrize(
    "content", ["", "<annotation>", "<note/>", "no xml", BOMB, '<?xml version="1.0" encoding="nonsense"?><annotation/>']
)
def test_wrong_xml(tmp_path, content):
    root = write_voc(tmp_path, a=SIZE)
    (root / "Annotations" / "a.xml").write_text(content, encoding="utf-8")
    assert "a.xml" in error_of(root)
    assert ("EntitiesForbidden" in error_of(root)) is (content == BOMB)


@pytest.mark.parametrize("corners", [("", 1, 2, 3), (1, 2, "three", 4)])
def test_wrong_box(tmp_path, corners):
    assert "bndbox" in error_of(write_voc(tmp_path, a=SIZE + cat(*corners)))
    assert "bndbox" in error_of(write_voc(tmp_path, a=SIZE + CAT.format("")))


def test_useless_boxes_are_reported_once(tmp_path, caplog):
    objects = cat(0, 0, 100, 30) + cat(30, 1, 20, 9) + cat("nan", 1, 20, 9) + cat(1, 1, "1e300", 9) + cat(1, 1, 9, 9)
    with caplog.at_level(logging.WARNING, logger="rcnn_tutorial"):
        dataset = VocFolder(write_voc(tmp_path, a=SIZE + objects, b=SIZE + cat(1, 1, 9, 9)))
        targets = [dataset[i][1] for i in (0, 1, 0)]
    assert targets[0]["boxes"].tolist() == [[0, 0, 80, 30], [0, 0, 9, 9]]
    assert len(caplog.messages) == 1
    assert "of 6 boxes, 1 clipped to the image, 3 empty ones dropped" in caplog.messages[0]


def test_nothing_to_report(tmp_path, caplog):
    assert VocFolder(write_voc(tmp_path, a=SIZE + cat(1, 1, 80, 60)))[0][1]["boxes"].tolist() == [[0, 0, 80, 60]]
    assert caplog.messages == []


@pytest.mark.parametrize(
    "size", ["", "<size><width>0</width><height>0</height></size>", "<size><width>x</width></size>"]
)
def test_size_from_the_photo(tmp_path, size):
    dataset = VocFolder(write_voc(tmp_path, a=size + cat(1, 1, 200, 200)))
    assert dataset[0][1]["boxes"].tolist() == [[0, 0, 80, 60]]


def test_boxes_of_another_size_are_refused(tmp_path):
    root = write_voc(tmp_path, a="<size><width>60</width><height>80</height></size>" + cat(1, 1, 9, 9))
    message = error_of(root)
    assert "60 x 80" in message and "80 x 60" in message


CONTENT = f"<annotation>{SIZE}<filename>a.jpg</filename>{cat(1, 2, 30, 40)}{cat(3, 4, 50, 60)}</annotation>"
PIECES = st.text(max_size=3) | st.sampled_from(["<", ">", "</", "&", "-", "9999999", "nan", "e400", "\ud800"])


@pytest.fixture(scope="module")
def voc(tmp_path_factory):
    return write_voc(tmp_path_factory.mktemp("voc"), a=SIZE)


@settings(max_examples=FUZZ_EXAMPLES, deadline=None)
@given(cuts=st.lists(st.tuples(st.integers(0, len(CONTENT)), st.integers(0, 3), PIECES), min_size=1, max_size=4))
def test_damage_never_gives_another_error(voc, cuts):
    content = CONTENT
    for start, length, piece in cuts:
        content = content[:start] + piece + content[start + length :]
    (voc / "Annotations" / "a.xml").write_bytes(content.encode("utf-8", "surrogatepass"))
    try:
        _, target = VocFolder(voc)[0]
    except DataError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert target["boxes"].isfinite().all()
        assert len(target["boxes"]) == len(target["labels"]) == len(target["difficult"])


def test_deeply_nested_xml(tmp_path):
    root = write_voc(tmp_path, a=SIZE + "<a>" * 50_000 + "</a>" * 50_000)
    assert len(VocFolder(root)) == 1
