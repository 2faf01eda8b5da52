"""R-CNN, Fast R-CNN and Faster R-CNN on one network: seconds by part, recall of the proposals, mAP on toy scenes."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from functools import lru_cache, partial

import torch
from torch import Tensor

from rcnn_tutorial.benchmark import opencv
from rcnn_tutorial.benchmark.measure import Row
from rcnn_tutorial.checkpoints import load_model
from rcnn_tutorial.data import load_sample
from rcnn_tutorial.data.toy import ToyScenes
from rcnn_tutorial.evaluation import proposal_recall, voc_ap
from rcnn_tutorial.generations import PARTS, Propose, Run, fast_rcnn, faster_rcnn, rcnn, refit
from rcnn_tutorial.model import FasterRCNN
from rcnn_tutorial.stages.selective_search import selective_search

PHOTOS = ("cat", "astronaut", "motorcycle")
COUNTS = (10, 20, 50, 100, 300)
LEARNED_FROM, SCENES = 60, 60  # toy scenes that R-CNN's layers are fitted to, and those that count

Pairs = Sequence[tuple[Tensor, dict[str, Tensor]]]  # images with their targets
Detector = Callable[[Tensor], Run]


def generations(repeats: int = 3) -> list[Row]:
    """All three reports; less than three minutes on two idle cores."""
    model = load_model("voc").for_inference()
    rows = speeds(model, [plain(*load_sample(name))[0] for name in PHOTOS], repeats)
    toy, learned, scenes = (
        load_model("toy").for_inference(),
        toy_scenes("train", LEARNED_FROM),
        toy_scenes("val", SCENES),
    )
    return rows + recalls(toy, scenes) + precisions(toy, learned, scenes)


def speeds(model: FasterRCNN, images: Sequence[Tensor], repeats: int, count: int = 300) -> list[Row]:
    """Seconds a photo, by part, and their sum: the mean over the photos of each one's median."""
    propose = partial(selective_search, count=count)
    detectors: dict[str, Detector] = {
        "R-CNN": partial(rcnn, model, propose=propose, layers=None),  # its other layers are as fast
        "Fast R-CNN": partial(fast_rcnn, model, propose=propose),
        "Faster R-CNN": partial(faster_rcnn, model),
    }
    rows = []
    for name, seconds in taking_turns(detectors, images, repeats).items():
        for part in (*PARTS, "in all"):
            rows.append(Row(f"{name}, {part}", seconds[part], unit="s"))
    return rows


def taking_turns(detectors: dict[str, Detector], images: Sequence[Tensor], repeats: int) -> dict[str, dict[str, float]]:
    """{name: {part, or "in all": seconds}}: all of them on one photo, then on the next, after a run to warm up."""
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in detectors}
    for image in images:
        runs = [{name: detect(image).seconds for name, detect in detectors.items()} for _ in range(repeats + 1)][1:]
        for name, of_photos in taken.items():
            of_photos.append({part: statistics.median(run[name][part] for run in runs) for part in PARTS})
    means = {
        name: {part: statistics.mean(photo[part] for photo in of_photos) for part in PARTS}
        for name, of_photos in taken.items()
    }
    return {name: seconds | {"in all": sum(seconds.values())} for name, seconds in means.items()}


def recalls(model: FasterRCNN, data: Pairs, counts: Sequence[int] = COUNTS) -> list[Row]:
    """Shares of the objects that the first so many boxes of selective search and of the RPN cover with IoU 0.5.

    OpenCV's selective search is a third row where it is installed.
    """
    targets = [target for _, target in data]
    found = {
        "selective search": [selective_search(image, max(counts)) for image, _ in data],
        "RPN": [faster_rcnn(model, image).proposals for image, _ in data],
    }
    if opencv.is_installed():
        found["OpenCV's selective search"] = [opencv.opencv_search(image, max(counts)) for image, _ in data]
    return [
        Row(f"recall of {count}, {name}", recall, unit="")
        for name, proposals in found.items()
        for count, recall in proposal_recall(proposals, targets, counts).items()
    ]


def precisions(model: FasterRCNN, learned: Pairs, data: Pairs) -> list[Row]:
    """mAP50 of the generations, and of R-CNN with one thing left out at a time."""
    search = remembered(partial(selective_search, count=300))
    few = remembered(partial(selective_search, count=50))
    rpn = remembered(lambda image: faster_rcnn(model, image).proposals)
    layers = {context: refit(model, learned, search, context) for context in (16, 0)}
    detectors: dict[str, Detector] = {
        "Faster R-CNN": partial(faster_rcnn, model),
        "Fast R-CNN": partial(fast_rcnn, model, propose=search),
        "Fast R-CNN, 50 proposals": partial(fast_rcnn, model, propose=few),
        "R-CNN": partial(rcnn, model, propose=search, layers=layers[16]),
        "R-CNN, 50 proposals": partial(rcnn, model, propose=few, layers=layers[16]),
        "R-CNN, proposals of the RPN": partial(rcnn, model, propose=rpn, layers=layers[16]),
        "R-CNN, crops without context": partial(rcnn, model, propose=search, layers=layers[0], context=0),
        "R-CNN, classifier that never saw warped crops": partial(rcnn, model, propose=search, layers=None),
    }
    return [Row(f"mAP50, {name}", mean_ap(detect, data, model.classes), unit="") for name, detect in detectors.items()]


def mean_ap(detect: Detector, data: Pairs, classes: Sequence[str]) -> float:
    """mAP50 (area under the curve) of a detector on images with known objects."""
    found = [detect(image).detections._asdict() for image, _ in data]
    return voc_ap(found, [target for _, target in data], classes, "voc").mean


def remembered(propose: Propose) -> Propose:
    """The same proposals, found once for each image (a tensor is known by its identity)."""
    return lru_cache(maxsize=None)(propose)


def toy_scenes(split: str, length: int) -> list[tuple[Tensor, dict[str, Tensor]]]:
    """Scenes as plain tensors."""
    scenes = ToyScenes(split, length)
    return [plain(*scenes[index]) for index in range(length)]


def plain(image: Tensor, target: dict) -> tuple[Tensor, dict[str, Tensor]]:
    """An image and its target without the data set's own types."""
    kept = {name: target[name].as_subclass(Tensor) for name in ("boxes", "labels", "difficult")}
    return torch.as_tensor(image).as_subclass(Tensor), kept
