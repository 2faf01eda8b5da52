"""A mistake as a scene and as a sentence."""

import pytest
import torch
from detection_sets import image

from rcnn_tutorial.evaluation import KINDS, find_errors, worst_cases
from rcnn_tutorial.figures.drawing import bare_figure_of
from rcnn_tutorial.figures.error_cases import MEANING, case_scene, case_sentence

CLASSES = ("cat", "dog")
THERE = [0, 0, 10, 10]
WRONG = {  # the detections of one image, whose last one is wrong in this way, and what is said of it
    "class": ([[0, 0, 10, 9]], [2], "Photo 7: cat is called dog, with a score of 0.50 (IoU 0.90)."),
    "location": (
        [[0, 0, 10, 4]],
        [1],
        "Photo 7: cat, with a score of 0.50, but the box overlaps the object by an IoU of 0.40 only.",
    ),
    "both": (
        [[0, 0, 10, 4]],
        [2],
        "Photo 7: cat is called dog, with a score of 0.50, and the box overlaps it by an IoU of 0.40 only.",
    ),
    "duplicate": (
        [THERE, [0, 0, 10, 9]],
        [1, 1],
        "Photo 7: cat, with a score of 0.50; another detection has found this object before (IoU 0.90).",
    ),
    "background": (
        [[0, 0, 10, 1]],
        [2],
        "Photo 7: dog, with a score of 0.50, where nothing is marked (best IoU with an object: 0.10).",
    ),
    "missed": ([], [], "Photo 7: cat, 10 x 10 pixels, is missed."),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_case_in_words_and_in_a_picture(kind):
    boxes, labels, sentence = WRONG[kind]
    found, target = image(boxes, labels, scores=[0.75, 0.5][2 - len(boxes) :]), image([THERE], [1])
    (case,) = worst_cases(find_errors([found], [target]), [found], [target])[kind]
    assert case_sentence(case, found, target, CLASSES, "Photo 7") == sentence

    scene = case_scene(torch.zeros(3, 20, 20), case, found, target, CLASSES)
    shown = {layer.labels[0]: layer.boxes.flatten().tolist() for layer in scene.layers}
    expected = {} if kind == "background" else {"cat": THERE}
    if kind != "missed":
        expected |= {f"{CLASSES[labels[-1] - 1]} 0.50": boxes[-1]}
    assert shown == expected
    (axes,) = bare_figure_of(scene, 2.0).axes
    assert [text.get_text() for text in axes.texts] == list(reversed(shown))


def test_every_kind_has_a_meaning():
    assert tuple(MEANING) == KINDS


def test_on_a_photo_without_objects():
    found, target = image([THERE], [1], scores=[0.5]), image([], [])
    (case,) = worst_cases(find_errors([found], [target]), [found], [target])["background"]
    assert case_sentence(case, found, target, CLASSES, "P").endswith("(best IoU with an object: 0.00).")
