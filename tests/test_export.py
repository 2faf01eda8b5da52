"""ONNX: an exported detector, in onnxruntime, finds what the model finds, on photos of any size."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from small_detector import new_model

from rcnn_tutorial.config import PreprocessingConfig
from rcnn_tutorial.data import ToyScenes
from rcnn_tutorial.devices import constant
from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.export import export_onnx, preprocess_photo
from rcnn_tutorial.fast import crops
from rcnn_tutorial.stages.preprocessing import preprocess

SIZES = [(128, 128), (200, 90), (333, 500)]
NARROW = [(4, 300), (600, 2)]  # one cell high, one wide


@pytest.fixture(scope="module")
def detector():
    """Random weights, but for scores that lie far enough apart not to change places by rounding; RoIAlign."""
    model = new_model(crop_pooling={"method": "align"}, inference={"score_threshold": 0.1}).eval()
    with torch.no_grad():
        model.rpn.scores.weight *= 30
        model.classification.cls_score_net.weight *= 30
        model.classification.bbox_pred_net.weight *= 30
    return model


@pytest.fixture(scope="module")
def exported(detector, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "new folder" / "small.onnx"
    constant.cache_clear()  # what is made while the graph is recorded must not stay there
    assert export_onnx(detector, path) == path.stat().st_size
    return path


@pytest.fixture(scope="module")
def session(exported):
    return onnxruntime.InferenceSession(exported)


def photo_of(height: int, width: int) -> torch.Tensor:
    return ToyScenes("val", size=(height, width))[0][0]


@pytest.mark.parametrize("size", [*SIZES, *NARROW], ids=str)
def test_onnxruntime_finds_what_the_model_finds(detector, session, size):
    photo = photo_of(*size) if size in SIZES else torch.rand(3, *size)
    with torch.inference_mode():
        (expected,) = detector([photo])
    boxes, labels, scores = session.run(None, {"image": photo.numpy()})
    assert len(expected["labels"]) > 5
    assert labels.tolist() == expected["labels"].tolist()
    assert np.abs(boxes - expected["boxes"].numpy()).max() < 1e-4 * max(size)
    assert np.abs(scores - expected["scores"].numpy()).max() < 1e-4


def test_the_file_is_valid_and_names_its_classes(detector, exported):
    model = onnx.load(exported)
    onnx.checker.check_model(model, full_check=True)
    assert json.loads({entry.key: entry.value for entry in model.metadata_props}["classes"]) == list(detector.classes)
    (image,) = model.graph.input
    assert image.name == "image"
    channels, height, width = image.type.tensor_type.shape.dim
    assert channels.dim_value == 3 and height.dim_param and width.dim_param


@pytest.mark.parametrize(
    "size", [(1, 1), (600, 800), (333, 500), (75, 101), (1, 900), (2000, 17), (401, 1003)], ids=str
)
@pytest.mark.parametrize("config", [PreprocessingConfig(), PreprocessingConfig(128, 214)], ids=["voc", "toy"])
def test_a_photo_is_preprocessed_as_by_the_stage(size, config):
    photo = torch.rand(3, *size)
    expected, found = preprocess([photo], config), preprocess_photo(photo, config)
    for one, other in zip(found[1:], expected[1:], strict=True):
        assert torch.equal(one, other)
    torch.testing.assert_close(found.images[0], expected.images[0], atol=2e-4, rtol=0)


def test_many_channels_are_cropped_by_the_operator_that_onnx_has():
    class Crop(torch.nn.Module):
        def forward(self, features, grid):
            return crops.grid_sample(features, grid, True)

    inputs = torch.rand(1, crops.MANY_CHANNELS, 4, 4), torch.rand(1, 3, 3, 2)
    called = {node.name for node in torch.export.export(Crop(), inputs).graph.nodes}
    assert "grid_sampler" in called and not any(name.startswith("embedding_bag") for name in called)


@pytest.mark.parametrize(
    ("name", "pooling", "complaint"),
    [
        ("a.pt", {}, "ends in .onnx"),
        ("a", {}, "ends in .onnx"),
        ("a.onnx", {"method": "pool"}, "cannot export RoIPool"),
        ("a.onnx", {"size": 1}, "cannot export a crop of one value"),
    ],
)
def test_what_cannot_be_exported_is_refused_before_anything_is_written(name, pooling, complaint, tmp_path):
    with pytest.raises(ConfigError, match=complaint):
        export_onnx(new_model(crop_pooling=pooling), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("pooling", [{"size": 1, "method": "align"}, {"size": 1, "max_pool": True}])
def test_a_crop_of_one_value_is_exported_where_it_comes_of_more(pooling, tmp_path):
    assert export_onnx(new_model(crop_pooling=pooling), tmp_path / "a.onnx") > 1e6
