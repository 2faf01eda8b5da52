"""The checks of lesson 00: right answers pass, whatever their style."""

import math

import numpy as np
import pytest
import torch

from rcnn_tutorial.checks import tour


def anchors_by_loop(height, width, stride, shapes):
    return sum(shapes for _ in range(0, height, stride) for _ in range(0, width, stride))


def anchors_by_integers(height, width, stride, shapes):
    return (height + stride - 1) // stride * ((width + stride - 1) // stride) * shapes


def anchors_by_numpy(height, width, stride, shapes):
    return np.prod(np.ceil(np.array([height, width]) / stride)) * shapes


def anchors_by_torch(height, width, stride, shapes):
    return torch.empty(math.ceil(height / stride), math.ceil(width / stride), shapes).numel()


def shapes_by_unpacking(features, rpn_scores, roi_scores):
    _, _, rows, columns = features.shape
    return rpn_scores.shape[1] / rows / columns, roi_scores.shape[-1] - 1


def shapes_by_view(features, rpn_scores, roi_scores):
    cells = rpn_scores.view(len(features), *features.shape[-2:], -1, 2)
    return [cells.shape[3], roi_scores[..., 1:].shape[-1]]


def photo_by_loop(rois, scale, height, width):
    boxes = torch.empty(len(rois), 4)
    for box, roi in zip(boxes, rois, strict=True):
        for side, limit in enumerate((width, height, width, height)):
            box[side] = min(max(roi[side] / scale, 0), limit)
    return boxes


def photo_by_torch(rois, scale, height, width):
    return torch.minimum((rois / scale).clamp(min=0), torch.tensor([width, height, width, height]).float())


def photo_by_numpy(rois, scale, height, width):
    return np.clip(rois.numpy() / scale, 0, [width, height, width, height])


RIGHT = [
    (tour.count_anchors, anchors_by_loop),
    (tour.count_anchors, anchors_by_integers),
    (tour.count_anchors, anchors_by_numpy),
    (tour.count_anchors, anchors_by_torch),
    (tour.read_shapes, shapes_by_unpacking),
    (tour.read_shapes, shapes_by_view),
    (tour.to_photo, photo_by_loop),
    (tour.to_photo, photo_by_torch),
    (tour.to_photo, photo_by_numpy),
]


@pytest.mark.parametrize("check, answer", RIGHT, ids=lambda item: getattr(item, "__name__", None))
def test_right_answers_pass_in_any_style(check, answer):
    verdict = check(answer)
    assert verdict.passed, verdict


def test_changing_the_rois_in_place_is_noticed():
    def in_place(rois, scale, height, width):
        rois /= scale
        rois[:, 0::2].clamp_(0, width)
        rois[:, 1::2].clamp_(0, height)
        return rois

    assert "changes its input" in tour.to_photo(in_place).message


def test_numbers_of_the_notebook():
    assert tour.count_anchors.right(600, 800, 16, 9) == 17_100
    assert tour.count_anchors.right(600, 902, 16, 9) == 19_494


def test_no_roi_of_the_check_has_scale_1():
    assert all(scale != 1 for _, scale, *_ in tour.to_photo.cases())
    undivided = tour.to_photo(lambda rois, scale, height, width: photo_by_torch(rois, 1, height, width))
    assert "never divide" in undivided.message
