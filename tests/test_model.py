"""The whole detector: its interface, batches, gradients, and that it learns."""

import math
from dataclasses import replace

import pytest
import torch
from small_detector import LOSSES, SCENES, configured, new_model, seed, target

from rcnn_tutorial.backbones import Backbone
from rcnn_tutorial.boxes import box_iou
from rcnn_tutorial.checkpoints import load_model
from rcnn_tutorial.config import TOY_TRAINING, BackboneConfig
from rcnn_tutorial.data import load_sample
from rcnn_tutorial.errors import ConfigError, DataError
from rcnn_tutorial.model import FasterRCNN, build_model
from rcnn_tutorial.training import train


@pytest.fixture(scope="module")
def fresh():
    """A detector that nobody trained. Tests leave it as it is."""
    return new_model().eval()


class OneScene(torch.utils.data.Dataset):
    """The scene that `learned` learns by heart."""

    classes = SCENES.classes

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return SCENES[3]


@pytest.fixture(scope="module")
def learned():
    """A detector that was trained on one scene, 150 times."""
    model, plain = new_model(), {"average_decay": 0.0, "scale_jitter": (1.0, 1.0), "flip": False}
    training = replace(TOY_TRAINING, steps=150, batch_size=1, learning_rate=2e-3, warmup=0.0, **plain)
    list(train(model, OneScene(), training))
    return model.eval()


@torch.no_grad()
def test_one_scene_is_learned_by_heart(learned):
    image, truth = SCENES[3]
    (found,) = learned([image])
    sure = found["scores"] > 0.5
    overlaps = box_iou(truth["boxes"].as_subclass(torch.Tensor), found["boxes"][sure])  # (objects, detections)
    right = overlaps * (truth["labels"][:, None] == found["labels"][sure])
    assert len(truth["labels"]) == 5
    assert (right.amax(dim=1) > 0.5).all()  # what counts as found
    assert sure.sum() <= 7


def test_training_returns_the_four_losses():
    losses = new_model()([SCENES[0][0], SCENES[1][0]], [SCENES[0][1], SCENES[1][1]])
    assert list(losses) == LOSSES
    assert all(loss.shape == () and loss.isfinite() and loss.requires_grad for loss in losses.values())
    assert losses["rpn_cross_entropy"].item() == pytest.approx(0.693, abs=0.02)  # ln 2: it knows nothing yet
    assert losses["cross_entropy"].item() == pytest.approx(math.log(len(SCENES.classes) + 1), abs=0.05)


@torch.no_grad()
def test_detection_returns_a_dict_an_image(learned):
    images = [SCENES[3][0], torch.rand(3, 70, 90)]
    found = learned(images)
    assert len(found) == 2
    for one, image in zip(found, images, strict=True):
        count = len(one["scores"])
        assert list(one) == ["boxes", "labels", "scores"]
        assert one["boxes"].shape == (count, 4) and one["boxes"].dtype == torch.float32
        assert one["labels"].shape == (count,) and one["labels"].dtype == torch.int64
        assert type(one["boxes"]) is torch.Tensor
        assert (one["boxes"] >= 0).all() and (one["boxes"][:, [2, 0]] <= image.shape[2]).all()
        assert (one["boxes"][:, [3, 1]] <= image.shape[1]).all()
        assert ((one["labels"] >= 1) & (one["labels"] <= len(SCENES.classes))).all()
        assert (one["scores"].diff() <= 0).all() and (one["scores"] > 0.05).all()


@pytest.mark.parametrize("name", ["toy", "voc"])  # batch norm trained here, frozen there
@torch.no_grad()
def test_the_copy_for_inference_finds_the_same_and_leaves_the_model_alone(name):
    model = load_model(name)
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    fast = model.for_inference()
    assert not any("BatchNorm" in type(module).__name__ for module in fast.modules())
    image = load_sample("scene")[0].as_subclass(torch.Tensor)
    [expected], [found] = model([image]), fast([image])
    keep = expected["scores"] > 0.1  # below, two boxes may change places
    torch.testing.assert_close(found["boxes"][: keep.sum()], expected["boxes"][keep], atol=0.05, rtol=1e-3)
    torch.testing.assert_close(found["scores"][: keep.sum()], expected["scores"][keep], atol=1e-3, rtol=0)
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())


