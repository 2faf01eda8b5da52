"""The checks of lesson 02: right answers pass, whatever their style."""

import numpy as np
import pytest
import torch

import rcnn_tutorial.checks.anchors as check


def sizes_by_loop(base_size, scales, ratios):
    sizes = []
    for ratio in ratios:
        width = int(np.rint((base_size * base_size / ratio) ** 0.5))
        height = int(np.rint(width * ratio))
        for scale in scales:
            sizes.append([width * scale, height * scale])
    return sizes


def sizes_by_numpy(base_size, scales, ratios):
    width = np.round(np.sqrt(base_size**2 / np.array(ratios)))
    small = np.stack([width, np.round(width * np.array(ratios))], axis=1)  # (R, 2)
    return (small[:, None] * np.array(scales)[None, :, None]).reshape(-1, 2)


def grid_by_loop(rows, columns, stride, shapes):
    anchors = []
    for row in range(rows):
        for column in range(columns):
            for x1, y1, x2, y2 in shapes.tolist():
                x, y = column * stride, row * stride
                anchors.append((x1 + x, y1 + y, x2 + x, y2 + y))
    return anchors


def grid_by_numpy(rows, columns, stride, shapes):
    y, x = np.divmod(np.arange(rows * columns), columns)
    shifts = np.stack([x, y, x, y], axis=1) * stride  # (rows * columns, 4)
    return (shifts[:, None] + shapes.numpy()).reshape(-1, 4)


def iou_by_loop(a, b):
    table = torch.zeros(len(a), len(b))
    for i, (ax1, ay1, ax2, ay2) in enumerate(a.tolist()):
        for j, (bx1, by1, bx2, by2) in enumerate(b.tolist()):
            shared = max(0, min(ax2, bx2) - max(ax1, bx1)) * max(0, min(ay2, by2) - max(ay1, by1))
            table[i, j] = shared / ((ax2 - ax1) * (ay2 - ay1) + (bx2 - bx1) * (by2 - by1) - shared)
    return table


def iou_by_numpy(a, b):
    a, b = a.numpy()[:, None], b.numpy()[None]
    sides = np.clip(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0, None)
    areas = [(boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1]) for boxes in (a, b)]
    return sides.prod(-1) / (areas[0] + areas[1] - sides.prod(-1))


@pytest.mark.parametrize(
    ("one", "answer"),
    [
        (check.anchor_sizes, sizes_by_loop),
        (check.anchor_sizes, sizes_by_numpy),
        (check.anchor_grid, grid_by_loop),
        (check.anchor_grid, grid_by_numpy),
        (check.iou, iou_by_loop),
        (check.iou, iou_by_numpy),
    ],
)
def test_right_answers_in_different_styles_pass(one, answer):
    assert one(answer).passed, one(answer)
