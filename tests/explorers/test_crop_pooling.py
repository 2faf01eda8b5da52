"""The numbers behind the picture of crop pooling."""

import pytest
import torch

from rcnn_tutorial.config import CropPoolingConfig
from rcnn_tutorial.explorers.crop_pooling import CELLS, FEATURES, PHOTO, CropPoolingExplorer, cell_colors
from rcnn_tutorial.figures.crop_pooling import METHODS
from rcnn_tutorial.scene import Boxes, Lines, Picture, Points
from rcnn_tutorial.stages.crop_pooling import crop_pool


@pytest.fixture
def explorer():
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(3, 160, 208, generator=generator)
    features = torch.randn(5, 10, 13, generator=generator)
    return CropPoolingExplorer(image, features, torch.tensor([32.0, 48.0, 128.0, 112.0]))


def crop_of(explorer):
    layer = explorer.canvases[1].layers[0]
    return layer.image if isinstance(layer, Picture) else layer.values[None]


def legend_of(explorer):
    return [layer.legend for layer in explorer.canvas.layers]


def points_of(explorer):
    return next(layer.points for layer in explorer.canvas.layers if isinstance(layer, Points))


def test_the_summary_says_what_is_seen(explorer):
    place = "ROI at (32, 48), 96 × 64 pixels: "
    assert explorer.summary == f"{place}7 × 7 samples, 16.0 pixels apart across, 10.7 down."
    explorer.method.value = "align"
    assert (
        explorer.summary
        == f"{place}RoIAlign takes the mean of 1 × 1 points in each of 7 × 7 bins of 13.7 × 9.1 pixels."
    )


def test_on_the_photo_itself_cells_are_not_counted_beside_pixels(explorer):
    for method in ("crop", "align", "pool"):
        explorer.set(map=PHOTO, method=method)
        assert explorer.summary.startswith("ROI at (32, 48), 96 × 64 pixels: ")


def test_samples_start_and_end_on_the_corners(explorer):
    points = points_of(explorer)
    assert torch.allclose(points[0], torch.tensor([32.0, 48.0]), atol=1e-3)
    assert torch.allclose(points[-1], torch.tensor([128.0, 112.0]), atol=1e-3)


@pytest.mark.parametrize("method", ["crop", "align", "pool"])
def test_the_crop_is_the_stage_own(explorer, method):
    explorer.set(method=method, channel=3, size=4)
    roi = explorer.canvas.box("roi")[None, None]
    expected = crop_pool(explorer.features[:, 3:4], roi, 16, CropPoolingConfig(method=method, size=4))
    assert torch.allclose(crop_of(explorer), expected[0], atol=1e-5)


@pytest.mark.parametrize("method", ["crop", "align", "pool"])
@pytest.mark.parametrize("source", [PHOTO, CELLS, FEATURES])
@pytest.mark.parametrize("size", range(1, 15))
def test_every_size_method_and_map(explorer, size, source, method):
    explorer.set(map=source, size=size, method=method)
    assert "Not possible" not in explorer.summary
    assert crop_of(explorer).shape == ((1 if source == FEATURES else 3), size, size)
    assert explorer.canvases[1].size == (size, size)


def test_every_rotation(explorer):
    before = points_of(explorer)
    for degrees in range(-45, 46, 5):
        explorer.rotation.value = degrees
        assert (f"turned by {degrees}°" in explorer.summary) == (degrees != 0)
        assert torch.equal(points_of(explorer), before) == (degrees == 0)
        assert ("the ROI before it was turned" in legend_of(explorer)) == (degrees != 0)
        turned = [layer for layer in explorer.canvas.scene.layers if isinstance(layer, Lines)]
        assert [layer.name for layer in turned] == ["ROI"] * (degrees != 0)  # the still picture


def test_slider_and_grip_say_the_same(messages, explorer):
    messages.clear()
    explorer.canvas.set_state({"angles": {"roi": 17}})  # what the page sends
    assert explorer.rotation.value == 17 and "turned by 17°" in explorer.summary
    assert not any("angles" in keys for keys, _ in messages)  # nothing that would turn it again
    messages.clear()
    explorer.rotation.value = -30
    assert explorer.canvas.angles == {"roi": -30}
    assert ["angles", "frame", "summary"] in [keys for keys, _ in messages]  # turned and drawn by one message


def test_an_upright_method_takes_the_grip_away_and_the_preset_brings_it_back(explorer, press):
    explorer.rotation.value = 20
    explorer.method.value = "align"
    assert explorer.canvas.angles == {"roi": 0} and explorer.canvas.frame["handles"][0]["turnable"] == 0
    explorer.canvas.set_state({"angles": {"roi": 40}})  # sent before the page heard of it
    assert explorer.canvas.angles == {"roi": 0} and explorer.rotation.value == 0
    press(explorer, "Turned")
    assert explorer.canvas.angles == {"roi": 30} and explorer.canvas.frame["handles"][0]["turnable"] == 45
    press(explorer, "Reset")
    assert explorer.canvas.angles == {"roi": 0} and explorer.rotation.value == 0


