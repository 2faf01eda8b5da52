"""The explorer of kinds: what is drawn is what `find_errors` says; every kind, thresholds, nothing to show."""

import pytest
import torch

from rcnn_tutorial.boxes import box_iou
from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.evaluation.errors import KINDS, find_errors
from rcnn_tutorial.explorers.errors import ALL, LOOKS, WORDS, ErrorExplorer, error_kinds

IMAGE = torch.rand(3, 100, 160, generator=torch.Generator().manual_seed(0))
CLASSES = ("cup", "dog")


def image_of(boxes, labels, scores=None, difficult=None):
    image = {"boxes": torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)}
    image["labels"] = torch.tensor(labels, dtype=torch.long)
    if scores is not None:
        image["scores"] = torch.tensor(scores)
    if difficult is not None:
        image["difficult"] = torch.tensor(difficult)
    return image


# Two cups, a dog, another dog that nobody finds, and a difficult cup. One detection of every kind, in this order:
# right, duplicate, class (the dog as a cup), location (the second cup), both, background, on the difficult cup.
TARGET = image_of(
    [[0, 0, 20, 20], [40, 0, 60, 20], [0, 40, 20, 60], [80, 40, 100, 60], [130, 0, 150, 20]],
    [1, 1, 2, 2, 1],
    difficult=[False, False, False, False, True],
)
FOUND = image_of(
    [
        [0, 0, 20, 20],
        [0, 0, 20, 19],
        [0, 40, 20, 60],
        [40, 0, 50, 16],
        [80, 40, 90, 56],
        [130, 80, 150, 100],
        [130, 0, 150, 20],
    ],
    [1, 1, 1, 1, 1, 1, 1],
    [0.9, 0.8, 0.7, 0.6, 0.5, 0.45, 0.4],
)
ORDER = ("right", "duplicate", "class", "location", "both", "background", "on a difficult object")


@pytest.fixture
def explorer():
    return ErrorExplorer(IMAGE, FOUND, TARGET, CLASSES)


def drawn(explorer):
    return {layer.legend: layer for layer in explorer.canvas.layers}


def test_every_kind_has_its_look_and_its_count(explorer):
    assert explorer.summary == (
        "7 detections from score 0.30: 1 right, 1 class, 1 location, 1 both, 1 duplicate, 1 background, "
        "1 on a difficult object. 4 objects: 1 missed."
    )
    layers = drawn(explorer)
    for i, name in enumerate(ORDER):
        assert layers[name].boxes.tolist() == [FOUND["boxes"][i].tolist()]
    assert layers["missed"].boxes.tolist() == [TARGET["boxes"][3].tolist()]
    assert len(layers["object"].boxes) == 3 and len(layers["difficult object"].boxes) == 1
    looks = [(layer.role.color, layer.role.dash) for layer in layers.values()]
    assert len(set(looks)) == len(looks)


def test_labels_say_the_kind_and_hover_texts_which_object(explorer):
    layers = drawn(explorer)
    assert layers["class"].labels == ["class: cup 0.70"] and layers["right"].labels == ["cup 0.90"]
    assert layers["class"].hover_text(0) == "cup 0.70: class, IoU 1.00 with object 3, dog"
    assert layers["location"].hover_text(0) == "cup 0.60: location, IoU 0.40 with object 2, cup"
    assert layers["background"].hover_text(0) == "cup 0.45: background, IoU no more than 0.00 with object 1, cup"
    assert layers["missed"].labels == ["missed dog"]
    assert layers["missed"].hover_text(0) == "object 4, dog: missed"


def test_the_score_threshold_turns_found_objects_into_missed_ones(explorer):
    explorer.threshold.value = 0.85
    assert explorer.summary.startswith("1 detection from score 0.85: 1 right, 0 class")
    assert explorer.summary.endswith("4 objects: 3 missed.")
    explorer.threshold.value = 1.0
    assert explorer.summary.startswith("0 detections from score 1.00: 0 right")
    assert explorer.summary.endswith("4 objects: 4 missed.")


