"""The page for a reader's own photo: the detector as files that a page from a disk can load, and explorers to fill.

The page computes with onnxruntime-web, which npm brings; where it is missing, the site does without this page.
"""

from __future__ import annotations

import base64
import gzip
import json
import math
import os
import re
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from rcnn_tutorial.checkpoints import load_model
from rcnn_tutorial.course.bundle import bundle
from rcnn_tutorial.course.kept_graph import graph_of
from rcnn_tutorial.course.scripts import embedded, page_script, sources
from rcnn_tutorial.data import load_sample
from rcnn_tutorial.errors import ConfigError, DataError
from rcnn_tutorial.explorers.anchors import EXAMPLES, AnchorExplorer, IoUExplorer
from rcnn_tutorial.explorers.classification import ClassificationExplorer
from rcnn_tutorial.explorers.crop_pooling import CropPoolingExplorer
from rcnn_tutorial.explorers.explorer import Explorer
from rcnn_tutorial.explorers.inference_nms import DetectionExplorer
from rcnn_tutorial.explorers.preprocessing import PreprocessingExplorer
from rcnn_tutorial.explorers.proposal_target import ProposalTargetExplorer
from rcnn_tutorial.explorers.rpn_loss import AnchorLabelExplorer
from rcnn_tutorial.explorers.suppression import NMSExplorer, of_the_surest_class
from rcnn_tutorial.explorers.three_generations import SCALE, GenerationsExplorer, SelectiveSearchExplorer
from rcnn_tutorial.explorers.tour import StoryExplorer, TourExplorer
from rcnn_tutorial.explorers.twin import Pack, exported, module_of
from rcnn_tutorial.export import require_onnx
from rcnn_tutorial.fields import to_dict
from rcnn_tutorial.figures.tour import Tour
from rcnn_tutorial.model import FasterRCNN
from rcnn_tutorial.stages.preprocessing import resize

DETECTOR = "voc"
FOLDER = "own_photo"
TITLE = "Your own photo"
FOR = "the page for one's own photo"  # what needs what may be missing
INSTALL = "npm install --prefix build onnxruntime-web@1.30.0"  # the version that was tried
LONGEST = 500  # pixels: the longer side of the photo that is segmented; a phone takes its time
PIECE = 1_500_000  # bytes in a script: progress is told after each
MODULE, WASM = "dist/ort.wasm.bundle.min.mjs", "dist/ort-wasm-simd-threaded.wasm"  # of onnxruntime-web
# The lessons whose explorers the page shows, with a heading; one of each of `explorers_of`, in their order.
SECTIONS = (
    ("00_tour", "The story of one box"),
    ("00_tour", "The stages, one by one"),
    ("01_preprocessing", "How large the photo becomes"),
    ("02_anchors", "The anchors on it"),
    ("02_anchors", "How much two boxes overlap"),
    ("03_rpn_loss", "What anchors would be told to learn"),
    ("04_proposal_target", "From anchors to proposals"),
    ("05_crop_pooling", "The features of a region"),
    ("06_classification", "What one proposal becomes"),
    ("07_inference_nms", "Suppression, box by box"),
    ("07_inference_nms", "The detections that are left"),
    ("09_three_generations", "Segments that become boxes"),
    ("09_three_generations", "One region, as two generations see it"),
)
_IN_A_TOUR = (
    "photo stretched size scaled scale limits response crop "
    "foreground coefficients rois scores class_coefficients proposals detections"
)
_TOUR = {f"tour.{name}" for name in _IN_A_TOUR.split()}
# Of each kind the tensors that `web/on_photo.js` computes; "tour.crop" is "crop" in the dict "tour".
OF_THE_PHOTO = {
    StoryExplorer: _TOUR,
    TourExplorer: _TOUR,
    PreprocessingExplorer: {"photo"},
    AnchorExplorer: {"size", "room"},
    IoUExplorer: {"size"},
    AnchorLabelExplorer: {"size"},
    ProposalTargetExplorer: {"foreground", "coefficients", "anchors", "available", "grid", "size"},
    CropPoolingExplorer: {"photo", "features"},
    ClassificationExplorer: {"rois", "scores", "coefficients", "size", "scale"},
    NMSExplorer: {"boxes", "scores", "size"},
    DetectionExplorer: {"boxes", "probabilities", "valid"},
    SelectiveSearchExplorer: {"photo", "segments", "boxes", "merges", "similarities", "terms", "colors"},
    GenerationsExplorer: {"photo", "features"},
}
# What else of the Python classes `web/on_photo.js` has to know.
MORE = {IoUExplorer: {"examples": EXAMPLES}, SelectiveSearchExplorer: {"scale": SCALE, "longest": LONGEST}}
# What the page may do beyond its own script: run those beside it (`file:` from a disk), WebAssembly, and one worker.
POLICY = "'self' file: 'wasm-unsafe-eval'; worker-src blob:"