def test_boxes_are_in_the_pixels_of_the_given_image(learned):
    image, truth = SCENES[3]
    larger = torch.nn.functional.interpolate(image.as_subclass(torch.Tensor)[None], scale_factor=2.5, mode="bilinear")[
        0
    ]
    best = learned([larger])[0]["boxes"][:5]
    assert (box_iou(truth["boxes"].as_subclass(torch.Tensor) * 2.5, best).amax(dim=0) > 0.7).all()


@torch.no_grad()
def test_a_tensor_of_images_is_a_list_of_them(learned):
    images = torch.stack([SCENES[3][0], SCENES[2][0]]).as_subclass(torch.Tensor)
    for one, other in zip(learned(images), learned(list(images)), strict=True):
        assert all(torch.equal(one[name], other[name]) for name in one)


@torch.no_grad()
def test_a_trace_holds_every_stage(fresh):
    image, truth = SCENES[0]
    trace = fresh.trace([image], [truth], seed())
    assert trace.features.shape == (1, 64, 16, 16) and trace.feature_sizes.tolist() == [[16, 16]]
    assert trace.anchors.shape == (16 * 16 * 9, 4)
    assert trace.rpn.scores.shape == (1, 2304, 2) and trace.rpn.coefficients.shape == (1, 2304, 4)
    count = trace.proposals.boxes.shape[1]
    assert 0 < count <= 150
    assert trace.anchor_targets.labels.shape == (1, 2304)
    assert trace.proposal_targets.rois.shape == (1, 16, 4)
    assert torch.equal(trace.sampled.rois, trace.proposal_targets.rois)
    assert trace.sampled.crops.shape == (16, 64, 4, 4) and trace.sampled.fc7.shape == (1, 16, 128)
    classes = len(SCENES.classes) + 1
    assert trace.proposed.scores.shape == (1, count, classes)
    assert trace.proposed.coefficients.shape == (1, count, classes, 4)
    assert list(trace.losses) == LOSSES and len(trace.detections) == 1
    assert torch.equal(trace.ground_truth.boxes[0], truth["boxes"].as_subclass(torch.Tensor))


def test_a_trace_holds_what_its_mode_and_its_targets_allow(fresh):
    image, truth = SCENES[0]
    with torch.no_grad():
        detecting = fresh.trace([image])
        training = new_model().train().trace([image], [truth])
    assert detecting.losses is None and detecting.ground_truth is None and detecting.detections is not None
    assert training.detections is None and training.proposed is None and training.losses is not None


@torch.no_grad()
def test_ready_made_proposals_replace_the_rpn_s(fresh):
    image, truth = SCENES[0]
    own = fresh.trace([image]).proposals
    fewer = own._replace(**{name: getattr(own, name)[:, :7] for name in own._fields})
    trace = fresh.trace([image], [truth], proposals=fewer)
    assert torch.equal(trace.proposals.boxes, fewer.boxes) and trace.proposed.scores.shape[1] == 7
    assert len(trace.detections[0].scores) <= 7 * len(SCENES.classes)


def test_the_same_generator_samples_the_same(fresh):
    image, truth = SCENES[0]
    with torch.no_grad():
        first, again, other = (fresh.trace([image], [truth], seed(number)) for number in (1, 1, 2))
    assert first.losses == again.losses and first.losses != other.losses
    assert not torch.equal(first.anchor_targets.labels, other.anchor_targets.labels)


def test_weights_scale_their_losses():
    (image, truth), weights = SCENES[0], {"class_loss_weight": 2.0, "box_loss_weight": 0.5}
    plain = new_model()([image], [truth], seed())
    weighted = new_model(rpn=weights, classification=weights)([image], [truth], seed())
    factors = {"rpn_cross_entropy": 2, "rpn_loss_box": 0.5, "cross_entropy": 2, "loss_box": 0.5}
    for name, factor in factors.items():
        assert weighted[name].item() == pytest.approx(plain[name].item() * factor, rel=1e-5)


