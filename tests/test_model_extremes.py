"""The whole detector on extreme inputs, in half precision, and with every way of pooling."""

import pytest
import torch
from small_detector import LOSSES, SCENES, new_model, seed, target

from rcnn_tutorial.boxes import box_iou
from rcnn_tutorial.checkpoints import load_model


@pytest.fixture(scope="module")
def fresh():
    """A detector that nobody trained. Tests leave it as it is."""
    return new_model().eval()


# --- Extreme inputs.

MANY = [[x, y, x + 6, y + 6] for x in range(0, 120, 6) for y in range(0, 90, 6)]
EXTREMES = {
    "no objects": ((128, 128), target([], [])),
    "16 x 16 pixels": ((16, 16), target([[2, 2, 14, 14]], [1])),
    "20 times as wide as high": ((16, 320), target([[2, 2, 14, 14]], [1])),
    "20 times as high as wide": ((320, 16), target([[2, 2, 14, 300]], [1])),
    "one pixel": ((1, 1), target([[0, 0, 1, 1]], [1])),
    "one-pixel boxes": ((128, 128), target([[0, 0, 1, 1], [64, 64, 65, 65], [127, 127, 128, 128]], [1, 2, 3])),
    "300 objects": ((128, 128), target(MANY, [1 + i % 9 for i in range(300)])),
    "larger than any anchor": ((128, 128), target([[0, 0, 128, 128]], [2])),
    "beyond the image": ((128, 128), target([[-500, -500, 600, 600]], [2])),
}


@pytest.mark.parametrize("append", [True, False])
@pytest.mark.parametrize("name", EXTREMES)
def test_losses_and_gradients_stay_finite(name, append):
    size, truth = EXTREMES[name]
    model = new_model(
        backbone={"frozen_batch_norm": True},
        proposal_targets={"append_ground_truth": append},
        crop_pooling={"detach_rois": False},
    )
    losses = model([torch.rand(3, *size, generator=seed())], [truth], seed())
    sum(losses.values()).backward()
    assert all(loss.isfinite() for loss in losses.values())
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize("pixels", [16, 40])
def test_images_of_a_few_cells(pixels):
    """Not scaled up, so that the feature map is 2 or 5 cells wide."""
    model = new_model(preprocessing={"target_size": 16, "max_size": pixels}, backbone={"frozen_batch_norm": True})
    image, truth = torch.rand(3, 16, pixels), target([[0, 0, 16, 16]], [1])
    assert all(loss.isfinite() for loss in model([image], [truth]).values())
    trace = model.eval().trace([image])
    assert trace.features.shape[2:] == (2, -(-pixels // 8))
    assert trace.detections[0].boxes.isfinite().all()


@torch.no_grad()
def test_a_photo_of_24_megapixels_is_scaled_down_before_anything_else(fresh):
    trace = fresh.eval().trace([torch.rand(3, 1, 1).expand(3, 4000, 6000)])
    assert max(trace.preprocessed.images[0].shape) <= 214
    assert all(found.boxes.isfinite().all() and (found.boxes <= 6000).all() for found in trace.detections)


@torch.no_grad()
def test_images_without_objects_share_a_batch_with_others(fresh):
    image, truth = SCENES[0]
    losses = fresh.trace([image, image], [truth, target([], [])], seed()).losses
    assert all(loss.isfinite() and loss > 0 for loss in losses.values())
    nothing = fresh.trace([image, image], [target([], []), target([], [])], seed()).losses
    assert nothing["rpn_loss_box"] == 0 and nothing["loss_box"] == 0 and nothing["cross_entropy"] > 0


@pytest.mark.parametrize("append", [True, False])
def test_nan_shows_in_the_losses_and_in_no_detection(append):
    model = new_model(backbone={"frozen_batch_norm": True}, proposal_targets={"append_ground_truth": append})
    image = torch.full((3, 64, 64), float("nan"))
    losses = model([image], [target([[0, 0, 9, 9]], [1])])
    assert not sum(losses.values()).isfinite()
    assert len(model.eval()([image])[0]["scores"]) == 0


# --- Half precision.


@torch.no_grad()
@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
def test_detections_under_autocast_are_close(precision):
    """With the bundled detector: one that a test has trained is another one on another processor."""
    model, images = load_model("toy"), [SCENES[number][0] for number in range(4)]
    exact = model(images)
    with torch.autocast("cpu", precision):
        rough = model(images)
    for one, other in zip(exact, rough, strict=True):
        sure = one["scores"] > 0.5
        assert sure.any() and other["boxes"].dtype == torch.float32
        same = one["labels"][sure, None] == other["labels"]
        best, index = (box_iou(one["boxes"][sure], other["boxes"]) * same).max(dim=1)
        assert (best > 0.9).all()
        assert (one["scores"][sure] - other["scores"][index]).abs().max() < 0.1


def test_losses_under_autocast_are_close():
    image, truth = SCENES[0]
    exact = new_model()([image], [truth], seed())
    with torch.autocast("cpu", torch.bfloat16):
        rough = new_model()([image], [truth], seed())
    for name in LOSSES[:3]:  # loss_box depends on which ROIs the rounding happens to bring in
        assert rough[name].dtype == torch.float32
        assert rough[name].item() == pytest.approx(exact[name].item(), rel=0.05, abs=0.02)
    sum(rough.values()).backward()


# --- Alternatives.


@pytest.mark.parametrize(
    "fields", [{"method": "align"}, {"method": "pool"}, {"max_pool": True}, {"align_corners": False}]
)
def test_every_way_of_pooling_trains_and_detects(fields):
    model, (image, truth) = new_model(crop_pooling=fields), SCENES[0]
    losses = model([image], [truth], seed())
    sum(losses.values()).backward()
    assert all(loss.isfinite() for loss in losses.values())
    with torch.no_grad():
        assert model.eval().trace([image]).proposed.crops.shape[1:] == (64, 4, 4)
