"""The detector's ONNX graph for pages, kept from one writing of the site to the next: recording takes most of a minute.

It is recorded anew when anything changes that it comes from. `make clean` removes it.
"""

import hashlib
import json
import re
from importlib.metadata import version
from pathlib import Path

from rcnn_tutorial.fields import to_dict
from rcnn_tutorial.model import FasterRCNN

KEPT = Path("build/graphs")
RECORDERS = ("torch", "torchvision", "onnx", "onnxscript")  # whose versions may make another graph of the same network
_PACKAGE = Path(__file__).parents[1]


def graph_of(detector: FasterRCNN, kept: Path = KEPT) -> bytes:
    """The file that `export_trace` writes for a detector, recorded unless `kept` has it. Raises what that does."""
    from rcnn_tutorial.export_trace import export_trace

    path = kept / f"{source_of(detector)}.onnx"
    if not path.is_file():
        export_trace(detector, path)
        for old in kept.glob("*.onnx"):
            if old != path and re.fullmatch("[0-9a-f]{64}", old.stem):
                old.unlink(missing_ok=True)
    return path.read_bytes()


def source_of(detector: FasterRCNN) -> str:
    """A name for all that its graph comes from: config and weights, this package's Python, and the recorders."""
    digest = hashlib.sha256(json.dumps([to_dict(detector.config), [version(name) for name in RECORDERS]]).encode())
    for name, weights in detector.state_dict().items():
        digest.update(name.encode() + weights.cpu().numpy().tobytes())
    for path in sorted(_PACKAGE.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
