"""The explorers that the page for one's own photo makes are those that Python makes of the same photo."""

import base64
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from explorer_cases import CONFIG, IMAGE
from node import needs_node

from rcnn_tutorial.checkpoints import load_model
from rcnn_tutorial.course.bundle import bundle
from rcnn_tutorial.course.live import LESSONS
from rcnn_tutorial.course.own_photo import SECTIONS, explorers_of, packed_templates
from rcnn_tutorial.course.scripts import sources
from rcnn_tutorial.data import load_sample
from rcnn_tutorial.explorers import three_generations, tour
from rcnn_tutorial.explorers.twin import Pack, exported, module_of
from rcnn_tutorial.export_trace import named_tensors
from rcnn_tutorial.model import FasterRCNN, build_model
from rcnn_tutorial.scene import to_uint8

COMPARE = Path(__file__).with_name("on_photo.mjs")
UNUSED = "proposed.fc7"  # large, and no explorer draws from it
SIZES = {"wide": (70, 180), "high": (150, 60), "small": (40, 50), "one row": (1, 90)}  # height, width


def photo_of(height: int, width: int) -> torch.Tensor:
    """Of bytes, as every photo of a page is."""
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (3, height, width), generator=generator) / 255


def patches() -> torch.Tensor:
    """A photo of patches, each of nearly one color, so that it has segments."""
    coarse = photo_of(7, 18).repeat_interleave(10, dim=1).repeat_interleave(10, dim=2)  # (3, 70, 180)
    return ((0.9 * coarse + 0.1 * photo_of(70, 180)) * 255).round() / 255


@pytest.fixture(scope="module")
def detector() -> FasterRCNN:
    torch.manual_seed(0)
    return build_model(CONFIG).eval()


@pytest.fixture(autouse=True)
def stored_pictures_are_pixels(monkeypatch):
    """As the page has them, to compare; a lesson has files."""
    for module in (tour, three_generations):
        monkeypatch.setattr(module, "encode_image", lambda pixels: pixels)


def in_text(array: np.ndarray) -> dict:
    """An array as the detector gives it, for JSON: whole numbers as int32, bytes as they are."""
    fitting = array.astype(np.int32) if array.dtype == np.int64 else array
    kind, data = fitting.dtype.name, fitting.tobytes()
    return {"shape": list(array.shape), "kind": kind, "data": base64.b64encode(data).decode("ascii")}


def compared(image: torch.Tensor, detector: FasterRCNN, folder: Path, changed: dict[str, str] | None = None) -> str:
    """What differs between Python's explorers on a photo (3, H, W) and the page's. changed: other texts of modules."""
    explorers, pack = explorers_of(image, detector), Pack()
    with torch.no_grad():
        trace = named_tensors(detector.trace([image]))
    pixels = [[None if c.picture is None else to_uint8(c.picture) for c in one.canvases] for one in explorers]
    alpha = np.full((*image.shape[1:], 1), 255, np.uint8)
    given = packed_templates(explorers_of(IMAGE, detector), detector) | {
        "explorers": [exported(one, pack) for one in explorers],
        "pictures": pack.add(pixels),
        "trace": {name: in_text(tensor.numpy()) for name, tensor in trace.items() if name != UNUSED},
        "photo": in_text(np.concatenate([to_uint8(image), alpha], axis=2)),
    }
    given["pack"] = base64.b64encode(pack.bytes).decode("ascii")
    script, file = folder / "page.js", folder / "given.json"
    modules = [*sorted({module_of(one) for one in explorers}), "state.js", "on_photo.js"]
    script.write_text(bundle(modules, sources() | (changed or {})), encoding="utf-8")
    file.write_text(json.dumps(given), encoding="utf-8")
    run = subprocess.run(["node", COMPARE, script, file], capture_output=True, encoding="utf-8")
    assert run.returncode == 0 or run.stdout.strip(), run.stderr
    return run.stdout.strip()


@needs_node
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_an_explorer_of_another_photo_is_python_s(size, detector, tmp_path):
    assert compared(photo_of(*size), detector, tmp_path) == ""


@needs_node
def test_an_explorer_of_a_photo_with_segments_is_python_s(detector, tmp_path):
    assert compared(patches(), detector, tmp_path) == ""


@needs_node
def test_an_explorer_of_the_bundled_detector_is_python_s(tmp_path):
    assert compared(load_sample("lake")[0], load_model("voc"), tmp_path) == ""


WRONG = {
    "on_photo.js": [
        ("ROOM = 0.16", "ROOM = 0.2"),
        ("[0.3, 0.3", "[0.2, 0.3"),
        ("[0.1, 0.42", "[0.1, 0.45"),
        ("sum / channels", "sum / 2"),
        ("-low / reach", "low / reach"),
        ("roiOf({ detections })", "1"),
        ("scaled: seen.shape.slice(1)", "scaled: [1, 1]"),
        ("surest[row], 2", "surest[row], 3"),
        ("f(share) *", "0.9 * share *"),
        ("merges / 2", "merges / 3"),
        ("red / pixels", "red"),
    ],
    "pixels.js": [("255 *", "253 *"), ("/ longest", "/ 100")],
    "segmentation.js": [
        ("SIGMA = 0.8", "SIGMA = 0.9"),
        ("LEAST = 50", "LEAST = 40"),
        ("scale / 255", "scale / 25"),
        ("sizes[root] += sizes[joined]", "sizes[root] += 1"),
        ("Math.cbrt(value)", "Math.sqrt(value)"),
        ("value / 12.92", "value"),
        ("2 * length - 1 - round", "0"),
        ("[-1, 1]]", "[1, 0]]"),
    ],
    "selective_search.js": [
        ("[25, 10, 8]", "[25, 20, 8]"),
        ("STEEPEST = 0.1", "STEEPEST = 0.2"),
        ("Math.sin(angle)", "Math.cos(angle)"),
        ("b.rank - a.rank", "a.rank - b.rank"),
        ("- size; // of neither", "; // of neither"),
        ("mine * share", "share"),
        ("(i + 1) % width ? i + 1 : -1", "i + 1"),
    ],
    "queue.js": [("(place - 1) >> 1", "0"), ("this.before(left + 1, left)", "false")],
}


@needs_node
@pytest.mark.parametrize(
    ("module", "right", "wrong"), [(module, *change) for module, changes in WRONG.items() for change in changes]
)
def test_an_explorer_made_otherwise_is_caught(module, right, wrong, detector, tmp_path):
    text = sources()[module]
    assert right in text
    assert "Python" in compared(patches(), detector, tmp_path, {module: text.replace(right, wrong)})


def test_every_section_has_its_explorer_and_names_a_lesson(detector):
    explorers = explorers_of(photo_of(70, 180), detector)
    assert len(explorers) == len(SECTIONS)
    for (lesson, _), explorer in zip(SECTIONS, explorers, strict=True):
        assert type(explorer) in {type(one) for one in LESSONS[lesson]()}, lesson


def test_no_explorer_says_that_its_photos_are_in_the_notebook(detector):
    templates = packed_templates(explorers_of(IMAGE, detector), detector)["templates"]
    assert [one["kind"] for one in templates if one["left_out"]] == []
