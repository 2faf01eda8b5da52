"""ONNX: the graph for the course's pages gives, in onnxruntime, every tensor of the model's trace."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from PIL import Image

from rcnn_tutorial.assets import asset_path
from rcnn_tutorial.checkpoints import load_model
from rcnn_tutorial.data import ToyScenes
from rcnn_tutorial.export_trace import export_trace, named_tensors

TOLERANCE = 1e-3
WEIGHTS = 5_500_000  # bytes that the bundled detector's checkpoint holds, about


@pytest.fixture(scope="module")
def detector():
    return load_model("voc")


@pytest.fixture(scope="module")
def exported(detector, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "trace.onnx"
    assert export_trace(detector, path) == path.stat().st_size
    return path


@pytest.fixture(scope="module")
def session(exported):
    return onnxruntime.InferenceSession(exported)


def photo_of(name: str) -> np.ndarray:
    """(H, W, 3) uint8."""
    if name == "lake":
        return np.array(Image.open(asset_path("samples/lake.jpg")).convert("RGB"))
    size = tuple(map(int, name.split("x")))
    return (ToyScenes("val", size=size)[0][0] * 255).byte().permute(1, 2, 0).numpy()


def run(session, photo: np.ndarray, count: int) -> dict[str, np.ndarray]:
    pixels = np.concatenate([photo, np.zeros_like(photo[..., :1])], axis=-1)  # (H, W, 4)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"pixels": pixels, "count": np.array(count)}), strict=True))


@pytest.mark.parametrize("name", ["lake", "128x320", "700x90"])
def test_every_tensor_is_the_trace_s(detector, session, name):
    photo = photo_of(name)
    with torch.inference_mode():
        trace = detector.trace([torch.from_numpy(photo).permute(2, 0, 1).float() / 255])
    expected, found = named_tensors(trace), run(session, photo, 1000)
    assert list(found) == list(expected)
    for key, tensor in expected.items():
        assert found[key].dtype == (np.float32 if tensor.is_floating_point() else np.int32), key
        np.testing.assert_allclose(found[key], tensor.numpy(), atol=TOLERANCE, rtol=0, err_msg=key)
    assert len(expected["proposals.boxes"]) == 300 and len(expected["detections.boxes"]) > 50


def test_fewer_proposals_are_the_first_ones(session):
    photo = photo_of("lake")
    all_of_them, some = run(session, photo, 300), run(session, photo, 100)
    for key in all_of_them.keys() - {name for name in all_of_them if name.startswith("detections.")}:
        few = all_of_them[key][:100] if key.startswith("propos") else all_of_them[key]
        np.testing.assert_allclose(some[key], few, atol=1e-4, rtol=0, err_msg=key)
    assert some["detections.roi_indices"].max() < 100


def test_the_weights_are_stored_as_they_were_saved(exported):
    assert exported.stat().st_size < 1.1 * WEIGHTS
    kinds = [weights.data_type for weights in onnx.load(exported).graph.initializer if np.prod(weights.dims) > 5000]
    assert set(kinds) == {onnx.TensorProto.FLOAT16}


def test_the_file_is_valid_and_names_its_classes(detector, exported):
    model = onnx.load(exported)
    onnx.checker.check_model(model, full_check=True)
    assert json.loads({entry.key: entry.value for entry in model.metadata_props}["classes"]) == list(detector.classes)
