import copy
import json
import logging
import os

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from rcnn_tutorial.data.coco import CocoFolder
from rcnn_tutorial.errors import DataError

FUZZ_EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", 200))  # `make fuzz` tries more
CONTENT = {
    "categories": [{"id": 17, "name": "cat"}, {"id": 3, "name": "car"}, {"id": 90, "name": "toothbrush"}],
    "images": [
        {"id": 7, "file_name": "a.png", "width": 80, "height": 60},
        {"id": 8, "file_name": "train/b.png", "width": 40, "height": 30},
    ],
    "annotations": [
        {"id": 1, "image_id": 7, "category_id": 17, "bbox": [10.5, 20, 30, 15.25], "iscrowd": 0, "area": 1},
        {"id": 2, "image_id": 7, "category_id": 3, "bbox": [0, 0, 80, 60], "iscrowd": 1, "area": 1},
    ],
}


def write_coco(folder, content=CONTENT):
    """An images folder and an annotations file, ready to be given to CocoFolder."""
    (folder / "images" / "train").mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (80, 60)).save(folder / "images" / "a.png")
    Image.new("RGB", (40, 30)).save(folder / "images" / "train" / "b.png")
    (folder / "annotations.json").write_text(
        content if isinstance(content, str) else json.dumps(content), encoding="utf-8"
    )
    return folder / "images", folder / "annotations.json"


def changed(path, value):
    """CONTENT with one entry, named by the keys on the way to it, set to `value`."""
    content = copy.deepcopy(CONTENT)
    target = content
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    return content


def error_of(*arguments):
    with pytest.raises(DataError) as caught:
        dataset = CocoFolder(*arguments)
        dataset[0]
    assert len(str(caught.value).splitlines()) == 1
    assert ";" in str(caught.value)
    return str(caught.value)


def test_items(tmp_path):
    dataset = CocoFolder(*write_coco(tmp_path))
    assert dataset.classes == ("car", "cat", "toothbrush")  # in order of the ids
    image, target = dataset[0]
    assert image.shape == (3, 60, 80)
    assert target["boxes"].tolist() == [[10.5, 20, 40.5, 35.25], [0, 0, 80, 60]]
    assert target["boxes"].dtype == torch.float32 and target["boxes"].canvas_size == (60, 80)
    assert target["labels"].tolist() == [2, 1]
    assert target["difficult"].tolist() == [False, True]
    assert target["image_id"] == "7"
    image, target = dataset[1]
    assert image.shape == (3, 30, 40) and target["boxes"].shape == (0, 4)


def test_given_classes_set_the_labels(tmp_path):
    arguments = write_coco(tmp_path)
    assert CocoFolder(*arguments, ["cat", "dog", "car"])[0][1]["labels"].tolist() == [1, 3]
    assert "unknown class 'cat'" in error_of(*arguments, ["car", "dog"])


def test_useless_boxes_are_reported_once(tmp_path, caplog):
    boxes = [[-5, 0, 20, 10], [0, 0, 0, 10], [0, 0, -4, 10], [0, 0, float("nan"), 1], [0, 0, 1e300, 1], [1, 1, 2, 2]]
    entries = [{"image_id": 7, "category_id": 3, "bbox": box} for box in boxes]
    with caplog.at_level(logging.WARNING, logger="rcnn_tutorial"):
        dataset = CocoFolder(*write_coco(tmp_path, {**CONTENT, "annotations": entries}))
        assert [dataset[0][1]["boxes"].tolist() for _ in range(2)] == [[[0, 0, 15, 10], [1, 1, 3, 3]]] * 2
    assert len(caplog.messages) == 1
    assert "of 6 boxes, 1 clipped to the image, 4 empty ones dropped" in caplog.messages[0]


def test_size_from_the_photo(tmp_path):
    content = changed(("images", 0), {"id": 7, "file_name": "a.png"})
    assert CocoFolder(*write_coco(tmp_path, content))[0][1]["boxes"].canvas_size == (60, 80)
    content = changed(("images", 0, "width"), 10**30)
    assert CocoFolder(*write_coco(tmp_path, content))[0][1]["boxes"].canvas_size == (60, 80)
    assert "81 x 60" in error_of(*write_coco(tmp_path, changed(("images", 0, "width"), 81)))


