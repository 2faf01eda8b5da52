"""Explorers and questions of the lessons as pages have them: what a cell makes in its kernel, packed for a script.

`LESSONS` builds them as the lessons' cells do; a page shows one alive where what it says equals what the lesson stored.
"""

import functools
import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from rcnn_tutorial import questions
from rcnn_tutorial.boxes import box_area
from rcnn_tutorial.checkpoints import load_model
from rcnn_tutorial.course.files import course_folder, notebook_paths
from rcnn_tutorial.course.recording import read_recording
from rcnn_tutorial.course.scripts import embedded, page_script
from rcnn_tutorial.data import open_photo, open_photos
from rcnn_tutorial.explorers.anchors import AnchorExplorer, IoUExplorer
from rcnn_tutorial.explorers.classification import ClassificationExplorer
from rcnn_tutorial.explorers.crop_pooling import CropPoolingExplorer
from rcnn_tutorial.explorers.errors import CurveExplorer, ErrorExplorer
from rcnn_tutorial.explorers.explorer import Explorer
from rcnn_tutorial.explorers.inference_nms import DetectionExplorer
from rcnn_tutorial.explorers.preprocessing import PreprocessingExplorer
from rcnn_tutorial.explorers.proposal_target import ProposalTargetExplorer
from rcnn_tutorial.explorers.rpn_loss import AnchorLabelExplorer, SmoothL1Explorer
from rcnn_tutorial.explorers.suppression import NMSExplorer, of_the_surest_class
from rcnn_tutorial.explorers.three_generations import GenerationsExplorer, SelectiveSearchExplorer
from rcnn_tutorial.explorers.tour import StoryExplorer, TourExplorer
from rcnn_tutorial.explorers.twin import Pack, exported
from rcnn_tutorial.figures.tour import Tour
from rcnn_tutorial.model import FasterRCNN, Trace
from rcnn_tutorial.questions import twin
from rcnn_tutorial.questions.asking import Questions
from rcnn_tutorial.stages.preprocessing import resize


class Live(NamedTuple):
    """What a page needs for its explorers."""

    places: dict[str, int]  # `repr` of an explorer as its lesson begins, and of questions -> the number among its kind
    content: str  # JSON: {"explorers": [...], "questions": [...]}
    arrays: str  # base64 of the deflated bytes that `content` points into
    script: str


class Seen(NamedTuple):
    """A photo and what the detector makes of it."""

    model: FasterRCNN
    image: Tensor  # (3, H, W) in [0, 1]
    target: Mapping[str, Tensor]
    trace: Trace
    photo: Tensor  # (3, H', W'), as the detector sees it, but in colors
    objects: Tensor  # (G, 4) in its pixels

    @property
    def names(self) -> list[str]:
        """Of the objects' classes: (G,)."""
        return [self.model.classes[label - 1] for label in self.target["labels"].tolist()]


@functools.cache
def seen(photo: str = "scene") -> Seen:
    """A sample photo through the bundled detector, as the lessons' first cells have it."""
    model = load_model("voc")
    image, target = open_photo(photo)
    with torch.no_grad():
        trace = model.trace([image], [target], torch.Generator().manual_seed(0))
    scale = float(trace.preprocessed.scales[0])
    return Seen(model, image, target, trace, resize(image, scale), target["boxes"].as_subclass(Tensor) * scale)


def _tour() -> list[Explorer]:
    one = seen()
    story = StoryExplorer(Tour(one.image, one.trace, one.model.config, one.model.stride))
    return [story, TourExplorer(one.model, open_photos("scene"))]


def _preprocessing() -> list[Explorer]:
    image, target = open_photo("motorcycle")
    return [PreprocessingExplorer(image.as_subclass(Tensor), target["boxes"])]


def _anchors() -> list[Explorer]:
    model, photo, objects = seen().model, seen().photo, seen().objects
    return [AnchorExplorer(photo, model.config.anchors, model.stride, objects), IoUExplorer(photo)]


def _rpn_loss() -> list[Explorer]:
    model = seen().model
    return [AnchorLabelExplorer(seen().photo, seen().objects, model.config, model.stride), SmoothL1Explorer()]


def _proposal_target() -> list[Explorer]:
    return [ProposalTargetExplorer(seen().image, seen().trace, seen().model.config)]


