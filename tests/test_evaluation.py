"""Average precision against the reference's own figures and against pycocotools; recall; the walk over a data set."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from rcnn_tutorial.boxes import box_iou
from rcnn_tutorial.checkpoints import load_model
from rcnn_tutorial.config import toy_config
from rcnn_tutorial.data.toy import ToyScenes
from rcnn_tutorial.errors import ConfigError, DataError
from rcnn_tutorial.evaluation import (
    ap_by_size,
    area_ap,
    coco_ap,
    eleven_point_ap,
    evaluate,
    precision_recall,
    proposal_recall,
    voc_ap,
)
from rcnn_tutorial.model import FasterRCNN, build_model

GOLDEN = np.load(Path(__file__).parent / "golden" / "13_voc_eval.npz")
NAMES = ("cat", "dog", "car")
TO_CONTINUOUS = torch.tensor([-1, -1, 0, 0])  # from VOC's boxes, which are inclusive and counted from 1


def golden_set(use_difficult: bool):
    """The reference's synthetic set as (detections, targets) of 8 images."""
    truth = torch.tensor(GOLDEN["gt_img_cls_x1y1x2y2_difficult"])
    found = torch.tensor(GOLDEN["det_img_cls_score_x1y1x2y2"])
    targets, detections = [], []
    for image in range(8):
        rows = truth[truth[:, 0] == image]
        difficult = rows[:, 6].bool() & (not use_difficult)
        targets.append({"boxes": rows[:, 2:6] + TO_CONTINUOUS, "labels": rows[:, 1].long() + 1, "difficult": difficult})
        rows = found[found[:, 0] == image]
        detections.append(
            {"boxes": rows[:, 3:7] + TO_CONTINUOUS, "labels": rows[:, 1].long() + 1, "scores": rows[:, 2]}
        )
    return detections, targets


def image(boxes, labels, **more):
    """One image's target or detections from plain lists."""
    boxes = torch.tensor(boxes, dtype=torch.float).reshape(-1, 4)
    return {"boxes": boxes, "labels": torch.tensor(labels, dtype=torch.long)} | {
        name: torch.tensor(value) for name, value in more.items()
    }


def random_set(seed: int, images: int = 12, classes: int = 3):
    """Objects on a wide grid, so that no detection reaches two of them, and detections around them."""
    generator = torch.Generator().manual_seed(seed)
    corners = torch.cartesian_prod(torch.arange(3), torch.arange(2)) * 200.0  # (6, 2)
    targets, detections = [], []
    for _ in range(images):
        sides = 40 + 60 * torch.rand(6, 2, generator=generator)
        boxes = torch.cat([corners, corners + sides], dim=1)
        labels = torch.randint(1, classes + 1, (6,), generator=generator)
        keep = torch.rand(6, generator=generator) < 0.6
        targets.append({"boxes": boxes[keep], "labels": labels[keep]})
        source = torch.randint(0, 6, (30,), generator=generator)
        detections.append(
            {
                "boxes": boxes[source] + 8 * torch.randn(30, 4, generator=generator),
                "labels": labels[source],
                "scores": torch.rand(30, generator=generator),
            }
        )
    return detections, targets, [f"class {label}" for label in range(classes)]


@pytest.mark.parametrize("case", ["perfect", "none", "mixed", "late"])
def test_ap_of_a_curve_equals_the_reference(case):
    precision, recall = (torch.tensor(GOLDEN[f"{case}__{name}"]) for name in ("prec", "rec"))
    assert eleven_point_ap(precision, recall) == pytest.approx(float(GOLDEN[f"{case}__ap_07"]), abs=1e-12)
    assert area_ap(precision, recall) == pytest.approx(float(GOLDEN[f"{case}__ap_area"]), abs=1e-12)


