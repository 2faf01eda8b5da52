"""The numbers of lesson 05's exercises on paper, and of its question on your data, computed by the package."""

import pytest
import torch
from torch import Tensor

from rcnn_tutorial.checks.crop_pooling import bilinear
from rcnn_tutorial.config import CropPoolingConfig
from rcnn_tutorial.course.files import PAPER, course_folder
from rcnn_tutorial.figures.crop_pooling import sample_positions
from rcnn_tutorial.stages.crop_pooling import crop_pool, crop_theta

STRIDE = 16
MAP = (13, 21)  # rows and columns
ROI = torch.tensor([40.0, 48, 200, 120])
SQUARE = torch.tensor([44.0, 44, 140, 140])
ANSWERS = (course_folder() / PAPER / "05_crop_pooling.md").read_text(encoding="utf-8").partition("## Answers")[2]


def says(*texts) -> bool:
    """Whether the answers hold all the texts, wherever their lines end."""
    answers = " ".join(ANSWERS.split())
    return all(text in answers for text in texts)


def samples(size: int) -> Tensor:
    """Where the crop of ROI is read: (size, size, 2) cells."""
    return sample_positions(crop_theta(ROI[None], STRIDE, MAP), size, MAP)[0]


def row_of_crop(method: str, roi: Tensor = SQUARE) -> Tensor:
    """A row of three on a ramp: (3,)."""
    ramp = torch.arange(21.0).expand(1, 1, 21, 21)
    return crop_pool(ramp, roi[None, None], STRIDE, CropPoolingConfig(method=method, size=3))[0, 0, 1]


def numbers(values: Tensor) -> str:
    """As the page lists them."""
    return ", ".join(f"{value:.4g}" for value in values.tolist())


def test_where_the_samples_lie():
    assert says("(2.5, 3) and (12.5, 7.5)") and (ROI / STRIDE).tolist() == [2.5, 3, 12.5, 7.5]
    points = samples(5)
    assert says(numbers(points[0, :, 0]), numbers(points[:, 0, 1]), numbers(samples(9)[0, 1::2, 0]))
    assert torch.allclose(samples(9)[::2, ::2], points, atol=1e-5)


def test_between_the_cells():
    cells = torch.tensor([[4.0, 8], [6, 12]])
    value, moved, a_pixel = (float(bilinear.right(cells, 0.25 + shift, 0.5)) for shift in (0, 0.1, 1 / 16))
    assert [value, moved - value, a_pixel - value] == pytest.approx([6.25, 0.5, 0.3125], abs=1e-5)
    assert says("= 6.25", "so 0.5 for 0.1 cells", "= 0.3125")


def test_theta_there_and_back():
    theta = crop_theta(ROI, STRIDE, MAP)
    assert torch.allclose(theta, torch.tensor([[0.5, 0, -0.25], [0, 0.375, -0.125]]))
    assert (theta @ torch.tensor([1.0, -1, 1])).tolist() == [0.25, -0.5] and samples(5)[0, -1].tolist() == [12.5, 3]
    back = crop_theta(torch.tensor([200.0, 48, 280, 144]), STRIDE, MAP)
    assert back.tolist() == [[0.25, 0, 0.5], [0, 0.5, 0]]
    assert says("= 0.5,", "= -0.25", "= 0.375", "= -0.125", "pixels (200, 48) to (280, 144)")


def test_three_methods():
    read = {method: numbers(row_of_crop(method)) for method in ("crop", "align", "pool")}
    assert read == {"crop": "2.75, 5.75, 8.75", "align": "3.75, 5.75, 7.75", "pool": "5, 7, 9"}
    assert says(*read.values())


def test_the_gradient():
    roi = SQUARE.clone().requires_grad_()
    (row_of_crop("crop", roi) * torch.tensor([1.0, 0, -2])).sum().backward()
    assert roi.grad[[0, 2]].tolist() == pytest.approx([0.0625, -0.125]) and says("= 0.0625", "= -0.125")
    assert CropPoolingConfig().detach_rois


@pytest.mark.parametrize(("corner", "columns", "rows"), [((160, 160), 3, 2), ((171, 167), 4, 3)])
def test_the_cars_of_your_data(corner, columns, rows):
    """A ROI of 24 × 12 pixels: the lesson's folded answer says at most 4 · 3 cells, and no more with K = 14."""
    car = torch.tensor([[[corner[0], corner[1], corner[0] + 24, corner[1] + 12]]], dtype=torch.float32)
    for size in (7, 14):
        features = torch.zeros(1, 1, 38, 50, requires_grad=True)
        crop_pool(features, car, STRIDE, CropPoolingConfig(size=size)).sum().backward()
        seen = features.grad[0, 0] > 1e-4
        assert [int(seen.any(0).sum()), int(seen.any(1).sum())] == [columns, rows]
