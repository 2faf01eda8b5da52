"""One mistake on its photo: the detection, the object that it is about, and a sentence that says what is wrong."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from rcnn_tutorial.boxes import box_iou
from rcnn_tutorial.evaluation import Case
from rcnn_tutorial.figures.fonts import drawable_names
from rcnn_tutorial.roles import GROUND_TRUTH, Role, class_color
from rcnn_tutorial.scene import Boxes, Scene

MEANING = {
    "class": "on an object, but with another class's name",
    "location": "the right name, but the box is too far off",
    "both": "another class's name, and the box is too far off",
    "duplicate": "an object that a better-scored detection has found",
    "background": "on nothing that is marked as an object",
    "missed": "an object without a detection that is right, or nearly so",
}


def case_scene(image: Tensor, case: Case, detections: dict, target: dict, classes: Sequence[str]) -> Scene:
    """The photo (3, H, W) with the detection, solid, over the object that the case speaks of, dash-dotted."""
    labels = target["labels"].tolist(), detections["labels"].tolist()
    names = drawable_names([*labels[0], *labels[1]], classes)
    layers = []
    if case.object >= 0:
        name = names[labels[0][case.object]]
        layers.append(Boxes(target["boxes"][[case.object]], GROUND_TRUTH, labels=[name]))
    if case.detection >= 0:
        label, score = labels[1][case.detection], float(detections["scores"][case.detection])
        role = Role(class_color(label), name="detection")
        text = f"{names[label]} {score:.2f}"
        layers.append(Boxes(detections["boxes"][[case.detection]], role, labels=[text]))
    return Scene(image, layers)


def case_sentence(case: Case, detections: dict, target: dict, classes: Sequence[str], photo: str) -> str:
    """What is wrong, in words that need no picture. photo: what to call the image."""
    there = classes[int(target["labels"][case.object]) - 1] if case.object >= 0 else ""
    if case.kind == "missed":
        x1, y1, x2, y2 = target["boxes"][case.object].tolist()
        return f"{photo}: {there}, {x2 - x1:.0f} x {y2 - y1:.0f} pixels, is missed."
    said = classes[int(detections["labels"][case.detection]) - 1]
    score = f"with a score of {float(detections['scores'][case.detection]):.2f}"
    overlaps = box_iou(detections["boxes"][[case.detection]].double(), target["boxes"].double())[0]  # (G,)
    best = float(overlaps.max()) if len(overlaps) else 0.0
    iou = f"{float(overlaps[case.object]) if case.object >= 0 else best:.2f}"
    return (
        f"{photo}: "
        + {
            "class": f"{there} is called {said}, {score} (IoU {iou}).",
            "location": f"{said}, {score}, but the box overlaps the object by an IoU of {iou} only.",
            "both": f"{there} is called {said}, {score}, and the box overlaps it by an IoU of {iou} only.",
            "duplicate": f"{said}, {score}; another detection has found this object before (IoU {iou}).",
            "background": f"{said}, {score}, where nothing is marked (best IoU with an object: {iou}).",
        }[case.kind]
    )
