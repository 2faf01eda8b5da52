"""What the lesson on errors asks: what errors cost, five broken detectors, kinds, gains, how sure a number is."""

import torch

from rcnn_tutorial.data import load_sample
from rcnn_tutorial.questions.asking import Choice, Number, Question, Questions, Spot, click
from rcnn_tutorial.roles import GROUND_TRUTH
from rcnn_tutorial.scene import Boxes, Scene

__all__ = ["diagnose", "predict", "quiz"]

STAGES = ("the anchors", "the RPN's ranking", "the classifier's box regression", "the classifier's scores")


def _photo() -> Scene:
    image, target = load_sample("scene")
    boxes = torch.as_tensor(target["boxes"])[~target["difficult"]]
    return Scene(image, [Boxes(boxes, GROUND_TRUTH)])


def _stage(patient: str, right: int, **wrong: str) -> Number:
    """The number of a stage, 1 to 4. wrong: why it is not another one, by a short name."""
    names = {"anchors": 1, "ranking": 2, "regression": 3, "scores": 4}
    return Number(right, patient, wrong={names[name]: says for name, says in wrong.items()})


predict = Questions(
    "errors",
    "predictions",
    Question(
        "worth",
        "On 500 drawn scenes the toy detector has an mAP of 0.96. About 1 700 of its 4 800 detections have the right "
        "place and the wrong class. Somebody gives each of them the right class. What does mAP gain, about?",
        Choice(
            "0.02",
            {
                "0.35, their share of the detections": "Then mAP would be 1.31.",
                "0.04, all that is missing": "Other kinds of errors would still be there.",
                "nothing": "Some of them score more than right ones, and some objects are found by them alone.",
            },
            place=2,
        ),
        because="Nearly all of them score little and stand at the end of the ranking, where all is found already. "
        "A count says how often; only a gain says what it costs.",
    ),
    Question(
        "sure",
        "The same detector says 0.7 to 0.8 of some detections. Of 100 such, about how many are right?",
        Choice(
            "40",
            {
                "75": "So it would be if its scores were probabilities of being right.",
                "90": "It is the other way round: it is surer than it should be.",
            },
        ),
        because="Cross entropy rewards a score near 1 on everything that is seen in training; on new scenes such a "
        "detector is too sure. For AP, which only ranks, this does not matter.",
    ),
)

_RECALL = "Its proposals cover what those of the healthy one cover."
_NO_PROPOSAL = "An object without a proposal never gets to the classifier."

diagnose = Questions(
    "errors",
    "predictions",
    Question(
        "patients",
        f"Which stage is ill? {', '.join(f'{number} {stage}' for number, stage in enumerate(STAGES, start=1))}.",
        _stage(
            "A",
            3,
            anchors=_RECALL,
            ranking=_RECALL,
            scores="mAP at 0.5 has hardly changed: the names are right, the places are not.",
        ),
        _stage(
            "B",
            4,
            anchors=_RECALL,
            ranking=_RECALL,
            regression="Then all classes would suffer, and AP at 0.75 more than at 0.5.",
        ),
        _stage(
            "C",
            2,
            anchors="With 300 proposals nearly every object is covered: some anchor reaches it.",
            regression=_NO_PROPOSAL,
            scores=_NO_PROPOSAL,
        ),
        _stage(
            "D",
            1,
            ranking="Then 300 proposals would cover what 25 do not.",
            regression=_NO_PROPOSAL,
            scores=_NO_PROPOSAL,
        ),
        _stage(
            "E",
            4,
            anchors=_RECALL,
            ranking=_RECALL,
            regression="Each class has its own four coefficients, but then AP at 0.75 would fall more than at 0.5.",
        ),
        because="A: found and named, but not in place; only the stricter IoU sees it. B: two classes near 0, all "
        "others well. C: recall comes, but late. D: recall never comes, however long the list. E: one class down, its "
        "objects covered.",
    ),
)

quiz = Questions(
    "errors",
    "quiz",
    Question(
        "where",
        "Yellow: objects. Which of these four boxes can an oracle mend that only **moves** boxes?",
        click(
            "A collage with a cat, two motorcycles and two people; boxes around the objects, and four more.",
            _photo,
            Spot("dog 0.43", (0, 2, 393, 291), "It lies on the cat well enough: its class is wrong."),
            Spot("person 0.40", (587, 276, 717, 441)),
            Spot("car 0.67", (44, 366, 116, 469), "Moved onto the motorbike, it would still say car: both are wrong."),
            Spot("bottle 0.59", (749, 263, 793, 466), "There is no object below it to be moved to."),
        ),
        because="The face alone has an IoU between 0.1 and 0.5 with the person. Here even the oracle gains nothing: "
        "the person is found by a better box, and an object can be found once.",
    ),
    Question(
        "gain",
        "One class, two objects. Best score first, the detections are: right, background, location (on the second "
        "object). By how much does the AP by area rise if background errors are mended? And location errors? (Three "
        "decimals will do.)",
        Number(
            0.0,
            "background",
            near=0.001,
            wrong={
                0.5: "Only the first object is found: recall stays 0.5.",
                0.25: "That would be so if a right detection came after it.",
            },
        ),
        Number(
            0.333,
            "location",
            near=0.001,
            wrong={
                0.5: "The background error still stands before it: precision is 2/3 there.",
                0.833: "That is the AP afterward; the gain is what it has risen by.",
                0.25: "It is the third in the list, not the fourth: precision 2/3.",
            },
        ),
        because="Before: 0.5 · 1 = 0.5. Without the background error nothing right comes after it: still 0.5. With the "
        "location error mended, recall reaches 1 at precision 2/3: 0.5 + 0.5 · 0.667 = 0.833, a gain of 0.333. Both "
        "mended give 1: gains do not add up.",
    ),
    Question(
        "photos",
        "On 500 photos the bootstrap gives an mAP of 0.959 with a standard deviation of 0.0044. What would the "
        "standard deviation be on 2 000 photos of the same kind, about? (Four decimals.)",
        Number(
            0.0022,
            near=0.0001,
            wrong={
                0.0011: "Four times the photos halve it: it falls with the square root.",
                0.0044: "More photos make the mean surer.",
                0.0088: "More photos make the mean surer.",
            },
        ),
        because="It falls with the square root of the number: 0.0044 / √4 = 0.0022.",
    ),
)
