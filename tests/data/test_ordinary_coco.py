"""COCO files as other tools and systems write them: each gives the one photo and its object, or one clear line."""

import copy
import json
import logging
import os
import unicodedata

import pytest
from PIL import Image

from rcnn_tutorial.data.coco import CocoFolder
from rcnn_tutorial.errors import DataError

CAFE = "caf\u00e9"
CONTENT = {
    "categories": [{"id": 3, "name": "cat"}, {"id": 5, "name": "dog"}],
    "images": [{"id": 12, "file_name": "a.png", "width": 80, "height": 60}],
    "annotations": [{"id": 1, "image_id": 12, "category_id": 5, "bbox": [10, 20, 30, 15], "iscrowd": 0}],
}
IMAGE, ANNOTATION = ("images", 0), ("annotations", 0)


def write(folder, changes=(), photos=("a.png",), encoding="utf-8"):
    """Images and JSON to give to CocoFolder; changes: (path of keys, value) of CONTENT, `...` to remove the entry."""
    content = copy.deepcopy(CONTENT)
    for path, value in changes:
        target = content
        for key in path[:-1]:
            target = target[key]
        if value is ...:
            del target[path[-1]]
        elif path[-1] == "append":
            target.append(value)
        else:
            target[path[-1]] = value
    for name in photos:
        path = folder / "images" / os.fsdecode(name.encode())  # in UTF-8, whatever the locale
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (80, 60), "red").save(path)
    (folder / "ann.json").write_bytes(json.dumps(content, ensure_ascii=False).encode(encoding))
    return folder / "images", folder / "ann.json"


def set_name(name):
    return [((*IMAGE, "file_name"), name)]


NAMES = {
    "dot in front": ("./a.png", "a.png"),
    "the folder's own name": ("images/a.png", "a.png"),
    "all folders from the root of the project": ("data\\images\\train\\a.png", "train/a.png"),
    "Windows separators": ("train\\a.png", "train/a.png"),
    "a backslash of Linux": ("train\\a.png", "train\\a.png"),
    "absolute path of Windows": ("C:\\Users\\me\\images\\train\\a.png", "train/a.png"),
    "network share": ("\\\\server\\share\\a.png", "a.png"),
    "absolute path of Linux": ("/home/me/data/a.png", "a.png"),
    "home": ("~/data/a.png", "a.png"),
    "URL": ("https://example.org/data/my%20a.png?size=8#x", "my a.png"),
    "storage": ("s3://bucket/train/a.png", "train/a.png"),
    "Label Studio's prefix": ("images/3c6a1e0f-a.png", "a.png"),
    "Label Studio's own file": ("images\\3c6a1e0f-a.png", "3c6a1e0f-a.png"),
    "other case": ("Train/A.PNG", "train/a.png"),
    "other ending": ("a.jpg", "a.png"),
    "no ending": ("a", "a.png"),
    "spaces": (" my  photo .png", " my  photo .png"),
    "taken apart by macOS": (CAFE + ".png", unicodedata.normalize("NFD", CAFE) + ".png"),
    "Arabic": ("\u062a\u0641\u0627\u062d.png", "\u062a\u0641\u0627\u062d.png"),
    "emoji": ("\U0001f408\u200d\u2b1b.png", "\U0001f408\u200d\u2b1b.png"),
    "colon": ("12:30.png", "12:30.png"),
}


def assert_read(dataset):
    assert len(dataset) == 1 and dataset.classes == ("cat", "dog")
    image, target = dataset[0]
    assert image.shape == (3, 60, 80) and target["image_id"] == "12"
    assert target["boxes"].tolist() == [[10, 20, 40, 35]] and target["labels"].tolist() == [2]
    assert target["difficult"].tolist() == [False]


@pytest.mark.parametrize("name", NAMES)
def test_photos_are_found(tmp_path, name):
    written, photo = NAMES[name]
    assert_read(CocoFolder(*write(tmp_path, set_name(written), [photo])))


