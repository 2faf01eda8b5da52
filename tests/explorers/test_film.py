"""The film of a scene: a large frame of now, small ones of earlier steps, boxes where they belong in each."""

import torch

from rcnn_tutorial.explorers.film import FRAMES, GAP, SHOWN, Film
from rcnn_tutorial.figures.training import OTHER_CLASS, RIGHT
from rcnn_tutorial.scene import Boxes, Points

IMAGE = torch.rand(3, 40, 60, generator=torch.Generator().manual_seed(0))
TARGET = {"boxes": torch.tensor([[10.0, 10, 30, 30]]), "labels": torch.tensor([2])}
FOUND = {"boxes": torch.tensor([[10.0, 10, 30, 30]]), "labels": torch.tensor([2]), "scores": torch.tensor([0.9])}
WRONG = FOUND | {"labels": torch.tensor([1])}
STEPS = {10: FOUND, 20: WRONG, 30: None, 40: None}


def shown(now=FOUND):
    film = Film(IMAGE, TARGET, ("circle", "star"))
    return film, film.show(now, 25, STEPS)


def test_four_small_frames_stand_under_one_of_twice_the_size():
    film, _ = shown()
    assert film.size == (4 * 40 + 3 * GAP, 2 * 60 + GAP) and len(film.corners) == FRAMES == len(STEPS)
    sheet = film.picture
    for x, y in film.corners.tolist():
        assert torch.equal(sheet[:, y : y + 40, x : x + 60], IMAGE)
    tags = [layer.labels[0] for layer in film.layers if isinstance(layer, Points)]
    assert tags == ["now: step 25", "step 10", "step 20", "step 30", "step 40"]


def test_boxes_lie_where_they_were_found_in_each_frame():
    film, verdicts = shown()
    assert verdicts == [RIGHT]
    boxes = [layer for layer in film.layers if isinstance(layer, Boxes) and len(layer.boxes)]
    large, right, small, misnamed = boxes[0], boxes[1], boxes[2], boxes[3]
    scale = torch.tensor([(2 * 60 + GAP) / 60, (2 * 40 + GAP) / 40]).repeat(2)
    assert torch.allclose(large.boxes, TARGET["boxes"] * scale) and large.legend == "object"
    assert torch.allclose(right.boxes, FOUND["boxes"] * scale) and list(right.labels) == ["star"]
    for layer, corner, verdict in zip((small, misnamed), film.corners, (RIGHT, OTHER_CLASS), strict=False):
        assert torch.equal(layer.boxes, FOUND["boxes"] + corner.repeat(2))
        assert layer.role.name == verdict and layer.legend == "" and not layer.labels


def test_frames_that_are_not_there_yet_are_covered():
    film, _ = shown()
    covers = [layer.boxes[0].tolist() for layer in film.layers if isinstance(layer, Boxes) and layer.fill]
    assert covers == [[x, y, x + 60, y + 40] for x, y in film.corners[2:].tolist()]


def test_at_most_a_few_detections_are_drawn():
    places = torch.tensor([[5.0 * i, 0, 5.0 * i + 5, 5] for i in range(SHOWN + 3)])
    many = {"boxes": places, "labels": torch.ones(len(places), dtype=torch.int64), "scores": torch.ones(len(places))}
    assert len(shown(many)[1]) == SHOWN
