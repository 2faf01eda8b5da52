"""Figures of the fifth notebook show what they are given."""

import torch

from rcnn_tutorial.config import ProposalTargetConfig
from rcnn_tutorial.figures import proposal_target as figures


def test_overlaps_are_counted_by_zone(drawn_pixels):
    overlaps = torch.tensor([0.0, 0.05, 0.1, 0.2, 0.45, 0.5, 0.7, 1.0])
    figure = figures.overlaps_figure(overlaps, ProposalTargetConfig(background_high=0.4))
    texts = [text.get_text().split("\n") for text in figure.axes[0].texts]
    assert [(text[0].rstrip(":"), text[-1]) for text in texts] == [
        ("neither", "2"), ("background", "2"), ("neither", "1"), ("foreground", "3")
    ]  # fmt: skip
    assert len(figures.overlaps_figure(overlaps, ProposalTargetConfig(background_low=0.0)).axes[0].texts) == 2
    assert min(drawn_pixels(figure)) > 500


def test_expansion_shows_targets_and_mask(drawn_pixels):
    targets, mask = torch.zeros(2, 12), torch.zeros(2, 12)
    targets[0, 8:], mask[0, 8:] = torch.tensor([1.0, -2, 0.5, 0]), 1
    figure = figures.expansion_figure(targets, mask, torch.tensor([2, 0]), ("background", "cat", "dog"))
    above, below = figure.axes[:2]
    assert above.images[0].get_array().tolist() == targets.tolist()
    assert below.images[0].get_array().tolist() == mask.tolist()
    assert [tick.get_text() for tick in below.get_yticklabels()] == ["ROI 0: dog", "ROI 1: background"]
    assert [tick.get_text() for tick in below.get_xticklabels()] == ["background", "cat", "dog"]
    assert "12 columns" in below.get_xlabel()
    assert min(drawn_pixels(figure)) > 500
