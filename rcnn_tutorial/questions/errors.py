"""What the lesson on errors asks: what a wrong box costs, five broken detectors, kinds, gains, how sure a number is."""

import torch

from rcnn_tutorial.data import load_sample
from rcnn_tutorial.questions.asking import Choice, Number, Question, Questions, Spot, click
from rcnn_tutorial.roles import GROUND_TRUTH
from rcnn_tutorial.scene import Boxes, Scene

__all__ = ["diagnose", "predict", "quiz"]

ANCHORS, RANKING = "the anchors", "the RPN's ranking"
REGRESSION, SCORES = "the classifier's box regression", "the classifier's scores"
STAGES = (ANCHORS, RANKING, REGRESSION, SCORES)


def _photo() -> Scene:
    image, target = load_sample("scene")
    boxes = torch.as_tensor(target["boxes"])[~target["difficult"]]
    return Scene(image, [Boxes(boxes, GROUND_TRUTH)])


def _which(right: str, **wrong: str) -> Choice:
    """One of the four stages, in one order each time. wrong: why it is not the other three, by a short name."""
    names = {"anchors": ANCHORS, "ranking": RANKING, "regression": REGRESSION, "scores": SCORES}
    return Choice(right, {names[name]: wrong[name] for name in names if name in wrong}, STAGES.index(right), "Stage")


predict = Questions(
    "errors",
    "predictions",
    Question(
        "two_classes",
        "A detector draws a perfect box around a cat and calls it a dog. No other box is on the cat. Which average "
        "precisions fall?",
        Choice(
            "the cat's and the dog's",
            {
                "the dog's alone": "A false alarm among the dogs, yes; but nobody found the cat either.",
                "the cat's alone": "The cat is not found, yes; but the box is also a wrong dog.",
                "none: the place is right": "A detection is compared with objects of its own class.",
            },
            place=1,
        ),
        because="One mistake, paid twice: a false dog, and a cat that is not found. That is why it deserves a name of "
        "its own.",
    ),
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

diagnose = Questions(
    "errors",
    "predictions",
    Question(
        "patient_a",
        "Patient A?",
        _which(
            REGRESSION,
            anchors="Its proposals cover what those of the healthy one cover.",
            ranking="The recall at 20 is that of the healthy one.",
            scores="mAP at 0.5 has hardly changed: the names are right.",
        ),
        because="Found and named, but not in place: only the stricter IoU sees it.",
    ),
    Question(
        "patient_b",
        "Patient B?",
        _which(
            SCORES,
            anchors="Recall is as it was.",
            ranking="Recall at 20 is as it was.",
            regression="Then all classes would suffer, and 0.75 more than 0.5.",
        ),
        because="Two classes near 0, all others well, every proposal there. The gain of mending class errors says the "
        "same.",
    ),
    Question(
        "patient_c",
        "Patient C?",
        _which(
            RANKING,
            anchors="With 300 proposals nearly every object is covered: some anchor reaches it.",
            regression="An object without a proposal never gets to the classifier.",
            scores="An object without a proposal never gets to the classifier.",
        ),
        because="Recall comes, but late: the good boxes are there, far down in the list.",
    ),
    Question(
        "patient_d",
        "Patient D?",
        _which(
            ANCHORS,
            ranking="Then 300 proposals would cover what 20 do not.",
            regression="Objects are missed here, not badly placed.",
            scores="An object without a proposal never gets to the classifier.",
        ),
        because="Recall never comes: no length of the list covers the objects.",
    ),
    Question(
        "patient_e",
        "Patient E?",
        _which(
            SCORES,
            anchors="Recall is as it was.",
            ranking="Recall at 20 is as it was.",
            regression="Each class has its own four coefficients, but then 0.75 would fall more than 0.5.",
        ),
        because="One class down, and its objects are covered. Which class takes its place says the confusion matrix.",
    ),
)

quiz = Questions(
    "errors",
    "quiz",
    Question(
        "kind",
        "A detection says dog. Its best IoU with a dog is 0.35, with a cat 0.6. Which kind?",
        Choice(
            "location",
            {
                "class": "It would fit the cat; but the first line of the table that fits decides.",
                "both": "Of the four lines before, one fits already.",
                "background": "It overlaps two objects by more than 0.1.",
            },
            place=1,
        ),
        because="0.35 lies between 0.1 and 0.5, and location is asked first: the class may be right, the box is "
        "too far off.",
    ),
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
        "threshold",
        "You raise the score threshold of the confusion matrix from 0.5 to 0.9. What must happen to column 0?",
        Choice(
            "its numbers grow or stay",
            {
                "they fall or stay": "Fewer detections take fewer objects, and more are left over.",
                "nothing: it holds objects, not detections": "It holds those that no detection has taken.",
            },
            place=1,
        ),
        because="Column 0 is what nobody found. Row 0, the false alarms, shrinks or stays. Every cell of the matrix "
        "depends on the threshold, AP on none.",
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