@pytest.mark.parametrize("use_difficult", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_curves_and_ap_of_a_set_equal_the_reference(use_difficult, name):
    detections, targets = golden_set(use_difficult)
    key = f"{name}_diff{int(use_difficult)}"
    curve = precision_recall(detections, targets, NAMES)[name]
    np.testing.assert_allclose(curve.precision, GOLDEN[f"{key}_prec"], atol=1e-12)
    np.testing.assert_allclose(curve.recall, GOLDEN[f"{key}_rec"], atol=1e-12)
    for metric, flag in (("voc07", 1), ("voc", 0)):
        expected = float(GOLDEN[f"{key}_07{flag}_ap"])
        if not curve.objects:
            expected = math.nan  # the reference's 11-point AP says 0 here, which would pull the mean down
        assert voc_ap(detections, targets, NAMES, metric).per_class[name] == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("seed", range(4))
def test_matching_and_coco_ap_agree_with_pycocotools(seed):
    """COCO's AP is the mean precision at 101 recalls, averaged over ten thresholds; ours on separate objects too."""
    detections, targets, classes = random_set(seed)
    recalls = torch.tensor(np.linspace(0, 1, 101))
    expected = {name: [] for name in classes}
    for threshold in np.arange(0.5, 1, 0.05):
        for name, curve in precision_recall(detections, targets, classes, threshold).items():
            reached = curve.recall >= recalls[:, None]
            expected[name].append(torch.where(reached, curve.precision, 0.0).amax(dim=1).mean().item())
    result = coco_ap(detections, targets, classes)
    assert 0.05 < result.mean < 0.95
    for name in classes:
        assert result.per_class[name] == pytest.approx(np.mean(expected[name]), abs=1e-6)
    assert result.mean == pytest.approx(np.mean(list(result.per_class.values())))


@pytest.mark.parametrize("metric", ["voc07", "voc"])
def test_detections_that_equal_the_objects_score_one(metric):
    _, targets, classes = random_set(0)
    detections = [{**target, "scores": torch.ones(len(target["labels"]))} for target in targets]
    assert voc_ap(detections, targets, classes, metric).mean == pytest.approx(1)
    assert coco_ap(detections, targets, classes).mean == pytest.approx(1)


def test_second_detection_of_an_object_is_wrong():
    target = image([[0, 0, 10, 10], [50, 50, 60, 60]], [1, 1])
    found = image([[0, 0, 10, 10], [0, 0, 10, 9], [50, 50, 60, 60]], [1, 1, 1], scores=[0.9, 0.8, 0.7])
    curve = precision_recall([found], [target], ["thing"])["thing"]
    assert curve.precision.tolist() == pytest.approx([1, 1 / 2, 2 / 3])
    assert curve.recall.tolist() == pytest.approx([1 / 2, 1 / 2, 1])


def test_difficult_objects_are_neutral():
    target = image([[0, 0, 10, 10], [50, 50, 60, 60]], [1, 1], difficult=[False, True])
    found = image([[50, 50, 60, 60], [50, 50, 60, 59], [0, 0, 10, 10]], [1, 1, 1], scores=[0.9, 0.8, 0.7])
    curve = precision_recall([found], [target], ["thing"])["thing"]
    assert curve.objects == 1
    assert curve.precision[-1] == 1
    assert voc_ap([found], [target], ["thing"]).mean == 1
    assert coco_ap([found], [target], ["thing"]).mean == pytest.approx(1)
    assert proposal_recall([torch.tensor([[0.0, 0, 10, 10]])], [target], (1,)) == {1: 1.0}


def test_ap_by_size_counts_every_object_at_its_own_size_alone():
    small, medium, large = [0.0, 0, 20, 20], [100.0, 100, 160, 160], [200.0, 200, 400, 400]
    target = image([small, medium, large], [1, 1, 2])
    stray = [500.0, 0, 520, 20]  # hits nothing, and is small: wrong there alone
    found = image([stray, small, medium], [1, 1, 1], scores=[0.9, 0.8, 0.7])
    expected = {"small": 0.5, "medium": 1.0, "large": 0.0}
    assert ap_by_size([found], [target], ["one", "two"]) == pytest.approx(expected)
    only_large = ap_by_size([image([], [], scores=[])], [image([large], [1])], ["one"])
    assert only_large["large"] == 0 and math.isnan(only_large["small"]) and math.isnan(only_large["medium"])


def test_overlap_must_exceed_the_threshold():
    target = image([[0, 0, 10, 10]], [1])
    exactly_half = image([[0, 0, 10, 5]], [1], scores=[0.9])
    assert voc_ap([exactly_half], [target], ["thing"]).mean == 0
    assert voc_ap([exactly_half], [target], ["thing"], iou_threshold=0.49).mean == 1


def test_only_the_right_class_and_image_count():
    targets = [image([[0, 0, 10, 10]], [1]), image([], [])]
    wrong_class = [image([[0, 0, 10, 10]], [2], scores=[0.9]), image([], [], scores=[])]
    wrong_image = [image([], [], scores=[]), image([[0, 0, 10, 10]], [1], scores=[0.9])]
    for detections in (wrong_class, wrong_image):
        assert voc_ap(detections, targets, ["one", "two"]).per_class["one"] == 0
        assert coco_ap(detections, targets, ["one", "two"]).per_class["one"] == 0


@pytest.mark.parametrize("count", [voc_ap, coco_ap])
def test_class_without_objects_is_nan_and_left_out_of_the_mean(count):
    target = image([[0, 0, 10, 10]], [1])
    found = image([[0, 0, 10, 10], [0, 0, 5, 5]], [1, 2], scores=[0.9, 0.8])
    result = count([found], [target], ["one", "two"])
    assert math.isnan(result.per_class["two"])
    assert result.mean == pytest.approx(1)
    nothing = count([image([], [], scores=[])], [image([], [])], ["one", "two"])
    assert math.isnan(nothing.mean)


def test_pycocotools_prints_nothing(capsys):
    coco_ap(*random_set(0))
    assert capsys.readouterr() == ("", "")


def test_proposal_recall_counts_the_first_proposals():
    targets = [image([[0, 0, 10, 10], [20, 20, 30, 30]], [1, 1]), image([], []), image([[0, 0, 8, 8]], [1])]
    proposals = [
        torch.tensor([[0.0, 0, 10, 5], [20, 20, 30, 29]]),
        torch.tensor([[0.0, 0, 1, 1]]),
        torch.zeros(0, 4),
    ]
    assert proposal_recall(proposals, targets, (1, 2, 50)) == {
        1: pytest.approx(1 / 3),
        2: pytest.approx(2 / 3),
        50: pytest.approx(2 / 3),
    }
    assert math.isnan(proposal_recall([torch.zeros(0, 4)], [image([], [])], (50,))[50])


class Scenes(torch.utils.data.Dataset):
    """Toy scenes, every second one without its objects."""

    def __init__(self, length):
        self.scenes = ToyScenes("val", length or 1, size=(96, 128))
        self.length, self.classes = length, self.scenes.classes

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        scene, target = self.scenes[index]
        keep = slice(0 if index % 2 else None)
        return scene, target | {name: target[name][keep] for name in ("boxes", "labels", "difficult")}


class MixedScenes(Scenes):
    """Scenes of three sizes."""

    def __getitem__(self, index):
        return ToyScenes("val", size=((96, 128), (128, 96), (128, 128))[index % 3])[index]


@pytest.fixture
def model():
    config = toy_config(Scenes(0).classes)
    config = replace(config, preprocessing=replace(config.preprocessing, target_size=64, max_size=128))
    config = replace(config, inference=replace(config.inference, score_threshold=0.0))
    torch.manual_seed(0)
    return build_model(config)


def test_evaluate_walks_the_whole_set_and_leaves_the_model_as_it_was(model, capsys):
    model.train()
    model.tail.eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    evaluation = evaluate(model, Scenes(4), metric="voc", progress=False)
    assert capsys.readouterr() == ("", "")
    assert (evaluation.metric, evaluation.images, len(evaluation.detections)) == ("voc", 4, 4)
    assert model.training and model.head.training and not model.tail.training
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())

    targets = [Scenes(4)[index][1] for index in range(4)]
    expected = voc_ap(evaluation.detections, targets, model.classes, "voc")
    assert (evaluation.mAP, evaluation.per_class) == (expected.mean, pytest.approx(expected.per_class, nan_ok=True))


