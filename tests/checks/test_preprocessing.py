"""The checks of lesson 01: right answers pass, whatever their style."""

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional as F

from rcnn_tutorial.checks import preprocessing
from rcnn_tutorial.stages.preprocessing import scale_for


def factor_by_if(height, width, target_size, max_size):
    scale = target_size / min(height, width)
    return max_size / max(height, width) if scale * max(height, width) > max_size else scale


def factor_by_min(height, width, target_size, max_size):
    short, long = sorted((height, width))
    return min(target_size / short, max_size / long)


def factor_by_torch(height, width, target_size, max_size):
    sides = torch.tensor([height, width], dtype=torch.float64).sort().values
    return (torch.tensor([target_size, max_size]) / sides).min()


def normalize_by_loop(image, mean, std):
    result = torch.empty_like(image)
    for channel in range(3):
        result[channel] = (image[channel] - mean[channel]) / std[channel]
    return result


def normalize_by_torchvision(image, mean, std):
    return F.normalize(image, mean, std)


def normalize_by_numpy(image, mean, std):
    return ((image.numpy().transpose(1, 2, 0) - mean) / std).transpose(2, 0, 1)


def boxes_by_loop(boxes, height, width):
    scale = factor_by_if(height, width, 600, 1000)
    return torch.tensor([[scale * side for side in box] for box in boxes.tolist()]).reshape(-1, 4)


def boxes_by_product(boxes, height, width):
    return scale_for(height, width) * boxes


def boxes_by_numpy(boxes, height, width):
    return boxes.numpy() * np.full(4, factor_by_min(height, width, 600, 1000))


RIGHT = [
    (preprocessing.scale_factor, factor_by_if),
    (preprocessing.scale_factor, factor_by_min),
    (preprocessing.scale_factor, factor_by_torch),
    (preprocessing.normalize, normalize_by_loop),
    (preprocessing.normalize, normalize_by_torchvision),
    (preprocessing.normalize, normalize_by_numpy),
    (preprocessing.scale_boxes, boxes_by_loop),
    (preprocessing.scale_boxes, boxes_by_product),
    (preprocessing.scale_boxes, boxes_by_numpy),
]


@pytest.mark.parametrize("check, answer", RIGHT, ids=lambda item: getattr(item, "__name__", None))
def test_right_answers_pass_in_any_style(check, answer):
    verdict = check(answer)
    assert verdict.passed, verdict


def test_subtracting_in_place_is_noticed():
    def in_place(image, mean, std):
        image -= torch.tensor(mean)[:, None, None]
        image /= torch.tensor(std)[:, None, None]
        return image

    assert "changes its input" in preprocessing.normalize(in_place).message