LICENSE = """\
The files worker_*.js and wasm_*.js hold onnxruntime-web, gzipped and in base64.

MIT License

Copyright (c) Microsoft Corporation

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""


class OwnPhoto(NamedTuple):
    """The page's parts."""

    content: str  # JSON for its script: the detector's pieces and classes, and the explorers' templates
    script: str
    facts: dict  # for the template
    files: dict[str, str]  # name -> text, to lie in FOLDER


def runtime_folder() -> Path:
    """Where onnxruntime-web lies: $ONNXRUNTIME_WEB, or where `npm install --prefix build` puts it."""
    return Path(os.environ.get("ONNXRUNTIME_WEB") or "build/node_modules/onnxruntime-web")


def missing(runtime: Path) -> str:
    """Why there can be no page for one's own photo, with the remedy; "" if there can."""
    if not all((runtime / name).is_file() for name in (MODULE, WASM)):
        return f"{FOR} needs onnxruntime-web, not in {runtime}; run: {INSTALL}"
    try:
        require_onnx(FOR)
    except ConfigError as error:
        return str(error)
    return ""


def make_own_photo(runtime: Path) -> OwnPhoto:
    """The page's parts, ready to be written. Raises what `detector_files` raises."""
    detector = load_model(DETECTOR)
    files = detector_files(runtime, detector)
    pieces = {name: in_pieces(data) for name, data in files.items()}
    sizes = {name: [len(text) for text in texts] for name, texts in pieces.items()}
    scripts = {f"{name}_{number}.js": text for name, texts in pieces.items() for number, text in enumerate(texts)}
    explorers = explorers_of(load_sample("cat")[0], detector)
    described = {"files": {"folder": FOLDER, "pieces": sizes}, "classes": detector.classes}
    content = embedded(described | packed_templates(explorers, detector))
    script = page_script("own_photo.js", map(module_of, explorers), "ownPhoto")
    facts = {
        "sections": SECTIONS,
        "megabytes": _megabytes(sum(map(sum, sizes.values()))),
        "sizes": {name: _megabytes(len(data)) for name, data in files.items()},
        "version": json.loads((runtime / "package.json").read_text(encoding="utf-8"))["version"],
    }
    return OwnPhoto(content, script, facts, {"LICENSE.txt": LICENSE} | scripts)


def explorers_of(image: Tensor, detector: FasterRCNN) -> list[Explorer]:
    """The lessons' explorers on a photo (3, H, W) whose objects nobody has annotated, one of each of SECTIONS."""
    with torch.no_grad():
        trace = detector.trace([image])
    config, stride = detector.config, detector.stride
    photo = resize(image, float(trace.preprocessed.scales[0]))  # (3, H', W') as the detector sees it, but in colors
    return [
        StoryExplorer(Tour(image, trace, config, stride)),
        TourExplorer(detector, {"your own": image}),
        PreprocessingExplorer(image, config=config.preprocessing, stride=stride),
        AnchorExplorer(photo, config.anchors, stride),
        IoUExplorer(image),
        AnchorLabelExplorer(photo, config=config, stride=stride),
        ProposalTargetExplorer(image, trace, config, stride),
        CropPoolingExplorer(photo, trace.features[0], stride=stride),
        ClassificationExplorer(image, trace, config),
        NMSExplorer(image, *of_the_surest_class(trace, config)),
        DetectionExplorer(image, trace, config),
        SelectiveSearchExplorer(shrunk(image)),
        GenerationsExplorer(photo, trace.features[0], stride=stride, pooling=config.crop_pooling),
    ]


