"""Pictures of preprocessing: what they claim is measured."""

import pytest
import torch

from rcnn_tutorial.config import PreprocessingConfig
from rcnn_tutorial.figures.preprocessing import (
    drift_figure,
    inputs_figure,
    mean_figure,
    paint_right_half,
    row_errors,
    rule_figure,
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


def test_curves_of_the_rule():
    figure = rule_figure(CONFIG, {"a photo": (375, 500), "a panorama": (500, 1500)})
    long, short, turn, *dots = figure.axes[0].lines
    assert max(long.get_ydata()) <= 1000.5 and min(long.get_ydata()) == 600
    assert max(short.get_ydata()) == 600 and short.get_ydata()[-1] == pytest.approx(250)
    assert turn.get_xdata()[0] == pytest.approx(1000 / 600)
    assert dots[0].get_ydata() == pytest.approx([600, 800])
    assert dots[1].get_ydata() == pytest.approx([1000 / 3, 1000])
    assert "a panorama\n500 × 1500\n→ 333 × 1000" in [text.get_text() for text in figure.axes[0].texts]


def test_the_exact_factor_reads_every_row_where_it_lies():
    rows, exact, stretched = row_errors(500, 1000 / 1500)
    assert exact.abs().max() < 1e-5
    assert stretched[-1] == pytest.approx(float(rows[-1]) * (1000 / 3 / 333 - 1), abs=1e-3)
    assert stretched[-1] > 0.3


def test_drift_figure_shows_both_ways():
    figure = drift_figure(500, 1500, CONFIG)
    exact, stretched = figure.axes[0].lines
    assert abs(exact.get_ydata()).max() < 1e-5 < 0.3 < abs(stretched.get_ydata()).max()
    assert figure.axes[0].get_title() == "500 × 1500 scaled by 0.6667 to 333 × 1000"
