"""Pictures of preprocessing: what they claim is measured."""

import pytest
import torch

from rcnn_tutorial.config import PreprocessingConfig
from rcnn_tutorial.figures.preprocessing import (
    inputs_figure,
    mean_figure,
    paint_right_half,
    subtract_mean,
)

CONFIG = PreprocessingConfig()


def photo(height=40, width=60):
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("brightness, paint", [(0.2, 1.0), (0.8, 0.0)])
def test_paint_stands_out_and_leaves_the_left_half(brightness, paint):
    image = torch.full((3, 10, 21), brightness)
    painted = paint_right_half(image)
    assert (painted[:, :, :10] == image[:, :, :10]).all() and (painted[:, :, 10:] == paint).all()
    assert (image == brightness).all()


def test_only_the_own_mean_changes_what_no_paint_touched():
    image = photo()
    texts = [axes.get_xlabel() for axes in mean_figure(image, CONFIG).axes]
    assert texts[0] == texts[3] and texts[1] == texts[4] and texts[2] != texts[5]
    expected = (float(image[0, 20, 15]) - CONFIG.mean[0]) / CONFIG.std[0]
    assert texts[1] == f"red at the ring: {expected:.2f}"


def test_own_mean_centers_every_channel():
    image = photo()
    centered = subtract_mean(image, image.mean(dim=(1, 2)), CONFIG)
    torch.testing.assert_close(centered.mean(dim=(1, 2)), torch.zeros(3), rtol=0, atol=1e-5)


def test_each_way_to_prepare_a_photo_has_its_own_detections():
    one = {"boxes": torch.tensor([[5.0, 5, 30, 30]]), "labels": torch.tensor([2]), "scores": torch.tensor([0.9])}
    none = {name: values[:0] for name, values in one.items()}
    figure = inputs_figure({"right": (photo(), one), "in 0..255": (255 * photo(), none)}, ("cat", "dog"))
    assert [axes.get_title() for axes in figure.axes if axes.axison] == ["right", "in 0..255"]
    assert [[text.get_text() for text in axes.texts] for axes in figure.axes[:2]] == [["dog 0.90"], []]
