"""The order in which the network's channels become anchors."""

from pathlib import Path

import numpy as np
import pytest
import torch

from rcnn_tutorial.config import RPNConfig
from rcnn_tutorial.stages.rpn import RegionProposalNetwork, RPNOutputs, flatten_coefficients, flatten_scores

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "05_proposal_layer.npz")


@pytest.mark.parametrize("case", ["train_defaults", "test_defaults", "small_topn", "odd"])
def test_foreground_probabilities_of_the_reference(case):
    scores = flatten_scores(torch.tensor(GOLDEN[f"{case}__rpn_cls_score"]))  # (1, N, 2)
    expected = torch.tensor(GOLDEN[f"{case}__fg_prob_flat"])
    torch.testing.assert_close(RPNOutputs(scores, None).foreground[0], expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(scores.softmax(dim=-1)[0, :, 1], expected, rtol=0, atol=1e-6)


def test_rows_are_in_the_anchors_order():
    anchors_per_cell, height, width = 3, 2, 4
    y, x, a = torch.meshgrid(torch.arange(height), torch.arange(width), torch.arange(anchors_per_cell), indexing="ij")
    place = (y * 100 + x * 10 + a).flatten().float()  # (N,) the number that tells where a row comes from
    grid = place.reshape(height, width, anchors_per_cell).permute(2, 0, 1)  # (A, H, W)
    scores = flatten_scores(torch.cat([grid, -grid])[None])  # all background channels, then all foreground
    assert torch.equal(scores[0], torch.stack([place, -place], dim=1))
    side_by_side = torch.stack([grid, grid + 0.1, grid + 0.2, grid + 0.3], dim=1).flatten(0, 1)  # (4A, H, W)
    coefficients = flatten_coefficients(side_by_side[None])
    assert torch.equal(coefficients[0], place[:, None] + torch.tensor([0.0, 0.1, 0.2, 0.3]))


def test_outputs_fit_the_grid():
    rpn = RegionProposalNetwork(8, 9, RPNConfig(channels=16))
    outputs = rpn(torch.rand(2, 8, 3, 5))
    assert outputs.scores.shape == (2, 3 * 5 * 9, 2) and outputs.coefficients.shape == (2, 3 * 5 * 9, 4)
    assert outputs.foreground.shape == (2, 3 * 5 * 9)


def test_layers_start_as_the_reference_s():
    torch.manual_seed(0)
    rpn = RegionProposalNetwork(64, 9, RPNConfig(channels=64))
    for layer in (rpn.rpn_net, rpn.scores, rpn.coefficients):
        assert layer.weight.std().item() == pytest.approx(0.01, rel=0.1)
        assert not layer.bias.any()


def test_outputs_are_float32_under_autocast():
    rpn = RegionProposalNetwork(8, 9, RPNConfig(channels=16))
    with torch.autocast("cpu", torch.bfloat16):
        outputs = rpn(torch.rand(1, 8, 3, 5))
    assert outputs.scores.dtype == outputs.coefficients.dtype == torch.float32
