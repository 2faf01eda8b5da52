"""The confusion matrix as an explorer: numbers, cells by click and by list, the boxes behind a number."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from rcnn_tutorial.data import ToyScenes
from rcnn_tutorial.evaluation.confusion import confusion_matrix
from rcnn_tutorial.explorers.confusion import confusion
from rcnn_tutorial.explorers.errors import ConfusionExplorer
from rcnn_tutorial.explorers.precision_recall import FEW, photos_of
from rcnn_tutorial.figures.errors import Grid
from rcnn_tutorial.scene import Boxes, Words, to_uint8

IMAGES = [torch.rand(3, 100, 160, generator=torch.Generator().manual_seed(seed)) for seed in range(2)]
CLASSES = ("cup", "dog", "bus")


def image_of(boxes, labels, scores=None):
    image = {"boxes": torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)}
    image["labels"] = torch.tensor(labels, dtype=torch.long)
    return image if scores is None else image | {"scores": torch.tensor(scores)}


# Cups: one right, two called dog (in both photos), one not found. A dog that is right. A bus where nothing is, and a
# second cup on the first.
TARGETS = [
    image_of([[0, 0, 20, 20], [40, 0, 60, 20], [80, 0, 100, 20]], [1, 1, 2]),
    image_of([[0, 0, 20, 20], [120, 60, 150, 90]], [1, 1]),
]
FOUND = [
    image_of(
        [[0, 0, 20, 20], [40, 0, 60, 20], [80, 0, 100, 20], [0, 0, 20, 19], [0, 60, 20, 90]],
        [1, 2, 2, 1, 3],
        [0.9, 0.6, 0.8, 0.7, 0.75],
    ),
    image_of([[0, 0, 20, 18]], [2], [0.95]),
]


@pytest.fixture
def explorer():
    return ConfusionExplorer(IMAGES, FOUND, TARGETS, CLASSES)


def photo_layers(explorer):
    return {layer.legend: layer for layer in explorer.canvases[1].layers}


def test_the_numbers_are_those_of_the_evaluation(explorer):
    for threshold, iou in ((0.5, 0.5), (0.0, 0.5), (0.72, 0.5), (0.5, 0.92), (1.0, 0.5)):
        explorer.set(threshold=threshold, iou=min(iou, 0.95))
        counts = confusion_matrix(FOUND, TARGETS, CLASSES, threshold, explorer.iou.value).counts
        assert torch.equal(explorer.confusion.counts, counts)
        words = [word for layer in explorer.canvas.layers if isinstance(layer, Words) for word in layer.words]
        numbers = sorted(int(word) for word in words if word.isdigit())
        assert numbers == sorted(counts[counts > 0].tolist())


def test_it_starts_at_the_largest_confusion_and_pages_through_its_members_best_first(explorer):
    assert (explorer.truth.value, explorer.said.value) == (1, 2)
    assert explorer.summary == (
        "cup, said dog: 2 of 4 cup objects. 2 of 5 objects called by their name, 4 detections wrong. "
        "Member 1: photo 2, said dog 0.95, IoU 0.90."
    )
    assert explorer.canvases[1].picture.equal(IMAGES[1])
    explorer.member.value = 2
    assert explorer.summary.endswith("Member 2: photo 1, said dog 0.60, IoU 1.00.")
    layers = photo_layers(explorer)
    assert layers["truth"].boxes.tolist() == [[40, 0, 60, 20]] and layers["truth"].labels == ["cup"]
    assert layers["said, wrong"].labels == ["dog 0.60"] and len(layers["other objects"].boxes) == 2
    explorer.threshold.value = 0.9  # one member is left
    assert explorer.member.value == 1 and explorer.member.disabled
    assert "Member 1: photo 2" in explorer.summary


def test_a_click_on_a_cell_takes_it_in_hand(explorer):
    grid = Grid(CLASSES)
    for row, column in ((0, 3), (1, 0), (2, 2), (3, 3), (0, 0)):
        x1, y1, x2, y2 = grid.box(row, column)
        explorer.canvas.clicked = [(x1 + x2) / 2, (y1 + y2) / 2]
        assert (explorer.truth.value, explorer.said.value) == (row, column)
        marks = [layer for layer in explorer.canvas.layers if layer.legend == "cell in hand"]
        assert marks[0].boxes == [grid.box(row, column)]
    explorer.canvas.clicked = [1.0, 1.0]  # beside the cells: nothing changes
    assert (explorer.truth.value, explorer.said.value) == (0, 0)


def test_every_kind_of_cell_says_what_it_counts(explorer):
    said = {
        (0, 3): "background, said bus: 1 of 2 detections of no object, or of one already taken.",
        (0, 1): "Member 1: photo 1, said cup 0.70, best IoU 0.95, with cup, which another has taken.",
        (1, 0): "Member 1: photo 2, no detection from the threshold on takes it.",
        (2, 2): "dog, said dog: 1 of 1 dog objects.",
        (3, 3): "bus, said bus: 0 of 0 bus objects.",
        (0, 0): "Nothing there and nothing said: not counted.",
    }
    for (row, column), words in said.items():
        explorer.set(truth=row, said=column)
        assert words in explorer.summary
    explorer.set(truth=2, said=2)
    assert photo_layers(explorer)["said, right"].labels == ["dog 0.80"]


def test_hover_texts_name_the_cell(explorer):
    (cells,) = (layer for layer in explorer.canvas.layers if isinstance(layer, Boxes) and layer.hover)
    texts = [cells.hover_text(index) for index in range(16)]
    assert texts[3] == "background, said bus: 1" and texts[4] == "cup, not found: 1" and texts[6] == "cup, said dog: 2"


def test_buttons_ask_for_the_largest_numbers(explorer):
    cells = {name: (values["truth"], values["said"]) for name, values in explorer.presets.items()}
    assert cells == {"Confused": (1, 2), "Not found": (1, 0), "False alarms": (0, 1)}
    for name, cell in cells.items():
        explorer.press(name)
        assert (explorer.truth.value, explorer.said.value) == cell


@pytest.mark.parametrize("count", [1, 20])
@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("said", [True, False])
def test_nothing_to_count(count, there, said):
    nothing = image_of([], [], [])
    target = image_of([[0, 0, 20, 20]], [1]) if there else image_of([], [])
    found = image_of([[0, 0, 20, 20], [5, 5, 5, 5]], [1, 1], [0.9, 0.8]) if said else nothing
    explorer = ConfusionExplorer(IMAGES[0], found, target, [f"class {i}" for i in range(count)])
    assert f"{int(there and said)} of {int(there)} objects called by their name" in explorer.summary
    for row in (0, count):
        for column in (0, count):
            explorer.set(truth=row, said=column)
            assert "nan" not in explorer.summary
    explorer.figure()


def test_three_hundred_boxes_of_eighty_classes():
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand(300, 2, generator=generator) * 60
    boxes, labels = torch.cat([corners, corners + 30], dim=1), torch.arange(300) % 80 + 1
    found = {"boxes": boxes, "labels": labels, "scores": torch.rand(300, generator=generator)}
    explorer = ConfusionExplorer(IMAGES[0], found, {"boxes": boxes, "labels": labels}, ["a"] * 80, 0.0)
    assert explorer.summary.startswith("a, said a: 4 of 4 a objects. 300 of 300 objects called by their name")
    assert int(explorer.confusion.counts[1:].sum()) == 300


def test_the_matrix_from_overlaps_alone_is_the_evaluation_s_and_leaves_what_is_difficult():
    generator = torch.Generator().manual_seed(0)
    for count in (0, 1, 12):
        corners = torch.randint(0, 40, (count + 40, 2), generator=generator).float()
        boxes = torch.cat([corners, corners + torch.randint(20, 40, (count + 40, 2), generator=generator)], dim=1)
        labels = torch.randint(1, 4, (count + 40,), generator=generator)
        difficult = torch.rand(count, generator=generator) < 0.3
        target = {"boxes": boxes[:count], "labels": labels[:count], "difficult": difficult}
        found = {"boxes": boxes[count:], "labels": labels[count:], "scores": torch.linspace(0.9, 0.1, 40)}
        explorer = ConfusionExplorer([IMAGES[0]] * 2, [found] * 2, [target] * 2, CLASSES)
        counts = explorer.confusion.counts
        explorer.use(confusion=confusion)
        assert torch.equal(explorer.confusion.counts, counts) and explorer.iou.disabled
        assert explorer.summary.startswith("With your confusion, which agrees with the package's. ")


@pytest.mark.parametrize("count, kind, furthest, most", [(FEW, "PNG", 0, 60_000), (FEW + 1, "WEBP", 12, 3_000)])
def test_a_page_gets_many_photos_smaller_and_still_like_themselves(count, kind, furthest, most):
    image = ToyScenes("val", 1)[0][0]
    photos = photos_of([image] * count)
    opened = Image.open(io.BytesIO(photos[-1]["image"]))
    away = np.abs(np.asarray(opened.convert("RGB")).astype(float) - to_uint8(image))  # of 255
    assert opened.format == kind and opened.size == (128, 128) and tuple(photos[-1]["size"]) == (128, 128)
    assert away.mean() <= furthest and len(photos[-1]["image"]) < most
