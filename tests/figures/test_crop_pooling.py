"""The geometry against torch and torchvision, and figures of what they are given."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torchvision.ops import roi_align, roi_pool

from rcnn_tutorial.figures import crop_pooling as figures
from rcnn_tutorial.stages.crop_pooling import crop_theta, sample_crops

ROI = torch.tensor([64.0, 136.0, 264.0, 290.0])
SIZE = (20, 25)  # rows and columns
GOLDEN = Path(__file__).parents[1] / "golden" / "10_crop_pool.npz"


def ramps():
    """Maps whose value is the column, and the row: (1, 2, rows, columns)."""
    y, x = torch.meshgrid(torch.arange(20.0), torch.arange(25.0), indexing="ij")
    return torch.stack([x, y])[None]


def noise():
    return torch.rand(1, 3, *SIZE, generator=torch.Generator().manual_seed(1))


def read(features, positions):
    """Bilinear values at positions (..., 2) in cells: (C, ...)."""
    extent = torch.tensor([features.shape[-1] - 1, features.shape[-2] - 1])
    grid = (positions / extent * 2 - 1).reshape(1, 1, -1, 2)
    values = F.grid_sample(features, grid, align_corners=True)[0, :, 0]
    return values.reshape(-1, *positions.shape[:-1])


def test_corners_of_an_upright_roi_go_clockwise_from_the_top_left():
    assert figures.roi_corners(ROI).tolist() == [[64, 136], [264, 136], [264, 290], [64, 290]]


@pytest.mark.parametrize("degrees", [-45.0, 10.0, 45.0])
def test_turning_keeps_center_and_sides(degrees):
    corners = figures.roi_corners(ROI, degrees)
    assert torch.allclose(corners.mean(0), torch.tensor([164.0, 213.0]))
    assert torch.allclose((corners[1] - corners[0]).norm(), torch.tensor(200.0))
    assert torch.allclose((corners[3] - corners[0]).norm(), torch.tensor(154.0))


def test_a_positive_angle_turns_clockwise_on_the_screen():
    assert figures.roi_corners(ROI, 90.0)[0].tolist() == pytest.approx([241.0, 113.0])  # top left goes to the top right


def test_corner_theta_of_an_upright_roi_is_the_stage_theta():
    rois = torch.tensor([[0.0, 0, 384, 304], [64, 136, 264, 290], [10, 20, 11, 400]])
    assert torch.allclose(figures.corner_theta(figures.roi_corners(rois), 16, SIZE), crop_theta(rois, 16, SIZE))


def test_corner_theta_puts_the_crop_corners_on_the_turned_corners():
    corners = figures.roi_corners(ROI, 30.0)
    theta = figures.corner_theta(corners, 16, SIZE)[None]
    positions = figures.sample_positions(theta, 5, SIZE)[0] * 16
    ends = torch.stack([positions[0, 0], positions[0, -1], positions[-1, -1], positions[-1, 0]])
    assert torch.allclose(ends, corners, atol=1e-3)


def test_gradients_reach_roi_and_angle():
    roi, degrees = ROI.double().requires_grad_(), torch.tensor(20.0, dtype=torch.float64, requires_grad=True)
    features = noise().double()

    def crop(roi, degrees):
        theta = figures.corner_theta(figures.roi_corners(roi, degrees), 16, SIZE)
        return sample_crops(features, theta[None, None], 3)

    assert torch.autograd.gradcheck(crop, (roi, degrees))


@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize("size", [1, 7, 14])
def test_sample_positions_are_what_the_ramps_say(size, align_corners):
    theta = crop_theta(ROI[None], 16, SIZE)
    crop = sample_crops(ramps(), theta[None], size, align_corners)[0]
    positions = figures.sample_positions(theta, size, SIZE, align_corners)[0]
    assert torch.allclose(crop.permute(1, 2, 0), positions, atol=1e-4)


def test_sample_positions_agree_with_the_reference_grids():
    golden = np.load(GOLDEN)
    theta = torch.from_numpy(golden["theta"]).float()
    for align_corners in (True, False):
        grid = torch.from_numpy(golden[f"grid_P7_aligncorners{int(align_corners)}"]).float()
        cells = torch.tensor([50, 38])
        expected = (grid + 1) / 2 * (cells - 1) if align_corners else ((grid + 1) * cells - 1) / 2
        assert torch.allclose(figures.sample_positions(theta, 7, (38, 50), align_corners), expected, atol=1e-3)


@pytest.mark.parametrize("size", [1, 4, 7, 14])
def test_align_positions_are_those_of_torchvision(size):
    mean = read(noise(), figures.align_positions(ROI, size, 16)).flatten(3).mean(-1)
    assert torch.allclose(mean, roi_align(noise(), [ROI[None]], size, 1 / 16)[0], atol=1e-5)


@pytest.mark.parametrize("roi", [ROI, torch.tensor([0.0, 0, 400, 320]), torch.tensor([24.0, 40, 24.5, 41])])
@pytest.mark.parametrize("size", [1, 5, 7, 14])
def test_pool_bins_are_those_of_torchvision(roi, size):
    features = noise()
    bins = figures.pool_bins(roi, size, 16, SIZE).int().tolist()
    largest = torch.stack([features[0, :, y1:y2, x1:x2].amax((1, 2)) for x1, y1, x2, y2 in bins], dim=1)
    assert torch.equal(largest.reshape(3, size, size), roi_pool(features, [roi[None]], size, 1 / 16)[0])


def test_every_panel_shows_its_data(drawn_pixels):
    made = [figures.rulers_figure((160, 320), 16, 25, 7), figures.methods_figure(noise()[0, 0], ROI, 16, 4)]
    panels = [drawn_pixels(figure) for figure in made]
    assert [len(counts) for counts in panels] == [1, 6]
    assert all(count > 1000 for counts in panels for count in counts), panels


def test_rulers_name_the_ends_of_the_roi_in_every_unit():
    texts = [text.get_text() for text in figures.rulers_figure((160, 320), 16, 25, 7).axes[0].texts]
    assert [texts[:4], texts[4:8], texts[8:12], texts[12:]] == [
        ["0", "384", "160", "320"],
        ["0", "24", "10.0", "20.0"],
        ["-1", "1", "−0.17", "0.67"],
        ["−1", "1"],
    ]


def test_each_method_shows_its_own_crop_below_its_reading():
    channel = noise()[0, 0]
    below = figures.methods_figure(channel, ROI, 16, 4).axes[3:]
    rois = [ROI[None]]
    expected = [
        roi_pool(channel[None, None], rois, 4, 1 / 16),
        roi_align(channel[None, None], rois, 4, 1 / 16),
        sample_crops(channel[None, None], crop_theta(ROI[None], 16, SIZE)[None], 4),
    ]
    for axes, crop in zip(below, expected, strict=True):
        assert np.allclose(axes.images[0].get_array(), crop.reshape(4, 4), atol=1e-5)
