"""Figures of the fifth notebook show what they are given, and cope with nothing."""

import pytest
import torch

from rcnn_tutorial import roles
from rcnn_tutorial.config import ProposalTargetConfig
from rcnn_tutorial.figures import proposal_target as figures

IMAGE, SIZE = torch.rand(3, 60, 80, generator=torch.Generator().manual_seed(0)), (120, 160)
BOXES = torch.tensor([[10.0, 10, 60, 50], [30.0, 20, 150, 110], [0.0, 0, 20, 20]])
NOTHING = torch.zeros(0, 4)


def legend(axes) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_panels_show_their_groups_in_the_boxes_pixels(drawn_pixels):
    labels = torch.tensor([3, 0, 0])
    panels = {
        "moved": figures.red_green(BOXES, BOXES + 2),
        "kinds": [*figures.foreground_background(BOXES, labels), *figures.ground_truth(BOXES[:1])],
    }
    figure = figures.boxes_figure(IMAGE, SIZE, panels)
    moved, kinds = figure.axes
    assert moved.get_title() == "moved" and legend(moved) == ["anchor (3)", "proposal (3)"]
    assert legend(kinds) == ["background ROI (2)", "foreground ROI (1)", "object (1)"]
    assert moved.get_xlim() == (0, 160) and moved.get_ylim() == (120, 0)
    assert [len(lines.get_paths()) for lines in kinds.collections] == [2, 1, 1]
    assert min(drawn_pixels(figure)) > 500


def test_no_color_is_the_only_code():
    for groups in (
        figures.red_green(BOXES, BOXES),
        [*figures.foreground_background(BOXES, torch.tensor([1, 0, 0])), *figures.ground_truth(BOXES)],
    ):
        assert len({group.role.color for group in groups}) == len({group.role.dash for group in groups}) == len(groups)


def test_before_is_red_and_after_is_green():
    assert [group.role for group in figures.red_green(BOXES, BOXES)] == [roles.ANCHOR, roles.PROPOSAL]


def test_a_photo_without_boxes_is_drawn(drawn_pixels):
    assert figures.ground_truth(NOTHING) == []
    panels = {"none": [*figures.foreground_background(NOTHING, torch.zeros(0)), *figures.ground_truth(NOTHING)]}
    figure = figures.boxes_figure(IMAGE, SIZE, panels)
    assert legend(figure.axes[0]) == ["background ROI (0)", "foreground ROI (0)"]
    assert min(drawn_pixels(figure)) > 500


@pytest.mark.parametrize("objects", [BOXES, NOTHING])
def test_scores_lie_on_their_cells(objects, drawn_pixels):
    heat = torch.linspace(0, 1, 80).view(8, 10)
    figure = figures.cell_scores_figure(IMAGE, heat, 16, SIZE, objects)
    _, shown = figure.axes[0].images
    assert shown.get_array().shape == (8, 10) and list(shown.get_extent()) == [0, 160, 128, 0]
    assert shown.get_clim() == (0, 1) and figure.axes[0].get_ylim() == (120, 0)
    assert min(drawn_pixels(figure)) > 500


def test_funnel_writes_every_count(drawn_pixels):
    figure = figures.funnel_figure({"anchors": 17_100, "proposals": 300, "foreground": 0})
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["17,100", "300", "0"]
    assert min(drawn_pixels(figure)) > 500


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


@pytest.mark.parametrize("count", [0, 1, 40])
def test_spread_before_and_after(count, drawn_pixels):
    coefficients = torch.randn(count, 4, generator=torch.Generator().manual_seed(1)) * 0.1
    figure = figures.spread_figure(coefficients, ProposalTargetConfig())
    raw, normalized = figure.axes
    if count:
        before, after = (torch.as_tensor(axes.lines[0].get_ydata()) for axes in (raw, normalized))
        torch.testing.assert_close(after, before * 10)
    assert raw.get_title() == "as encoded"
    assert min(drawn_pixels(figure)) > 500