@pytest.mark.parametrize("name", ["../annotations.json", "/etc/hosts", "..\\a.png", "C:\\b.png", "~/x.png"])
def test_paths_stay_in_the_folder(tmp_path, name):
    assert "leads out of" in error_of(*write_coco(tmp_path, changed(("images", 0, "file_name"), name)))


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("images",), {}, "no list 'images'"),
        (("categories",), [], "its classes are ()"),
        (("categories", 0, "name"), "car", "each name once"),
        (("categories", 0, "name"), "two\nlines", "categories[0] has the name 'two\\nlines', but its classes"),
        (("categories", 0, "id"), 3, "use an id twice"),
        (("images", 0, "id"), 8, "use an id twice"),
        (("images", 0, "id"), 7.5, "images[0] has no 'id'"),
        (("images", 0, "id"), True, "images[0] has no 'id'"),
        (("images", 0, "file_name"), None, "images[0] has no 'file_name'"),
        (("images", 0, "file_name"), "missing.png", "no file 'missing.png'"),
        (("images", 0, "file_name"), "", "no file ''"),
        (("images", 0, "file_name"), "x" * 5000, "no file 'xxx"),
        (("annotations", 0), [], "annotations[0] has no 'image_id'"),
        (("annotations", 0, "image_id"), 99, "unknown image_id 99"),
        (("annotations", 0, "category_id"), 99, "unknown category_id 99"),
        (("annotations", 0, "bbox"), [1, 2, 3], "annotations[0] has the bbox [1, 2, 3]"),
        (("annotations", 0, "bbox"), [1, 2, 3, "four"], "annotations[0] has the bbox"),
        (("annotations", 0, "bbox"), [1, 2, 3, True], "annotations[0] has the bbox"),
        (("annotations", 0, "iscrowd"), "perhaps", "annotations[0] has iscrowd = 'perhaps'; write 0 or 1"),
        (("annotations", 0, "bbox"), [1, 2, 3, 10**400], "annotations[0] has the bbox"),
    ],
)
def test_wrong_content(tmp_path, path, value, words):
    message = error_of(*write_coco(tmp_path, changed(path, value)))
    assert words in message
    assert "annotations.json" in message
    assert len(message) < 1000


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "[" * 200_000, "1" * 10_000, '{"images": "\ud800"}'])
def test_wrong_json(tmp_path, content):
    images, annotations = write_coco(tmp_path)
    annotations.write_bytes(content.encode("utf-8", "surrogatepass"))
    assert "annotations.json" in error_of(images, annotations)


def test_no_images(tmp_path):
    assert "no images" in error_of(*write_coco(tmp_path, {**CONTENT, "images": [], "annotations": []}))


def test_missing_files(tmp_path):
    images, annotations = write_coco(tmp_path)
    assert "no such file" in error_of(images, tmp_path / "missing.json")
    assert "no such folder" in error_of(tmp_path / "missing", annotations)
    assert "annotations" not in error_of(images, images).split(":")[0]  # a folder in place of the file


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
PLACES = [(key,) for key in CONTENT]
PLACES += [(key, 0) for key in CONTENT]
PLACES += [(key, 0, name) for key, entries in CONTENT.items() for name in entries[0]]


@pytest.fixture(scope="module")
def coco(tmp_path_factory):
    return write_coco(tmp_path_factory.mktemp("coco"))


@settings(max_examples=FUZZ_EXAMPLES, deadline=None)
@given(path=st.sampled_from(PLACES), value=ANYTHING)
def test_damage_never_gives_another_error(coco, path, value):
    coco[1].write_text(json.dumps(changed(path, value)), encoding="utf-8")
    try:
        _, target = CocoFolder(*coco)[0]
    except DataError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert target["boxes"].isfinite().all()
