"""The recall of the proposals."""

import math

import pytest
import torch
from detection_sets import image

from rcnn_tutorial.evaluation import (
    proposal_recall,
)


def test_proposal_recall_counts_the_first_proposals():
    targets = [image([[0, 0, 10, 10], [20, 20, 30, 30]], [1, 1]), image([], []), image([[0, 0, 8, 8]], [1])]
    proposals = [
        torch.tensor([[0.0, 0, 10, 5], [20, 20, 30, 29]]),
        torch.tensor([[0.0, 0, 1, 1]]),
        torch.zeros(0, 4),
    ]
    assert proposal_recall(proposals, targets, (1, 2, 50)) == {
        1: pytest.approx(1 / 3),
        2: pytest.approx(2 / 3),
        50: pytest.approx(2 / 3),
    }
    assert math.isnan(proposal_recall([torch.zeros(0, 4)], [image([], [])], (50,))[50])
