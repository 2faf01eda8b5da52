"""Crops as weighted sums of feature vectors against torch's and torchvision's operators, forward and backward."""

import pytest
import torch
import torch.nn.functional as F
from torchvision import ops

from rcnn_tutorial.fast import crops


@pytest.fixture(autouse=True)
def few_channels_are_many(monkeypatch):
    """So that small tensors take the way that is tested."""
    monkeypatch.setattr(crops, "MANY_CHANNELS", 1)


def random_features(seed: int, dtype=torch.float32, images: int = 2) -> torch.Tensor:
    return torch.rand(images, 3, 6, 8, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_samples_anywhere_are_torch_s(seed, align_corners):
    features, grids = (
        random_features(seed),
        [3 * torch.rand(2, 5, 4, 2, generator=torch.Generator().manual_seed(seed)) - 1.5] * 2,
    )
    inputs = [(features.clone().requires_grad_(), grid.clone().requires_grad_()) for grid in grids]
    ours = crops.grid_sample(*inputs[0], align_corners)
    theirs = F.grid_sample(*inputs[1], align_corners=align_corners)
    torch.testing.assert_close(ours, theirs)
    gradients = [
        torch.autograd.grad(sampled.square().sum(), own) for sampled, own in zip((ours, theirs), inputs, strict=True)
    ]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("align_corners", [False, True])
def test_gradients_of_single_samples_on_and_beyond_whole_cells(align_corners):
    rows, columns = (5, 9) if align_corners else (4, 8)  # -1 to 1 spans 4 and 8 cells either way
    x, y = torch.meshgrid(torch.arange(-2.0, columns + 2), torch.arange(-2.0, rows + 2), indexing="xy")
    cells = torch.stack([x, y], dim=-1)  # (rows + 4, columns + 4, 2)
    edge = 0 if align_corners else 0.5
    grid = (cells + edge) * torch.tensor([2 / 8, 2 / 4]) - 1
    features = torch.rand(2, 3, rows, columns, generator=torch.Generator().manual_seed(0))
    grids = [grid.expand(2, -1, -1, -1).clone().requires_grad_() for _ in range(2)]
    ours = crops.grid_sample(features, grids[0], align_corners)
    theirs = F.grid_sample(features, grids[1], align_corners=align_corners)
    torch.testing.assert_close(ours, theirs)
    for sampled in (ours, theirs):
        sampled.square().sum().backward()
    torch.testing.assert_close(grids[0].grad, grids[1].grad)


# In a map of 6 x 8 cells: inside, at the edges, beyond them, small, empty.
ROIS = [[1, 1, 5, 4], [0, 0, 8, 6], [-3, -2, 4, 3], [5, 3, 11, 9], [2, 2, 2.3, 2.2], [3, 3, 3, 3], [20, 20, 30, 30]]


@pytest.mark.parametrize("size", [1, 3, 7])
@pytest.mark.parametrize("spatial_scale", [1.0, 1 / 16])
def test_roi_align_is_torchvision_s(size, spatial_scale):
    rois = [torch.tensor(ROIS) / spatial_scale, torch.tensor(ROIS[:2]) / spatial_scale]
    features = [random_features(0).requires_grad_() for _ in range(2)]
    ours = crops.roi_align(features[0], rois, size, spatial_scale)
    theirs = ops.roi_align(features[1], rois, size, spatial_scale)
    torch.testing.assert_close(ours, theirs)
    gradients = [
        torch.autograd.grad(found.square().sum(), own) for found, own in zip((ours, theirs), features, strict=True)
    ]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_few_channels_are_left_to_the_libraries(layout, monkeypatch):
    monkeypatch.setattr(crops, "MANY_CHANNELS", 4)
    features = random_features(0).to(memory_format=layout)
    grid, rois = torch.zeros(2, 1, 1, 2), [torch.tensor(ROIS)] * 2
    assert torch.equal(crops.grid_sample(features, grid, True), F.grid_sample(features, grid, align_corners=True))
    assert torch.equal(crops.roi_align(features, rois, 2), ops.roi_align(features, rois, 2))