def test_evaluate_measures_recall_in_the_pixels_of_the_image(model):
    """The images are scaled by 2 / 3 on their way in; the proposals have to come back to the objects' pixels."""
    scenes = Scenes(1)
    scene, target = scenes[0]
    model.eval()
    proposals = model.trace([scene]).proposals.boxes[0] * 1.5
    objects = target["boxes"][~target["difficult"]]
    covered = (box_iou(objects, proposals) >= 0.5).any(dim=1).float().mean().item()
    assert evaluate(model, scenes, progress=False).recall[300] == pytest.approx(covered)


def test_evaluate_shows_progress_on_stderr_only(model, capsys):
    evaluate(model, Scenes(1), metric="coco")
    out, err = capsys.readouterr()
    assert out == "" and "evaluate" in err


def test_evaluate_refuses_what_cannot_work(model):
    with pytest.raises(ConfigError, match="metric 'mAP'"):
        evaluate(model, Scenes(1), metric="mAP")
    with pytest.raises(DataError, match="no images"):
        evaluate(model, Scenes(0))
    other = Scenes(1)
    other.classes = ("something", "else")
    with pytest.raises(ConfigError, match="something"):
        evaluate(model, other)


@pytest.mark.parametrize("batch_size", [2, 3, 8])
def test_batches_give_what_single_images_give(batch_size):
    model, scenes = load_model("toy"), MixedScenes(7)
    single, together = (evaluate(model, scenes, progress=False, batch_size=size) for size in (1, batch_size))
    assert together.recall == single.recall and together.per_class == pytest.approx(single.per_class, nan_ok=True)
    for one, other in zip(single.detections, together.detections, strict=True):
        assert torch.equal(one["labels"], other["labels"])
        torch.testing.assert_close(one["boxes"], other["boxes"], rtol=1e-3, atol=1e-2)


def test_evaluation_takes_the_fast_copy(model, monkeypatch):
    seen = []
    original = FasterRCNN.add_detections

    def add_detections(self, trace):
        seen.append((len(trace.preprocessed.images), isinstance(self.head.stem[1], torch.nn.Identity)))
        original(self, trace)

    monkeypatch.setattr(FasterRCNN, "add_detections", add_detections)
    evaluate(model, Scenes(5), progress=False, batch_size=2)
    assert seen == [(2, True), (2, True), (1, True)]
    assert not isinstance(model.head.stem[1], torch.nn.Identity)


def test_a_batch_of_none_is_refused(model):
    with pytest.raises(ConfigError, match="batch_size = 0: use at least one image"):
        evaluate(model, Scenes(1), batch_size=0)
