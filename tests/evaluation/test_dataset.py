"""The walk over a data set."""

from dataclasses import replace

import pytest
import torch

from rcnn_tutorial.boxes import box_iou
from rcnn_tutorial.checkpoints import load_model
from rcnn_tutorial.config import toy_config
from rcnn_tutorial.data.toy import ToyScenes
from rcnn_tutorial.errors import ConfigError, DataError
from rcnn_tutorial.evaluation import (
    evaluate,
    voc_ap,
)
from rcnn_tutorial.model import FasterRCNN, build_model


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
    assert evaluation.indices == [0, 1, 2, 3]
    for kept, target in zip(evaluation.targets, targets, strict=True):
        assert all(torch.equal(kept[name], target[name]) for name in ("boxes", "labels", "difficult"))
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


@pytest.mark.parametrize("batch_size", [2, 3, 8])
def test_batches_give_what_single_images_give(batch_size):
    model, scenes = load_model("toy"), MixedScenes(7)
    single, together = (evaluate(model, scenes, progress=False, batch_size=size) for size in (1, batch_size))
    assert together.recall == single.recall and together.per_class == pytest.approx(single.per_class, nan_ok=True)
    for one, other in zip(single.detections, together.detections, strict=True):
        assert torch.equal(one["labels"], other["labels"])
        torch.testing.assert_close(one["boxes"], other["boxes"], rtol=1e-3, atol=1e-2)


def test_a_batch_of_none_is_refused(model):
    with pytest.raises(ConfigError, match="batch_size = 0: use at least one image"):
        evaluate(model, Scenes(1), batch_size=0)
