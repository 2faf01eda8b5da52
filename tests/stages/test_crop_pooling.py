"""Crop pooling against the reference's crops, torchvision's operators and numerical gradients."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchvision

from rcnn_tutorial.config import CropPoolingConfig
from rcnn_tutorial.stages.crop_pooling import crop_pool, crop_theta

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "10_crop_pool.npz")
STRIDE = int(GOLDEN["stride"])


def figure(name: str) -> torch.Tensor:
    return torch.tensor(GOLDEN[name])


def golden_rois() -> torch.Tensor:
    return figure("rois")[None, :, 1:]  # (1, 9, 4)


def random_rois(seed: int, images: int = 1, count: int = 3, dtype=torch.float64) -> torch.Tensor:
    """ROIs (images, count, 4) within 96 x 128 pixels, at least 20 wide and high."""
    generator = torch.Generator().manual_seed(seed)
    corner, side = torch.rand(2, images, count, 2, generator=generator, dtype=dtype) * torch.tensor([56.0, 40.0]).to(
        dtype
    )
    return torch.cat([corner, corner + side + 20], dim=-1)


def test_theta_of_the_reference():
    theta = crop_theta(golden_rois(), STRIDE, figure("bottom").shape[-2:])
    torch.testing.assert_close(theta[0], figure("theta"), rtol=0, atol=1e-6)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("size", [7, 14])
def test_sampling_grids_of_the_reference(size, align_corners):
    theta = crop_theta(golden_rois(), STRIDE, figure("bottom").shape[-2:])[0]
    grid = F.affine_grid(theta, (len(theta), 1, size, size), align_corners=align_corners)
    expected = figure(f"grid_P{size}_aligncorners{int(align_corners)}")
    torch.testing.assert_close(grid, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("features", ["bottom", "ramp"])
@pytest.mark.parametrize("max_pool", [False, True])
@pytest.mark.parametrize("align_corners", [False, True])
def test_crops_of_the_reference(features, max_pool, align_corners):
    config = CropPoolingConfig(max_pool=max_pool, align_corners=align_corners)
    crops = crop_pool(figure(features), golden_rois(), STRIDE, config)
    expected = figure(f"{features}_crop_maxpool{int(max_pool)}_aligncorners{int(align_corners)}")
    torch.testing.assert_close(crops, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("features", ["bottom", "ramp"])
@pytest.mark.parametrize("method, name", [("align", "roialign_sr0_alignedFalse"), ("pool", "roipool")])
def test_alternatives_of_the_reference(features, method, name):
    crops = crop_pool(figure(features), golden_rois(), STRIDE, CropPoolingConfig(method=method))
    torch.testing.assert_close(crops, figure(f"{features}_{name}"), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("method, operator", [("align", "roi_align"), ("pool", "roi_pool")])
def test_alternatives_are_torchvision_s_image_by_image(method, operator, seed):
    features, rois = torch.rand(2, 3, 6, 8), random_rois(seed, images=2, dtype=torch.float32)
    rows = torch.cat([torch.tensor([0, 0, 0, 1, 1, 1])[:, None].float(), rois.flatten(0, 1)], dim=1)  # image, box
    expected = getattr(torchvision.ops, operator)(features, rows, 5, spatial_scale=1 / 16)
    torch.testing.assert_close(crop_pool(features, rois, 16, CropPoolingConfig(method=method, size=5)), expected)


def test_a_ramp_is_sampled_where_theta_says():
    """A feature map that holds its own x coordinate: the crop reads the places it was taken from."""
    ramp = torch.arange(50.0).expand(1, 1, 38, 50)
    roi = torch.tensor([[[10.0, 4.0, 30.0, 20.0]]]) * 16  # columns 10 to 30
    exact = crop_pool(ramp, roi, 16, CropPoolingConfig(size=5))
    torch.testing.assert_close(exact[0, 0, 0], torch.tensor([10.0, 15.0, 20.0, 25.0, 30.0]))
    elsewhere = crop_pool(ramp, roi, 16, CropPoolingConfig(size=5, align_corners=False))  # grid_sample's default today
    assert (elsewhere - exact).abs().max() > 1


def test_roi_align_with_one_sample_a_bin_sees_the_same_ramp():
    """Both are bilinear: where the sample points coincide, so do the crops."""
    features = torch.rand(1, 2, 6, 8)
    roi = torch.tensor([[[16.0, 16.0, 80.0, 64.0]]])
    ours = crop_pool(features, roi, 16, CropPoolingConfig(size=3))
    # RoIAlign samples bin centers: widen the ROI until they fall on our points, from one edge to the other.
    half_bin = torch.tensor([-16.0, -12.0, 16.0, 12.0])
    theirs = torchvision.ops.roi_align(features, [(roi + half_bin)[0]], 3, spatial_scale=1 / 16, sampling_ratio=1)
    torch.testing.assert_close(ours, theirs)


def test_crops_of_a_batch_come_image_by_image():
    features, rois = torch.rand(2, 3, 6, 8), random_rois(0, images=2, dtype=torch.float32)
    for method in ("crop", "align", "pool"):
        config = CropPoolingConfig(method=method, size=4)
        alone = [crop_pool(features[i : i + 1], rois[i : i + 1], 16, config) for i in range(2)]
        torch.testing.assert_close(crop_pool(features, rois, 16, config), torch.cat(alone))


@pytest.mark.parametrize("max_pool, align_corners", [(False, True), (False, False), (True, True)])
@pytest.mark.parametrize("seed", range(2))
def test_gradients_in_the_roi_s_corners_and_in_the_features(seed, max_pool, align_corners):
    config = CropPoolingConfig(size=3, max_pool=max_pool, align_corners=align_corners)
    features = torch.rand(1, 2, 6, 8, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    inputs = (features.requires_grad_(), random_rois(seed).requires_grad_())
    assert torch.autograd.gradcheck(lambda f, r: crop_pool(f, r, 16, config), inputs)


# In a map of 5 x 9 cells at stride 16, where grid coordinates are exact binary fractions.
ON_WHOLE_CELLS = {
    "inside": (16, 16, 80, 48),
    "first to last cell": (0, 0, 128, 64),
    "clipped at the right": (64, 16, 144, 80),
    "clipped at the left": (-32, -16, 32, 16),
    "one cell": (32, 32, 32, 32),
    "outside": (160, 96, 224, 160),
}


@pytest.mark.parametrize("roi", ON_WHOLE_CELLS.values(), ids=ON_WHOLE_CELLS)
@pytest.mark.parametrize("size", [3, 5])
def test_gradients_on_whole_cells_are_those_of_grid_sample(roi, size):
    """There the slope of the interpolated map jumps: finite differences see neither side, so compare with torch."""
    generator = torch.Generator().manual_seed(0)
    features = torch.rand(1, 2, 5, 9, generator=generator, dtype=torch.float64).requires_grad_()
    rois = torch.tensor([[roi]], dtype=torch.float64, requires_grad=True)  # (1, 1, 4)
    grid = F.affine_grid(crop_theta(rois, 16, (5, 9))[0], (1, 1, size, size), align_corners=True)
    push = torch.rand(1, 2, size, size, generator=generator, dtype=torch.float64)  # of any loss on the crops
    ours, theirs = (
        torch.autograd.grad((crops * push).sum(), (features, rois), retain_graph=True)
        for crops in (
            crop_pool(features, rois, 16, CropPoolingConfig(size=size)),
            F.grid_sample(features, grid, align_corners=True),
        )
    )
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


def test_a_corner_moves_a_ramp_s_samples_by_their_share_on_whole_cells_too():
    """d x_j / d x1 = (1 - j / 6) / 16, d x_j / d x2 = j / 6 / 16; samples 0, 3 and 6 lie on cells 10, 20 and 30."""
    ramp = torch.arange(50.0).expand(1, 1, 38, 50)
    roi = torch.tensor([[[160.0, 80, 480, 400]]], requires_grad=True)
    row = crop_pool(ramp, roi, 16, CropPoolingConfig())[0, 0, 0]
    slopes = torch.stack([torch.autograd.grad(x, roi, retain_graph=True)[0][0, 0] for x in row])  # (7, 4)
    share = torch.arange(7) / 6
    torch.testing.assert_close(slopes[:, [0, 2]], torch.stack([1 - share, share], dim=1) / 16, rtol=0, atol=1e-5)
    assert slopes[:, [1, 3]].abs().max() < 1e-6


@pytest.mark.parametrize("method", ["align", "pool"])
def test_the_alternatives_give_no_gradient_to_the_roi_s_corners(method):
    features, rois = torch.rand(1, 2, 6, 8, requires_grad=True), random_rois(0, dtype=torch.float32).requires_grad_()
    crop_pool(features, rois, 16, CropPoolingConfig(method=method)).sum().backward()
    assert rois.grad is None or not rois.grad.any()
    assert features.grad.any()


@pytest.mark.parametrize("rows, columns", [(1, 1), (1, 5), (4, 1)])
def test_feature_maps_one_cell_high_or_wide(rows, columns):
    features = torch.rand(1, 2, rows, columns)
    roi = torch.tensor([[[0.0, 0.0, 16.0 * (columns - 1), 16.0 * (rows - 1)]]])
    crops = crop_pool(features, roi, 16, CropPoolingConfig(size=3))
    assert crops.isfinite().all()
    torch.testing.assert_close(crops[0, :, [0, -1]][:, :, [0, -1]], features[0][:, [0, -1]][:, :, [0, -1]])


@pytest.mark.parametrize("max_pool", [False, True])
def test_half_precision_features_are_sampled_in_float32(max_pool):
    ramp = (torch.arange(63.0) / 64).expand(1, 1, 38, 63)  # sixty-fourths fit into bfloat16, places between do not
    roi = torch.tensor([[[333.0, 100.0, 900.0, 300.0]]])
    config = CropPoolingConfig(max_pool=max_pool)
    with torch.autocast("cpu", torch.bfloat16):
        crops = crop_pool(ramp.bfloat16(), roi, 16, config)
        theta = crop_theta(roi, 16, (38, 63))
    assert crops.dtype == theta.dtype == torch.float32
    torch.testing.assert_close(crops, crop_pool(ramp, roi, 16, config), rtol=0, atol=1e-5)