def _features() -> Tensor:
    """The scene's feature map (C, h, w), rounded to half precision, so that a page has half as much to carry."""
    return seen().trace.features[0].half().float()


def _crop_pooling() -> list[Explorer]:
    features, objects = _features(), seen().objects
    roi = objects[box_area(objects).argmax()].round()  # (4,)
    left, top, right, bottom = (roi / seen().model.stride).int().tolist()
    inside = features[:, top : bottom + 1, left : right + 1]  # (channels, h, w)
    strongest = int(inside.std(dim=(1, 2), correction=0).argmax())
    return [CropPoolingExplorer(seen().photo, features, roi, channel=strongest)]


def _classification() -> list[Explorer]:
    one = seen("photographer")
    return [ClassificationExplorer(one.image, one.trace, one.model.config)]


def _inference_nms() -> list[Explorer]:
    image, trace, config = seen().image, seen().trace, seen().model.config
    game = NMSExplorer(image, *of_the_surest_class(trace, config), threshold=0.5)
    return [game, DetectionExplorer(image, trace, config, seen().target["boxes"])]


def _three_generations() -> list[Explorer]:
    photo, objects, model = seen().photo, seen().objects, seen().model
    pooling = model.config.crop_pooling
    search = SelectiveSearchExplorer(photo, objects, seen().names)
    return [search, GenerationsExplorer(photo, _features(), objects[1], model.stride, pooling)]


def _errors() -> list[Explorer]:
    model, names = seen().model, ("scene", "astronaut", "hopper", "photographer")
    photos, targets = zip(*map(open_photo, names), strict=True)
    found = [model([photo])[0] for photo in photos]
    kinds = ErrorExplorer(photos[0], found[0], targets[0], model.classes)
    return [kinds, CurveExplorer(photos, found, targets, model.classes.index("person") + 1, model.classes)]


# Of each lesson the explorers that its page has alive, as its cells make them.
LESSONS: Mapping[str, Callable[[], list[Explorer]]] = {
    "00_tour": _tour,
    "01_preprocessing": _preprocessing,
    "02_anchors": _anchors,
    "03_rpn_loss": _rpn_loss,
    "04_proposal_target": _proposal_target,
    "05_crop_pooling": _crop_pooling,
    "06_classification": _classification,
    "07_inference_nms": _inference_nms,
    "09_three_generations": _three_generations,
    "10_errors": _errors,
}
TRAINING = "08_training"


def live_lessons() -> dict[str, Live]:
    """What is alive of every lesson, by the stem of its file's name."""
    lessons = [path.stem for path in notebook_paths(course_folder()) if path.parent == course_folder()]
    pages = {lesson: packed(LESSONS.get(lesson, list)(), questions_of(lesson)) for lesson in lessons}
    return pages | {TRAINING: replayed(questions_of(TRAINING))}


def questions_of(lesson: str) -> list[Questions]:
    """The questions of the lesson "02_anchors", which are those of `questions.anchors`."""
    module = importlib.import_module(f"{questions.__name__}.{lesson[3:]}")
    return [value for value in vars(module).values() if isinstance(value, Questions)]


def packed(explorers: Sequence[Explorer], asked: Sequence[Questions] = ()) -> Live:
    """Explorers and questions of one page, with the script that shows them."""
    pack = Pack()
    sent = {repr(explorer): exported(explorer, pack) for explorer in explorers}
    return _page(sent, pack.text(), asked)


def replayed(asked: Sequence[Questions]) -> Live:
    """The page of the lesson that trains: its training is a recorded one, to look through."""
    kept = read_recording()
    return _page({kept.says: kept.explorer}, kept.arrays, asked)


def _page(sent: Mapping[str, dict], arrays: str, asked: Sequence[Questions]) -> Live:
    """sent: what an explorer says -> what the page gets of it, which points into `arrays`."""
    content = {"explorers": list(sent.values()), "questions": [twin.exported(one) for one in asked]}
    places = {words: number for kind in (sent, map(repr, asked)) for number, words in enumerate(kind)}
    script = page_script("host.js", (explorer["module"] for explorer in sent.values()))
    return Live(places, embedded(content), arrays, script)