CONTENTS = {
    "ids in text": [((*IMAGE, "id"), "12"), (("categories", 1, "id"), "5")],
    "ids in text of annotations": [((*ANNOTATION, "image_id"), "12"), ((*ANNOTATION, "category_id"), " 5 ")],
    "ids with fractions": [((*IMAGE, "id"), 12.0), ((*ANNOTATION, "category_id"), "5.0")],
    "no id of annotations": [((*ANNOTATION, "id"), ...)],
    "iscrowd missing": [((*ANNOTATION, "iscrowd"), ...)],
    "iscrowd false": [((*ANNOTATION, "iscrowd"), False)],
    "iscrowd in text": [((*ANNOTATION, "iscrowd"), "0")],
    "iscrowd null": [((*ANNOTATION, "iscrowd"), None)],
    "box of texts": [((*ANNOTATION, "bbox"), ["10", "20.0", " 30", "1.5e1"])],
    "box in one text": [((*ANNOTATION, "bbox"), "[10, 20, 30.0, 15]")],
    "box in one text with spaces": [((*ANNOTATION, "bbox"), "10 20 30 15")],
    "polygon alone": [((*ANNOTATION, "bbox"), ...), ((*ANNOTATION, "segmentation"), [[10, 20, 40, 20.0, 12, 35]])],
    "two polygons": [
        ((*ANNOTATION, "bbox"), []),
        ((*ANNOTATION, "segmentation"), [[10, 20, 11, 20, 10, 25], [40, 35, 39, 35, 39, 30]]),
    ],
    "sizes in text": [((*IMAGE, "width"), "80"), ((*IMAGE, "height"), "60.0")],
    "size missing": [((*IMAGE, "width"), ...), ((*IMAGE, "height"), None)],
    "size zero": [((*IMAGE, "width"), 0), ((*IMAGE, "height"), -1)],
    "size nan": [((*IMAGE, "width"), float("nan"))],
    "score nan": [((*ANNOTATION, "score"), float("nan"))],
    "image listed twice": [(("images", "append"), CONTENT["images"][0])],
    "annotation repeated": [(("annotations", "append"), CONTENT["annotations"][0])],
    "category repeated": [(("categories", "append"), CONTENT["categories"][0])],
    "macOS's twin": [(("images", "append"), {"id": 13, "file_name": "images/._a.png"})],
    "a root that groups": [
        (("categories", 0, "supercategory"), "animals"),
        (("categories", "append"), {"id": 0, "name": "animals", "supercategory": "none"}),
    ],
    "an unused name repeated": [(("categories", "append"), {"id": 0, "name": "dog"})],
    "a label map": [(("categories",), {"3": "cat", "5": "dog"})],
    "name with a plain space": [(("categories", 1, "name"), " dog\u200b")],
}


@pytest.mark.parametrize("name", CONTENTS)
def test_contents_are_read(tmp_path, name):
    assert_read(CocoFolder(*write(tmp_path, CONTENTS[name])))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_marks_and_encodings(tmp_path, encoding):
    assert_read(CocoFolder(*write(tmp_path, encoding=encoding)))


@pytest.mark.parametrize(("flag", "expected"), [(1, True), (True, True), ("1", True), ("true", True), (1.0, True)])
def test_crowds_are_difficult(tmp_path, flag, expected):
    dataset = CocoFolder(*write(tmp_path, [((*ANNOTATION, "iscrowd"), flag)]))
    assert dataset[0][1]["difficult"].tolist() == [expected]


def test_ids_that_are_no_numbers(tmp_path):
    changes = [
        ((*IMAGE, "id"), "012"),
        ((*ANNOTATION, "image_id"), "012"),
        (("images", "append"), {"id": 12, "file_name": "b.png"}),
        (("categories", 1, "id"), "d-5"),
        ((*ANNOTATION, "category_id"), "d-5"),
    ]
    dataset = CocoFolder(*write(tmp_path, changes, ["a.png", "b.png"]))
    assert [dataset[i][1]["image_id"] for i in (0, 1)] == ["012", "12"]
    assert dataset.classes == ("cat", "dog") and [len(dataset[i][1]["labels"]) for i in (0, 1)] == [1, 0]


def test_an_image_under_two_ids_has_the_boxes_of_both(tmp_path, caplog):
    changes = [
        (("images", "append"), {"id": 13, "file_name": "a.png"}),
        (("annotations", "append"), {"image_id": 13, "category_id": 3, "bbox": [1, 2, 3, 4]}),
    ]
    with caplog.at_level(logging.WARNING, logger="rcnn_tutorial"):
        dataset = CocoFolder(*write(tmp_path, changes))
    assert len(dataset) == 1 and dataset[0][1]["labels"].tolist() == [2, 1]
    assert "1 images are listed repeatedly" in caplog.text


def test_a_class_that_groups_itself_or_is_used_stays(tmp_path, caplog):
    own = [(("categories", 0, "supercategory"), "cat")]
    assert CocoFolder(*write(tmp_path, own)).classes == ("cat", "dog")
    used = [(("categories", 0, "supercategory"), "dog")]
    assert CocoFolder(*write(tmp_path, used)).classes == ("cat", "dog")
    assert caplog.text == ""
    with caplog.at_level(logging.WARNING, logger="rcnn_tutorial"):
        group = [(("categories", 1, "supercategory"), "cat")]
        assert CocoFolder(*write(tmp_path, group)).classes == ("dog",)
    assert "category 3, 'cat', is left out" in caplog.text
    assert CocoFolder(*write(tmp_path, group), classes=["cat", "dog"])[0][1]["labels"].tolist() == [2]