@pytest.mark.parametrize(
    "images, targets, message",
    [
        ([], [], "0 images and 0 targets"),
        ([torch.rand(3, 64, 64)], [], "1 images and 0 targets"),
        ([torch.rand(3, 64, 64)], None, "targets = None in training mode"),
    ],
)
def test_training_needs_images_and_a_target_each(fresh, images, targets, message):
    model = FasterRCNN(fresh.config, Backbone(fresh.head, fresh.tail, fresh.stride, 64, 128))
    with pytest.raises(ConfigError, match=message):
        model(images, targets)


def test_labels_beyond_the_classes_are_refused(fresh):
    with pytest.raises(DataError, match="expected 1 to"):
        fresh.trace([torch.rand(3, 64, 64)], [target([[0, 0, 9, 9]], [len(SCENES.classes) + 1])])


def test_vgg16_takes_crops_of_its_own_size_alone():
    with pytest.raises(ConfigError, match="crop_pooling.size = 4: vgg16"):
        build_model(replace(configured(), backbone=BackboneConfig("vgg16")))


# --- A batch equals its single images.


def assert_close(one, other):
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


BATCHES = {"same size": (128, 128), "different sizes": (128, 170)}


def batch_of(name: str) -> tuple[list, list]:
    """The scene that `learned` knows, and a second one as wide as the batch's name says."""
    (image, truth), (other, other_truth) = SCENES[3], SCENES[2]
    more = BATCHES[name][1] - 128
    return [image, torch.nn.functional.pad(other.as_subclass(torch.Tensor), (0, more), value=0.5)], [truth, other_truth]


@pytest.mark.parametrize("name", BATCHES)
@torch.no_grad()
def test_features_proposals_and_detections_of_a_batch_are_its_images_own(learned, name):
    images, _ = batch_of(name)
    together = learned.trace(images)
    assert together.features.shape[3] == -(-BATCHES[name][1] // 8)
    for row, image in enumerate(images):
        alone = learned.trace([image])
        rows, columns = alone.feature_sizes[0].tolist()
        assert together.feature_sizes[row].tolist() == [rows, columns]
        assert_close(together.features[row, :, :rows, :columns], alone.features[0])
        assert not together.features[row, :, :, columns:].any()
        valid = together.proposals.valid[row]
        assert_close(together.proposals.scores[row, valid], alone.proposals.scores[0])
        for one, other in zip(together.detections[row][:3], alone.detections[0][:3], strict=True):
            torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-2)


def passes_of(model, images) -> list[tuple]:
    """The shapes of the batches that pass the head."""
    seen = []
    with model.head.register_forward_pre_hook(lambda _, inputs: seen.append(tuple(inputs[0].shape))):
        model.extract_features(images)
    return seen


@torch.no_grad()
def test_images_of_one_size_share_a_pass_of_the_head(fresh):
    torch.manual_seed(0)
    images = [torch.rand(3, *size) for size in ((32, 48), (48, 32), (32, 48), (40, 40), (48, 32), (32, 48))]
    assert passes_of(fresh, images) == [(3, 3, 32, 48), (2, 3, 48, 32), (1, 3, 40, 40)]
    features, sizes = fresh.extract_features(images)
    assert sizes.tolist() == [[4, 6], [6, 4], [4, 6], [5, 5], [6, 4], [4, 6]] and sizes.device.type == "cpu"
    for row, image in enumerate(images):
        alone, [[rows, columns]] = fresh.extract_features([image])
        assert_close(features[row, :, :rows, :columns], alone[0])
        assert not features[row, :, rows:].any() and not features[row, :, :, columns:].any()


@torch.no_grad()
def test_padding_to_multiples_leaves_few_sizes_in_training_only():
    model = new_model(preprocessing={"pad_to": 16})
    torch.manual_seed(0)
    images = [torch.rand(3, *size) for size in ((33, 48), (40, 41), (32, 48))]
    assert passes_of(model.train(), images) == [(2, 3, 48, 48), (1, 3, 32, 48)]
    assert model.extract_features(images)[1].tolist() == [[5, 6], [5, 6], [4, 6]]  # cells of the image itself
    assert passes_of(model.eval(), images) == [(1, 3, 33, 48), (1, 3, 40, 41), (1, 3, 32, 48)]