def test_both_iou_thresholds_are_those_of_find_errors(explorer):
    for foreground, background in ((0.3, 0.1), (0.95, 0.1), (0.5, 0.45), (0.5, 0.0)):
        explorer.set(foreground=foreground, background=background)
        kinds = find_errors([FOUND], [TARGET], foreground, background).kinds[0]
        for kind, role in LOOKS.items():
            layer = drawn(explorer).get(role.name)
            assert (0 if layer is None else len(layer.boxes)) == int((kinds == kind).sum())
    explorer.set(foreground=0.3, background=0.6)
    assert explorer.summary == (
        "Not possible: Right above IoU = 0.3, Background up to IoU = 0.6: use 0 <= Background up to IoU < "
        "Right above IoU < 1."
    )


def test_one_kind_alone_leaves_the_counts(explorer):
    whole = explorer.summary
    for kind in KINDS:
        explorer.kind.value = kind
        assert explorer.summary == whole
        shown = {name for name, layer in drawn(explorer).items() if len(layer.boxes) and name in KINDS}
        assert shown == {kind}
    explorer.kind.value = ALL


def test_a_button_a_kind_goes_to_the_photo_that_has_most_of_it():
    empty = image_of([], [], [])
    explorer = ErrorExplorer(
        [IMAGE] * 3, [empty, FOUND, empty], [image_of([[0, 0, 9, 9]], [1]), TARGET, TARGET], CLASSES
    )
    places = {name: values.get("photo") for name, values in explorer.presets.items()}
    kinds = dict.fromkeys(("Class", "Location", "Both", "Duplicate", "Background"), 2)
    assert places == kinds | {"Missed": 3, "IoU 0.75": None}
    for name, photo in kinds.items():
        explorer.press(name)
        assert explorer.photo.value == photo and explorer.summary.startswith("Photo 2: 7 detections")
    explorer.press("Missed")
    assert explorer.summary.startswith("Photo 3: 0 detections") and explorer.summary.endswith("4 objects: 4 missed.")


@pytest.mark.parametrize(
    ("found", "target", "said"),
    [
        (image_of([], [], []), TARGET, "4 objects: 4 missed."),
        (FOUND, image_of([], []), "7 detections from score 0.30: 0 right, 0 class, 0 location, 0 both, 0 duplicate, 7"),
        (image_of([], [], []), image_of([], []), "0 objects: 0 missed."),
        (image_of([[5, 5, 5, 5]], [1], [0.9]), image_of([[5, 5, 5, 5]], [1]), "1 object: 1 missed."),
    ],
)
def test_nothing_to_show_gives_true_numbers(found, target, said):
    explorer = ErrorExplorer(IMAGE, found, target, CLASSES)
    assert said in explorer.summary
    for layer in explorer.canvas.layers:
        assert "nan" not in " ".join(layer.hover_text(i) for i in range(len(layer.boxes)))
    explorer.figure()


def test_three_hundred_boxes():
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand(300, 2, generator=generator) * 60
    boxes = torch.cat([corners, corners + 30], dim=1)
    many = {"boxes": boxes, "labels": torch.ones(300, dtype=torch.long), "scores": torch.rand(300, generator=generator)}
    explorer = ErrorExplorer(IMAGE, many, {"boxes": boxes, "labels": torch.ones(300, dtype=torch.long)}, ("cup",), 0.0)
    assert explorer.summary.startswith("300 detections from score 0.00: 300 right, 0 class")


def test_a_label_without_a_name_is_refused():
    with pytest.raises(ConfigError, match="label 2: there are 1 classes; labels are 1 to 1"):
        ErrorExplorer(IMAGE, FOUND, TARGET, ("cup",))


def test_the_kinds_from_overlaps_alone_are_those_of_the_evaluation():
    generator = torch.Generator().manual_seed(0)
    for count in (0, 1, 6):
        corners = torch.randint(0, 40, (count + 40, 2), generator=generator).float()
        boxes = torch.cat([corners, corners + torch.randint(10, 40, (count + 40, 2), generator=generator)], dim=1)
        labels = torch.randint(1, 4, (count + 40,), generator=generator)
        target = {"boxes": boxes[:count], "labels": labels[:count]}
        scores = torch.linspace(0.9, 0.1, 40)
        found = {"boxes": boxes[count:], "labels": labels[count:], "scores": scores}
        kinds = error_kinds(box_iou(found["boxes"], target["boxes"]), found["labels"], target["labels"])
        assert [WORDS[kind] for kind in kinds] == find_errors([found], [target]).kinds[0].tolist()
