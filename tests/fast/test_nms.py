"""Suppression by blocks against torchvision's operator."""

import pytest
import torch
from torchvision.ops import nms

from rcnn_tutorial.fast import nms as fast


def random_boxes(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Boxes (count, 4) crowded enough to suppress each other, and their scores (count,)."""
    corners = 60 * torch.rand(count, 2)
    boxes = torch.cat([corners, corners + 5 + 40 * torch.rand(count, 2)], dim=1)
    return boxes, torch.rand(count)


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.7, 1.0])
@pytest.mark.parametrize("count", [1, 7, 40, 1000])
def test_suppression_by_blocks_keeps_what_torchvision_keeps(count, threshold, monkeypatch):
    torch.manual_seed(count)
    for size, largest_block in ((0, 32), (1, 32), (31, 32), (33, 32), (500, 32), (500, 1024)):
        monkeypatch.setattr(fast, "LARGEST_BLOCK", largest_block)
        boxes, scores = random_boxes(size)
        assert torch.equal(fast.nms(boxes, scores, threshold, count), nms(boxes, scores, threshold)[:count])


def test_suppression_keeps_boxes_that_are_not_numbers():
    boxes, scores = torch.full((6, 4), torch.nan), torch.full((6,), torch.nan)
    assert fast.nms(boxes, scores, 0.7, 1).tolist() == [0]
    assert fast.nms(boxes, scores, 0.7, 6).tolist() == [0, 1, 2, 3, 4, 5]