def test_no_anchor_and_no_proposal_lies_in_the_padding():
    model = new_model(preprocessing={"pad_to": 64, "target_size": 100, "max_size": 150})
    image, truth = SCENES[0]
    trace = model.train().trace([image], [truth], seed())
    assert trace.preprocessed.sizes.tolist() == [[100, 100]] and trace.features.shape[2:] == (13, 13)
    assert trace.proposals.boxes.max() <= 100
    sampled = trace.anchors[trace.anchor_targets.labels[0] >= 0]
    assert len(sampled) and sampled.max() <= 100
    sum(trace.losses.values()).backward()


@pytest.mark.parametrize("name", BATCHES)
@torch.no_grad()
def test_losses_of_a_batch_are_the_mean_of_its_images(learned, monkeypatch, name):
    for layer in ("anchor_target", "proposal_target"):  # the first candidates, whatever the size of the batch
        monkeypatch.setattr(
            f"rcnn_tutorial.stages.{layer}.random_keys",
            lambda like, generator: torch.linspace(0.9, 0.1, like.shape[1]).expand(like.shape),
        )
    images, targets = batch_of(name)
    together = learned.trace(images, targets)
    alone = [learned.trace([image], [one]) for image, one in zip(images, targets, strict=True)]
    assert torch.equal(
        (together.anchor_targets.labels >= 0).sum(dim=1),
        torch.stack([(trace.anchor_targets.labels >= 0).sum() for trace in alone]),
    )
    for loss in LOSSES:
        assert_close(together.losses[loss], sum(trace.losses[loss] for trace in alone) / 2)


@pytest.mark.parametrize("method", ["align", "pool"])
@torch.no_grad()
def test_crops_at_the_border_do_not_see_the_padding_of_the_batch(fresh, method):
    model = new_model(crop_pooling={"method": method}).eval()
    images, _ = batch_of("different sizes")
    together, alone = model.trace(images), model.trace(images[:1])
    count = alone.proposals.boxes.shape[1]
    assert_close(together.proposed.scores[0, :count], alone.proposed.scores[0])


@torch.no_grad()
def test_anchors_of_padded_cells_are_not_sampled_whatever_the_border():
    model = new_model(anchor_targets={"border": 1000.0, "batch_size": 10**6}).eval()
    images, targets = batch_of("different sizes")
    together, alone = model.trace(images, targets), model.trace(images[:1], targets[:1])
    count = (together.anchor_targets.labels[0] >= 0).sum()
    assert count == (alone.anchor_targets.labels[0] >= 0).sum()


# --- Gradients.


def gradient_of_the_rpn_s_box_layer(**sections):
    """What the detector's two losses alone send there."""
    model, (image, truth) = new_model(**sections), SCENES[0]
    losses = model.trace([image], [truth], seed()).losses
    detector = losses["cross_entropy"] + losses["loss_box"]
    return torch.autograd.grad(detector, model.rpn.coefficients.weight, allow_unused=True)[0]


def test_detached_rois_send_nothing_to_the_rpn_and_attached_ones_do():
    proposals_only = {"append_ground_truth": False}
    assert gradient_of_the_rpn_s_box_layer(proposal_targets=proposals_only) is None
    attached = gradient_of_the_rpn_s_box_layer(proposal_targets=proposals_only, crop_pooling={"detach_rois": False})
    assert attached.isfinite().all() and attached.any()


def test_every_trained_parameter_gets_a_gradient():
    model, (image, truth) = new_model(), SCENES[0]
    sum(model([image], [truth]).values()).backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_frozen_blocks_stay_as_they_are():
    model = new_model(backbone={"frozen_blocks": 2}).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    sum(model([SCENES[0][0]], [SCENES[0][1]]).values()).backward()
    optimizer.step()
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert not any(name.startswith(("head.stem", "head.layer1")) for name in changed)
    assert {"head.layer2.0.bn1.running_mean", "head.layer2.0.conv1.weight"} <= changed