def test_corners_in_place_of_width_and_height_are_told(tmp_path, caplog):
    changes = [((*ANNOTATION, "bbox"), [50, 40, 70, 55])]
    with caplog.at_level(logging.WARNING, logger="rcnn_tutorial"):
        CocoFolder(*write(tmp_path, changes))
    assert "1 of 1 boxes leave their image; write x, y, width, height: they look like x1, y1, x2, y2" in caplog.text


MESSAGES = {
    "missing photo": (set_name("b.png"), "ann.json: no file 'b.png' in .*images; add the file or remove the entry"),
    "two photos": (set_name("c"), "ann.json: 'c' may be c.gif or c.jpg in .*images; remove all but one"),
    "above": (set_name("../images/a.png"), r"ann.json: '../images/a.png' leads out of .*images; use a path relative"),
    "elsewhere": (set_name("D:\\x\\b.png"), r"leads out of .*, and no file there has the end of that path .*; copy"),
    "another folder of the same kind": (set_name("train/a.png"), "no file 'train/a.png' in .*images"),
    "no name": ([((*IMAGE, "file_name"), ...)], r"images\[0\] has no 'file_name' that is a text but None; write"),
    "no id": ([((*IMAGE, "id"), None)], r"images\[0\] has no 'id' that is a whole number or a text but None; add"),
    "fraction": ([((*ANNOTATION, "image_id"), 1.5)], r"annotations\[0\] has no 'image_id' that .* but 1.5; add it"),
    "unknown image": ([((*ANNOTATION, "image_id"), 99)], "unknown image_id 99; list it in 'images'"),
    "unknown category": (
        [((*ANNOTATION, "category_id"), 99)],
        r"annotations\[0\] has the unknown category_id 99; list",
    ),
    "no box": ([((*ANNOTATION, "bbox"), ...)], r"annotations\[0\] has the bbox None; give \[x, y, width, height\]"),
    "half a box": ([((*ANNOTATION, "bbox"), [1, 2, 3])], r"annotations\[0\] has the bbox \[1, 2, 3\]; give"),
    "words": ([((*ANNOTATION, "bbox"), "left, top, 3, 4")], r"has the bbox 'left, top, 3, 4'; give"),
    "flag": ([((*ANNOTATION, "iscrowd"), "perhaps")], r"annotations\[0\] has iscrowd = 'perhaps'; write 0 or 1"),
    "id of two images": (
        [(("images", "append"), {"id": "12", "file_name": "c.jpg"})],
        r"images\[1\] and another use an id twice, 12; number each once",
    ),
    "two names of a photo": (
        [(("images", "append"), {"id": 13, "file_name": "/x/a.png"})],
        r"a.png: annotated twice, in .*ann.json \(12\) and .*ann.json \(13\); put all its boxes into one",
    ),
    "two classes of a name": (
        [
            (("categories", 0, "name"), "dog"),
            (("annotations", "append"), CONTENT["annotations"][0] | {"category_id": 3}),
        ],
        "ann.json: its classes hold 'dog' twice; give at least one, each name once",
    ),
    "class without a name": (
        [(("categories", 0, "name"), "")],
        r"categories\[0\] has the name '', but its classes need",
    ),
    "only result": ([(("categories",), ...)], "ann.json: has no list 'categories'; give COCO's instances JSON"),
    "size of another": ([((*IMAGE, "width"), 40)], "boxes are for 40 x 60 pixels, but .*a.png shows 80 x 60; correct"),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_messages(tmp_path, name):
    changes, words = MESSAGES[name]
    with pytest.raises(DataError, match=words) as caught:
        CocoFolder(*write(tmp_path, changes, ["a.png", "c.jpg", "c.gif"]))[0]
    assert len(str(caught.value).splitlines()) == 1 and len(str(caught.value)) < 700


def test_a_truncated_file_and_unknown_classes_are_named(tmp_path):
    images, annotations = write(tmp_path)
    with pytest.raises(DataError, match="ann.json: unknown class 'dog'; known are cat; rename it or add it to these"):
        CocoFolder(images, annotations, ["cat"], on_bad_file="skip")  # a question to the user, and no bad file
    many = [f"class {i}" for i in range(1000)]
    with pytest.raises(DataError, match=r"class 19 and 980 more; rename it") as caught:
        CocoFolder(images, annotations, many)
    assert len(str(caught.value)) < 600
    annotations.write_bytes(annotations.read_bytes()[:-20])
    with pytest.raises(DataError, match="ann.json: not a readable JSON file .*; download or write it again"):
        CocoFolder(images, annotations)
