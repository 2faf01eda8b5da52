"""The checks of lesson 09: right answers pass, whatever their style."""

import numpy as np
import pytest
import torch

import rcnn_tutorial.checks.three_generations as check
from rcnn_tutorial.figures.three_generations import cut_boxes
from rcnn_tutorial.stages.selective_search import describe


def similarity_in_loops(pixels, boxes, colors, image_pixels):
    color = sum(min(float(a), float(b)) for a, b in zip(*colors, strict=True))
    (x1, y1, x2, y2), other = boxes[0].tolist(), boxes[1].tolist()
    x1, y1, x2, y2 = min(x1, other[0]), min(y1, other[1]), max(x2, other[2]), max(y2, other[3])
    both = float(sum(pixels))
    return [color, 1 - both / image_pixels, 1 - ((x2 - x1) * (y2 - y1) - both) / image_pixels]


def similarity_in_numpy(pixels, boxes, colors, image_pixels):
    boxes, both = boxes.numpy(), pixels.numpy().sum()
    around = (boxes[:, 2:].max(axis=0) - boxes[:, :2].min(axis=0)).prod()
    shares = np.array([both, around - both]) / image_pixels
    return np.array([np.minimum(*colors.numpy()).sum(), *(1 - shares)])


def warp_box_in_loops(boxes, size, context):
    cut = []
    for x1, y1, x2, y2 in boxes.tolist():
        across, down = (side * context / (size - 2 * context) for side in (x2 - x1, y2 - y1))
        cut.append([x1 - across, y1 - down, x2 + across, y2 + down])
    return np.array(cut).reshape(-1, 4)


def seconds_in_numpy(rois, crop, height, width, pixel, tail, search, rpn):
    heads = np.array([rois * crop**2, height * width, height * width]) * pixel
    return heads + np.array([search, search, rpn]) + rois * tail


def bug_hunt_in_numpy(sizes, colors, merges):
    totals = [size * shares for size, shares in zip(sizes.numpy(), colors.numpy(), strict=True)]
    for one, other in merges:
        totals.append(totals[one] + totals[other])
    return [total / total.sum() for total in totals]


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        (check.similarity, similarity_in_loops),
        (check.similarity, similarity_in_numpy),
        (check.warp_box, warp_box_in_loops),
        (check.warp_box, cut_boxes),
        (check.seconds, seconds_in_numpy),
        (check.seconds, lambda *given: list(check.seconds.right(*given))),
        (check.bug_hunt, bug_hunt_in_numpy),
    ],
    ids=lambda value: getattr(value, "__name__", getattr(value, "name", "")),
)
def test_a_right_answer_passes_whatever_its_style(exercise, answer):
    verdict = exercise(answer)
    assert verdict.passed, verdict.message


def test_the_right_similarity_is_the_package_s():
    """Two halves of an image, compared by the package's own rows of regions."""
    labels = np.zeros((40, 60), dtype=int)
    labels[:, 30:], labels[10:20, 30:40] = 1, 0
    pixels = np.random.default_rng(0).random((40, 60, 3))
    known = describe(pixels, labels)
    color, _, size, fill = known.compare(0, [1])[0]
    rows = [torch.from_numpy(np.array(part[:2])) for part in (known.sizes, known.boxes, known.colors)]
    assert check.similarity.right(*rows, 40 * 60) == pytest.approx((color, size, fill))
