"""Pre-processing against the reference's image blobs, and what it refuses."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from rcnn_tutorial.config import PreprocessingConfig
from rcnn_tutorial.errors import DataError
from rcnn_tutorial.stages.preprocessing import pad_ground_truth, preprocess, resize, scale_for

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "11_image_blob.npz")
TABLE = [tuple(row) for row in GOLDEN["table_h_w_scale_outh_outw"]]
CASES = ("up", "down", "cap", "same")


def golden_image(case: str) -> torch.Tensor:
    """The reference's BGR bytes (H, W, 3) as our RGB floats (3, H, W)."""
    return torch.tensor(GOLDEN[f"{case}__im_bgr_u8"][..., ::-1].copy()).permute(2, 0, 1) / 255


def golden_config(case: str) -> PreprocessingConfig:
    """The reference's pixel means, and the case's sizes."""
    mean = tuple(GOLDEN["pixel_means_bgr"].ravel()[::-1] / 255)
    target_size, max_size = GOLDEN[f"{case}__target_max"].tolist()
    return PreprocessingConfig(target_size, max_size, mean, (1.0, 1.0, 1.0))


def target(boxes, labels, **more) -> dict:
    return {
        "boxes": torch.tensor(boxes, dtype=torch.float).reshape(-1, 4),
        "labels": torch.tensor(labels).long(),
    } | more


@pytest.mark.parametrize("height, width, scale, out_height, out_width", TABLE)
def test_the_600_1000_rule_of_the_reference(height, width, scale, out_height, out_width):
    assert scale_for(int(height), int(width)) == pytest.approx(scale)
    resized = resize(torch.zeros(3, int(height), int(width)), scale_for(int(height), int(width)))
    assert resized.shape == (3, out_height, out_width)


@pytest.mark.parametrize("case", CASES)
def test_blobs_of_the_reference(case):
    found = preprocess([golden_image(case)], golden_config(case))
    expected = torch.tensor(GOLDEN[f"{case}__blob_nhwc"][0, ..., ::-1].copy()).permute(2, 0, 1)  # RGB, gray levels
    assert found.sizes.tolist() == [list(expected.shape[1:])]
    assert found.scales.item() == pytest.approx(float(GOLDEN[f"{case}__scale"]))
    # OpenCV rounds its bilinear weights, hence a thousandth of a gray level where ours are exact.
    torch.testing.assert_close(found.images[0] * 255, expected, rtol=0, atol=2e-3)


def test_asking_interpolate_for_a_size_would_stretch_the_picture():
    image, scale = golden_image("cap"), float(GOLDEN["cap__scale"])
    scaled = resize(image, scale)
    stretched = F.interpolate(image[None], size=scaled.shape[1:], mode="bilinear")[0]
    assert (scaled - stretched).abs().max() * 255 > 10  # gray levels


@pytest.mark.parametrize(("height", "width"), [(2000, 1), (1, 2000), (164, 103), (41, 1013), (4000, 6000)])
@pytest.mark.parametrize("scale", [0.01, 0.2477, 0.5, 0.9999, 1.0001, 3.7])
def test_sides_are_rounded_whatever_the_scale(height, width, scale):
    resized = resize(torch.ones(3, height, width), scale * min(1.0, 1000 / max(height, width)))
    exact = (side * scale * min(1.0, 1000 / max(height, width)) for side in (height, width))
    assert resized.shape == (3, *(max(1, round(side)) for side in exact))
    torch.testing.assert_close(resized, torch.ones_like(resized))


def test_an_image_of_the_right_size_is_not_resampled():
    image = torch.rand(3, 60, 80)
    assert resize(image, 1.0) is image


def test_every_image_keeps_its_own_size():
    found = preprocess([torch.rand(3, 375, 500), torch.rand(3, 500, 1500)], PreprocessingConfig())
    assert [tuple(image.shape) for image in found.images] == [(3, 600, 800), (3, 333, 1000)]
    assert found.sizes.tolist() == [[600, 800], [333, 1000]]
    assert found.original_sizes.tolist() == [[375, 500], [500, 1500]]
    torch.testing.assert_close(found.scales, torch.tensor([1.6, 1000 / 1500]))


def test_the_mean_is_fixed_and_not_the_image_s_own():
    config = PreprocessingConfig(target_size=16, max_size=16, mean=(0.1, 0.2, 0.3), std=(1.0, 0.5, 0.25))
    found = preprocess([torch.full((3, 16, 16), 0.5)], config)
    torch.testing.assert_close(found.images[0][:, 0, 0], torch.tensor([0.4, 0.6, 0.8]))


@pytest.mark.parametrize(
    "image, message",
    [
        (torch.rand(1, 8, 8), "shape (1, 8, 8)"),
        (torch.rand(8, 8), "shape (8, 8)"),
        (torch.rand(3, 0, 8), "at least one pixel"),
        (torch.zeros(3, 8, 8, dtype=torch.uint8), "divide bytes by 255"),
    ],
)
def test_other_images_are_refused(image, message):
    with pytest.raises(DataError, match="^image of .*") as error:
        preprocess([image], PreprocessingConfig())
    assert message in str(error.value)


def test_objects_are_padded_and_scaled():
    targets = [target([[1, 2, 3, 4]], [2]), target([], []), target([[0, 0, 10, 20], [5, 5, 6, 6]], [1, 3])]
    truth = pad_ground_truth(targets, torch.tensor([2.0, 1.0, 0.5]), classes=3)
    assert truth.boxes.tolist()[0] == [[2, 4, 6, 8], [0, 0, 0, 0]]
    assert truth.boxes.tolist()[2] == [[0, 0, 5, 10], [2.5, 2.5, 3, 3]]
    assert truth.labels.tolist() == [[2, 0], [0, 0], [1, 3]]
    assert truth.valid.tolist() == [[True, False], [False, False], [True, True]]


def test_a_batch_without_any_object_has_one_padded_row():
    truth = pad_ground_truth([target([], [])], torch.ones(1), classes=3)
    assert truth.boxes.shape == (1, 1, 4) and not truth.valid.any()


@pytest.mark.parametrize(
    "bad, message",
    [
        (target([[0, 0, 5, 5]], [4]), "labels [4]; expected 1 to 3"),
        (target([[0, 0, 5, 5]], [0]), "labels [0]; expected 1 to 3"),
        (target([[0, 0, 5, 5]], [1, 2]), "boxes (1, 4) and labels (2,)"),
        (target([[5, 0, 5, 5]], [1]), "empty, inverted or infinite"),
        (target([[6, 0, 5, 5]], [1]), "empty, inverted or infinite"),
        (target([[0, 0, float("nan"), 5]], [1]), "empty, inverted or infinite"),
        (target([[0, 0, float("inf"), 5]], [1]), "empty, inverted or infinite"),
    ],
)
def test_targets_that_nobody_can_learn_from_are_refused(bad, message):
    with pytest.raises(DataError) as error:
        pad_ground_truth([target([], []), bad | {"image_id": "cat.jpg"}], torch.ones(2), classes=3)
    assert message in str(error.value) and "cat.jpg" in str(error.value)