def shrunk(image: Tensor) -> Tensor:
    """A photo (3, H, W) with at most LONGEST pixels a side, means of squares of whole pixels.

    What is no whole square at the right and lower border is cut off; of a strip the squares are no wider than it is. A
    photo of bytes has the same means in a page, to the last bit: segments depend on it.
    """
    side = min(math.ceil(max(image.shape[1:]) / LONGEST), *image.shape[1:])
    levels = (image.double() * 255).round()
    return (F.avg_pool2d(levels, side) / 255).float()


def packed_templates(explorers: list[Explorer], detector: FasterRCNN) -> dict:
    """The explorers without what `web/on_photo.js` computes: {"templates": [...], "arrays": base64 of the deflated}."""
    pack = Pack()
    config = {part: to_dict(getattr(detector.config, part)) for part in ("preprocessing", "proposal_targets")}
    templates = [template(explorer, pack) | {"config": config} | MORE.get(type(explorer), {}) for explorer in explorers]
    return {"templates": templates, "arrays": pack.text()}


def template(explorer: Explorer, pack: Pack) -> dict:
    """What an explorer is whatever the photo; its arrays go into `pack`."""
    known = exported(explorer, Pack())
    tensors = _of_any_photo(explorer.tensors(), OF_THE_PHOTO[type(explorer)])
    canvases = [canvas | {"image": None} for canvas in known["canvases"]]
    # Left out is the tour's list of photos: here the reader chooses one above.
    return known | {"summary": "", "canvases": canvases, "tensors": pack.add(tensors), "left_out": {}}


def _of_any_photo(tensors: dict, own: set[str], inside: str = "") -> dict:
    """The tensors that are not `own`. inside: the beginning of their names there, "tour." in the dict "tour"."""
    return {
        name: _of_any_photo(value, own, f"{inside}{name}.") if isinstance(value, dict) else value
        for name, value in tensors.items()
        if inside + name not in own
    }


def detector_files(runtime: Path, detector: FasterRCNN) -> dict[str, bytes]:
    """What the page loads, by the names that `web/detector.js` knows, in the order in which it does.

    Raises ConfigError where the extra `onnx` is missing, DataError for a runtime that cannot be read.
    """
    require_onnx(FOR)
    try:
        module, wasm = (runtime / MODULE).read_text(encoding="utf-8"), (runtime / WASM).read_bytes()
    except OSError as error:
        raise DataError(f"{error.filename}: {error.strerror}; run: {INSTALL}") from error
    worker = f"{as_script(module)}\n{bundle(['detector_worker.js'], sources())}"
    return {"worker": worker.encode(), "wasm": wasm, "graph": graph_of(detector)}


def as_script(module: str) -> str:
    """onnxruntime-web's module as a script that leaves in `ort` what the module exports.

    A worker of a page from a disk is of no origin, so browsers let it neither be a module nor import one. Raises
    DataError where the module does not end in its one list of exports, as it does in the version that was tried.
    """
    lists = list(re.finditer(r"\bexport\s*\{([^}]*)\};?", module))
    if len(lists) != 1:
        raise DataError(f"{MODULE}: {len(lists)} lists of exports, where 1 was expected; run: {INSTALL}")
    names = re.sub(r"([\w$]+) as (\w+)", r"\2: \1", lists[0][1])
    body = module[: lists[0].start()].replace("import.meta.url", "self.location.href")
    return f"globalThis.ort = (() => {{\n{body}\nreturn {{ {names} }};\n}})();"


def in_pieces(data: bytes) -> list[str]:
    """A file gzipped, cut, and in base64: the texts of its scripts, see `web/detector.js`."""
    packed = gzip.compress(data, 9, mtime=0)
    cuts = (packed[start : start + PIECE] for start in range(0, len(packed), PIECE))
    return [f'rcnnPiece("{base64.b64encode(cut).decode("ascii")}");\n' for cut in cuts]


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f}"
