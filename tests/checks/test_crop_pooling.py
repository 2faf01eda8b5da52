"""The checks of lesson 05: right answers pass, whatever their style."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import rcnn_tutorial.checks.crop_pooling as check

CHECKS = {name: getattr(check, name) for name in check.__all__}


def theta_by_center(roi, stride, rows, columns):
    x1, y1, x2, y2 = [float(side) / stride for side in roi]

    def normalized(value, cells):
        return 2 * value / (cells - 1) - 1

    scale_x = (normalized(x2, columns) - normalized(x1, columns)) / 2
    scale_y = (normalized(y2, rows) - normalized(y1, rows)) / 2
    return [[scale_x, 0, normalized((x1 + x2) / 2, columns)], [0, scale_y, normalized((y1 + y2) / 2, rows)]]


def theta_by_numpy(roi, stride, rows, columns):
    extent = np.array([columns - 1, rows - 1])
    low, high = roi.numpy()[:2] / stride, roi.numpy()[2:] / stride
    return np.concatenate([np.diag((high - low) / extent), ((low + high - extent) / extent)[:, None]], axis=1)


def theta_by_solving(roi, stride, rows, columns):
    """From three corners, as cv2.getAffineTransform does it."""
    x1, y1, x2, y2 = (roi / stride).double().tolist()
    extent = torch.tensor([columns - 1, rows - 1], dtype=torch.float64)
    target = torch.tensor([[x1, y1], [x2, y1], [x1, y2]], dtype=torch.float64) / extent * 2 - 1
    source = torch.tensor([[-1.0, -1, 1], [1, -1, 1], [-1, 1, 1]], dtype=torch.float64)
    return torch.linalg.solve(source, target).T


def bilinear_by_loop(cells, x, y):
    total = 0.0
    for row in range(cells.shape[0]):
        for column in range(cells.shape[1]):
            total += float(cells[row, column]) * max(0, 1 - abs(x - column)) * max(0, 1 - abs(y - row))
    return total


def bilinear_by_hats(cells, x, y):
    across = (1 - (torch.arange(cells.shape[1]) - x).abs()).clamp(min=0)
    down = (1 - (torch.arange(cells.shape[0]) - y).abs()).clamp(min=0)
    return down @ cells @ across


def bilinear_by_padding(cells, x, y):
    padded = np.pad(cells.numpy(), 1)
    column, row = math.floor(x), math.floor(y)
    fx, fy = x - column, y - row
    upper = (1 - fx) * padded[row + 1, column + 1] + fx * padded[row + 1, column + 2]
    lower = (1 - fx) * padded[row + 2, column + 1] + fx * padded[row + 2, column + 2]
    return (1 - fy) * upper + fy * lower


def grid_by_loop(roi, size, stride):
    x1, y1, x2, y2 = [side / stride for side in roi.tolist()]
    steps = [k / (size - 1) for k in range(size)]
    return [[(x1 + (x2 - x1) * i, y1 + (y2 - y1) * j) for i in steps] for j in steps]


def grid_by_numpy(roi, size, stride):
    x1, y1, x2, y2 = roi.numpy() / stride
    return np.stack(np.meshgrid(np.linspace(x1, x2, size), np.linspace(y1, y2, size)), axis=-1)


def grid_by_affine_grid(roi, size, stride):
    unit = F.affine_grid(torch.eye(2, 3)[None], (1, 1, size, size), align_corners=True)[0]
    center, half = (roi[:2] + roi[2:]) / 2, (roi[2:] - roi[:2]) / 2
    return (center + unit * half) / stride


RIGHT = [
    ("theta", theta_by_center),
    ("theta", theta_by_numpy),
    ("theta", theta_by_solving),
    ("bilinear", bilinear_by_loop),
    ("bilinear", bilinear_by_hats),
    ("bilinear", bilinear_by_padding),
    ("crop_grid", grid_by_loop),
    ("crop_grid", grid_by_numpy),
    ("crop_grid", grid_by_affine_grid),
]


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_right_answers_pass(name, answer):
    verdict = CHECKS[name](answer)
    assert verdict.passed, verdict.message


def test_an_answer_that_changes_its_input_is_told_so():
    def in_place(roi, size, stride):
        roi /= stride
        return grid_by_loop(roi, size, 1)

    assert "changes its input" in check.crop_grid(in_place).message
