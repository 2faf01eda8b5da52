"""Explorers and questions of the lessons as pages have them: what a cell makes in its kernel, packed for a script.

`LESSONS` builds them as the lessons' cells do; a page shows one alive where what it says equals what the lesson stored.
"""

import base64
import functools
import importlib
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch

from rcnn_tutorial import questions
from rcnn_tutorial.checkpoints import load_model
from rcnn_tutorial.config import AnchorConfig
from rcnn_tutorial.course.bundle import bundle
from rcnn_tutorial.course.files import course_folder, notebook_paths
from rcnn_tutorial.course.scripts import sources
from rcnn_tutorial.data import open_photo
from rcnn_tutorial.explorers.anchors import AnchorExplorer, IoUExplorer
from rcnn_tutorial.explorers.explorer import Explorer
from rcnn_tutorial.explorers.twin import Pack, exported, module_of
from rcnn_tutorial.model import FasterRCNN, Trace
from rcnn_tutorial.questions import twin
from rcnn_tutorial.questions.asking import Questions
from rcnn_tutorial.stages.preprocessing import resize

PHOTO = "scene"  # as the lessons are stored


class Live(NamedTuple):
    """What a page needs for its explorers."""

    places: dict[str, int]  # `repr` of an explorer as its lesson begins, and of questions -> the number among its kind
    content: str  # JSON: {"explorers": [...], "questions": [...]}
    arrays: str  # base64 of the deflated bytes that `content` points into
    script: str


class Seen(NamedTuple):
    """The lessons' photo and what the detector makes of it."""

    model: FasterRCNN
    image: torch.Tensor  # (3, H, W) in [0, 1]
    target: Mapping[str, torch.Tensor]
    trace: Trace
    photo: torch.Tensor  # (3, H', W'), as the detector sees it, but in colors
    objects: torch.Tensor  # (G, 4) in its pixels


@functools.cache
def seen() -> Seen:
    """The photo through the bundled detector, as the lessons' first cells have it."""
    model = load_model("voc")
    image, target = open_photo(PHOTO)
    with torch.no_grad():
        trace = model.trace([image], [target], torch.Generator().manual_seed(0))
    photo = resize(image, float(trace.preprocessed.scales[0]))
    return Seen(model, image, target, trace, photo, trace.ground_truth.boxes[trace.ground_truth.valid])


def anchors() -> list[Explorer]:
    """Of lesson 02."""
    model, photo, objects = seen().model, seen().photo, seen().objects
    return [AnchorExplorer(photo, AnchorConfig(), model.stride, objects), IoUExplorer(photo)]


LESSONS: Mapping[str, Callable[[], list[Explorer]]] = {"02_anchors": anchors}


def live_lessons() -> dict[str, Live]:
    """What is alive of every lesson, by the stem of its file's name."""
    lessons = [path.stem for path in notebook_paths(course_folder()) if path.parent == course_folder()]
    return {lesson: packed(LESSONS.get(lesson, list)(), questions_of(lesson)) for lesson in lessons}


def questions_of(lesson: str) -> list[Questions]:
    """The questions of the lesson "02_anchors", which are those of `questions.anchors`."""
    module = importlib.import_module(f"{questions.__name__}.{lesson[3:]}")
    return [value for value in vars(module).values() if isinstance(value, Questions)]


def packed(explorers: Sequence[Explorer], asked: Sequence[Questions] = ()) -> Live:
    """Explorers and questions of one page, with the script that shows them."""
    pack = Pack()
    content = {
        "explorers": [exported(explorer, pack) for explorer in explorers],
        "questions": [twin.exported(one) for one in asked],
    }
    places = {repr(one): number for kind in (explorers, asked) for number, one in enumerate(kind)}
    twins = sorted({module_of(explorer) for explorer in explorers})
    modules = ", ".join(f'"{name}": modules["{name}"]' for name in twins)
    script = f'{bundle([*twins, "host.js"], sources())}\nmodules["host.js"].start({{ {modules} }});'
    arrays = base64.b64encode(zlib.compress(bytes(pack.bytes), 9)).decode("ascii")
    return Live(places, json.dumps(content, allow_nan=False).replace("</", "<\\/"), arrays, script)