def test_align_corners_off_shrinks_and_shifts_the_samples(explorer):
    explorer.align_corners.value = False
    assert "14.9 pixels apart across, 10.2 down" in explorer.summary


@pytest.mark.parametrize("method", ["align", "pool"])
def test_for_other_methods_the_rotation_goes_back_and_rests(explorer, method):
    explorer.rotation.value = 30
    explorer.method.value = method
    assert explorer.rotation.value == 0 and explorer.rotation.disabled and explorer.align_corners.disabled
    reasons = explorer.children[0].children[2]
    assert f"{METHODS[method]} cuts upright boxes only" in reasons.text
    explorer.method.value = "crop"
    assert not explorer.rotation.disabled and reasons.text == ""


def test_the_channel_rests_while_the_map_is_the_photo(explorer):
    for source in (PHOTO, CELLS, FEATURES):
        explorer.map.value = source
        assert explorer.channel.disabled == (source != FEATURES)


def test_without_align_corners_the_samples_stay_half_a_bin_inside(explorer):
    explorer.align_corners.value = False
    hull = next(layer for layer in explorer.canvas.layers if layer.legend == "outermost samples").lines[0]
    assert torch.equal(hull[0], points_of(explorer)[0]) and torch.equal(hull[2], points_of(explorer)[-1])
    assert hull[2, 0] - hull[0, 0] < 96


def test_presets_show_what_the_questions_ask_for(explorer, press):
    said = {}
    for name in explorer.presets:
        press(explorer, name)
        said[name] = explorer.summary
        assert len(explorer.summary) <= 150 and "Not possible" not in explorer.summary, name
    assert len(set(said.values())) == len(said)
    assert "12 × 64 pixels" in said["Thin ROI"] and "2 × 2 samples" in said["Pool size 2"]
    press(explorer, "Right border")
    assert explorer.canvas.handles["roi"][2] == 208
    press(explorer, "Turned")
    assert explorer.rotation.value == 30 and explorer.map.value == PHOTO
    press(explorer, "Reset")
    assert explorer.rotation.value == 0 and explorer.canvas.handles["roi"] == [32, 48, 128, 112]


@pytest.mark.parametrize("method", ["crop", "align", "pool"])
@pytest.mark.parametrize("roi", [(0, 0, 208, 160), (0, 0, 1, 1), (207, 159, 208, 160), (0, 80, 208, 81)])
def test_rois_at_the_border_and_tiny_ones(explorer, roi, method):
    explorer.method.value = method
    explorer.canvas.move(roi=roi)
    assert "Not possible" not in explorer.summary
    assert bool(torch.isfinite(crop_of(explorer)).all())


def test_samples_beyond_the_last_cell_are_counted(explorer):
    explorer.canvas.move(roi=(0, 0, 208, 144))  # column 13 is one beyond the last of 13
    assert "7 lie beyond the map's last centers" in explorer.summary
    assert torch.all(crop_of(explorer)[:, :, -1] == 0)


def test_dragging_moves_the_samples(explorer):
    before = points_of(explorer)
    explorer.canvas.move(roi=(42, 48, 138, 112))
    assert torch.allclose(points_of(explorer), before + torch.tensor([10.0, 0.0]), atol=1e-3)
    assert explorer.summary.startswith("ROI at (42, 48), 96 × 64 pixels")


def test_pool_reports_its_rounding(explorer):
    explorer.method.value = "pool"
    explorer.canvas.move(roi=(40, 48, 128, 112))
    assert "rounds 5.50 × 4.00 to 6 × 5 cells, moving a side by up to 8.0 pixels" in explorer.summary
    assert isinstance(explorer.canvas.layers[1], Boxes) and len(explorer.canvas.layers[1].boxes) == 49


def test_too_many_points_are_left_out(explorer):
    explorer.set(map=PHOTO, method="align", size=2)
    assert not any(isinstance(layer, Points) for layer in explorer.canvas.layers)
    assert "mean of 48 × 32 points" in explorer.summary


def test_cell_colors_are_centered_on_the_cells():
    image = torch.zeros(3, 64, 64)
    image[:, 8:24, 24:40] = 1  # around (x, y) = (32, 16): cell (2, 1)
    colors = cell_colors(image, 16, (4, 4))
    assert colors.shape == (1, 3, 4, 4)
    assert colors[0, 0].nonzero().tolist() == [[1, 2]] and colors[0, 0, 1, 2] == 1


def test_a_photo_as_large_as_one_cell():
    explorer = CropPoolingExplorer(torch.rand(3, 16, 16), torch.rand(2, 1, 1))
    for source in (PHOTO, CELLS, FEATURES):
        for method in ("crop", "align", "pool"):
            explorer.set(map=source, method=method)
            assert "Not possible" not in explorer.summary
