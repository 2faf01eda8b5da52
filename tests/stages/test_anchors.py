"""Anchors against the reference's, and which of them count."""

from pathlib import Path

import numpy as np
import pytest
import torch

from rcnn_tutorial.config import AnchorConfig
from rcnn_tutorial.stages.anchors import anchor_sizes, base_anchors, generate_anchors, inside_features, inside_image

FOLDER = Path(__file__).parents[1] / "golden"
SHAPES = np.load(FOLDER / "01_generate_anchors.npz")
GRIDS = np.load(FOLDER / "02_generate_anchors_pre.npz")
TARGETS = np.load(FOLDER / "04_anchor_target_layer.npz")
CONTINUOUS = torch.tensor([0, 0, 1, 1])  # turns a box of inclusive corners into ours


def cases(figures) -> list[str]:
    return sorted({name.split("__")[0] for name in figures.files})


@pytest.mark.parametrize("case", cases(SHAPES))
def test_shapes_of_the_reference(case):
    base_size, scales, ratios = (SHAPES[f"{case}__{name}"].tolist() for name in ("base_size", "scales", "ratios"))
    expected = torch.tensor(SHAPES[f"{case}__anchors"]) + CONTINUOUS
    found = base_anchors(AnchorConfig(base_size, scales, ratios))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)
    squares = torch.tensor(SHAPES[f"{case}__ratio_anchors"]) + CONTINUOUS  # before scaling
    torch.testing.assert_close(base_anchors(AnchorConfig(base_size, (1,), ratios)), squares, rtol=0, atol=1e-4)


@pytest.mark.parametrize("case", cases(GRIDS))
def test_grids_of_the_reference(case):
    height, width, stride = GRIDS[f"{case}__hw_stride"].tolist()
    found = generate_anchors(height, width, stride, AnchorConfig(scales=GRIDS[f"{case}__scales"].tolist()))
    assert len(found) == int(GRIDS[f"{case}__length"])
    assert torch.equal(found, torch.tensor(GRIDS[f"{case}__anchors"]) + CONTINUOUS)


def test_the_nine_sizes_and_the_count_of_the_post():
    sizes = [(184, 96), (368, 192), (736, 384), (128, 128), (256, 256), (512, 512), (88, 176), (176, 352), (352, 704)]
    assert [tuple(size) for size in anchor_sizes(AnchorConfig()).tolist()] == sizes
    assert len(generate_anchors(38, 50, 16, AnchorConfig())) == 17_100


@pytest.mark.parametrize("case", ["normal3", "not_multiple_of_16", "vgg_floor_feat", "small_image", "many_gts60"])
def test_anchors_inside_the_image_of_the_reference(case):
    anchors = generate_anchors(*TARGETS[f"{case}__feat_hw"].tolist(), 16, AnchorConfig())
    inside = inside_image(anchors, torch.tensor(TARGETS[f"{case}__im_hw"])[None])[0]
    assert torch.equal(inside.nonzero().flatten(), torch.tensor(TARGETS[f"{case}__inds_inside"]))


def test_a_border_lets_anchors_reach_out_of_the_image():
    boxes = torch.tensor([[0.0, 0.0, 10.0, 20.0], [-1.0, 0.0, 5.0, 5.0], [0.0, 0.0, 10.0, 21.5]])
    sizes = torch.tensor([[20, 10], [100, 5]])
    assert inside_image(boxes, sizes).tolist() == [[True, False, False], [False, False, False]]
    assert inside_image(boxes, sizes, border=1.0).tolist() == [[True, True, False], [False, True, False]]
    assert inside_image(boxes, sizes, border=5.0).tolist() == [[True, True, True], [True, True, True]]


def test_anchors_of_padded_cells_are_marked():
    available = inside_features((2, 3), torch.tensor([[2, 3], [1, 2]]), anchors_per_cell=2)
    assert available.shape == (2, 12)
    assert available[0].all()
    assert available[1].nonzero().flatten().tolist() == [0, 1, 2, 3]
