"""What the lesson on inference asks: NMS in two orders, what enters the last suppression, a sixth detection's AP."""

import torch

from rcnn_tutorial.data import load_sample
from rcnn_tutorial.questions.asking import Choice, Number, Question, Questions, Spot, click
from rcnn_tutorial.roles import AFTER
from rcnn_tutorial.scene import Boxes, Scene

__all__ = ["predict", "quiz"]

_FIRST_REACHED = "You read the precision where each recall is first reached: take the best at that recall or beyond."
_AREA = "That is the area under the curve; 2007 takes the mean of eleven points."
_NO_ZERO = "Eleven points, not ten: recall 0 counts too."
_NO_ONE = "Eleven points, not ten: recall 1 counts too."


def _kept() -> Scene:
    kept = Boxes(boxes=torch.tensor([[91, 15, 684, 452]]), role=AFTER, labels=["motorbike 0.95"])
    return Scene(load_sample("motorcycle")[0], [kept])


predict = Questions(
    "inference_nms",
    "predictions",
    Question(
        "iou",
        "What is the IoU of A and B?",
        Number(
            0.5,
            near=0.001,
            wrong={
                0.6667: "You divide by the area of one box; IoU divides by what the two cover together.",
                0.3333: "You count the shared part twice below: it belongs to the union once.",
                0.5043: "Off by one pixel (+1): corners are continuous here, so the width is x2 - x1.",
                4000: "That is the shared area; divide it by what the two cover together.",
                0.25: "That is the IoU of A and C.",
            },
        ),
        because="They share the box from (20, 10) to (100, 60): 80 · 50 = 4000 square pixels. Together they cover "
        "6000 + 6000 − 4000 = 8000. IoU = 4000 / 8000 = 0.5. In the same way A and C have 0.25, B and C 0.33.",
    ),
    Question(
        "by_score",
        "The best score goes first. Which boxes are left?",
        Choice(
            "A and C",
            {
                "A alone": "B would remove C, but B is out of the game: only a box that is kept removes others.",
                "A, B and C": "A and B overlap by 0.5, more than 0.3: one of them goes.",
                "B alone": "A scores more: it is kept, and removes B.",
            },
        ),
        because="A is kept and removes B (0.5). C overlaps A by 0.25 only. B could have removed C, but B is gone.",
    ),
    Question(
        "by_y",
        "Now the lowest box in the picture goes first. Which are left?",
        Choice(
            "B alone",
            {
                "A and C": "B ends lowest, at y = 70, so it goes first in this order.",
                "A, B and C": "B overlaps both others by more than 0.3.",
                "B and C": "The IoU of B and C is 0.33, more than 0.3.",
            },
            place=2,
        ),
        because="B ends at y = 70, the others at 60. B is kept and removes both, although it scores less than A.",
    ),
)

quiz = Questions(
    "inference_nms",
    "quiz",
    Question(
        "boxes",
        "300 ROIs, 20 classes, score threshold 0: how many boxes enter the last suppression?",
        Number(
            6000,
            wrong={
                6300: "Background's 300 boxes do not take part: column 0 is no detection.",
                300: "Every ROI has a box for every class, and all of them score above 0.",
                100: "That is how many are left at most.",
                20: "So many games are played, each with all ROIs.",
            },
        ),
        because="300 · 20 = 6000, in 20 separate games of 300. Background's 300 boxes do not take part.",
    ),
    Question(
        "threshold_first",
        "Boxes are ordered by score. Does it matter for the result whether the score threshold comes before or after "
        "NMS?",
        Choice(
            "no, the same boxes are left",
            {
                "yes: after NMS, weak boxes have silenced strong ones": "A box is removed only by one that scores at "
                "least as high.",
                "yes: NMS has to see all boxes to find the best of a cluster": "Where any box of a cluster passes the "
                "threshold, its best one does.",
                "yes: after NMS there is nothing left to remove": "A lonely false alarm survives NMS, however little "
                "it scores.",
            },
            place=2,
        ),
        because="Not for the result: with the score order a box can be removed only by one that scores at least as "
        "high, so boxes below the threshold never decide about those above. Before is faster. In the y order it would "
        "matter.",
    ),
    Question(
        "next",
        "All classes stand in one list, ordered by score; the NMS threshold is 0.3. `motorbike 0.95` is kept first. "
        "Which box is kept **next**?",
        click(
            "A motorcycle with a box around it, four more boxes over it.",
            _kept,
            Spot("motorbike 0.88", (150, 60, 720, 480), "Its IoU with the one that is kept is 0.72, so it goes."),
            Spot("motorbike 0.73", (300, 60, 700, 460), "Its IoU with the one that is kept is 0.56, so it goes."),
            Spot("motorbike 0.41, the rear wheel", (70, 190, 300, 430), "It is kept as well, but later."),
            Spot("bicycle 0.64", (60, 130, 640, 440)),
        ),
        because="Suppression works within a class: no motorbike removes a bicycle, however much they overlap. So one "
        "ROI can yield two detections.",
    ),
    Question(
        "sixth",
        "One more detection joins those of step 4, with score 0.1. What is the eleven-point AP if it is wrong? And "
        "if it is the missing object? (Three decimals will do.)",
        Number(
            0.6136,
            "if it is wrong",
            near=0.001,
            wrong={
                0.5: "You take the last precision at recall 0.75, 3/6; the best one there is still 3/4.",
                0.625: _AREA,
                0.5909: _FIRST_REACHED,
                0.575: _NO_ZERO,
                0.675: _NO_ONE,
                0.8409: "Recall is the share of all four objects, also of the one that was never found.",
                0.3636: "Precision after k detections divides by k, not by the length of the whole list.",
            },
        ),
        Number(
            0.7955,
            "if it is the missing object",
            near=0.001,
            wrong={
                0.6136: "The curve now reaches recall 1: the three last points are no longer 0.",
                0.8864: "Recall is 1 at the end, but precision is 4/6 there.",
                0.7917: _AREA,
                0.7727: _FIRST_REACHED,
                0.775: _NO_ZERO,
                0.8083: _NO_ONE,
            },
        ),
        because="Wrong: nothing changes, in the area neither (0.625). It adds a point at recall 0.75 with a lower "
        "precision; the best at that recall stays 0.75. This is why a low score threshold does no harm to AP. Right: "
        "recall reaches 1 with precision 4/6 = 0.667, so the three last points rise from 0 to 0.667, the AP to "
        "(3 + 5 · 0.75 + 3 · 0.667) / 11 = 0.7955, and the area to 0.792.",
    ),
    Question(
        "two_thresholds",
        "Why is the threshold 0.7 in the proposal layer and 0.3 at the end?",
        Choice(
            "proposals are still moved and judged; at the end each object should be reported once",
            {
                "there are more proposals, so more have to go": "It is the other way round: a higher threshold removes "
                "less.",
                "proposals are larger than detections": "IoU does not depend on the size.",
                "final boxes on one object overlap less": "They overlap more: each has moved onto the object.",
            },
            place=1,
        ),
        because="Proposals are raw material: the classifier still moves them and judges them, so several per object "
        "are welcome, and two objects that overlap must both get through. At the end each object should be reported "
        "once.",
    ),
)
