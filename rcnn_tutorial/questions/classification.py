"""What the lesson on classification asks: losses at equal scores, 84 coefficients, what learns from a ROI."""

from rcnn_tutorial.questions.asking import Choice, Number, Question, Questions

__all__ = ["predict", "quiz"]

_BASE_2 = "With ln, not with the logarithm of base 2."
_BASE_10 = "With ln, not with the logarithm of base 10."
_PROBABILITY = "That is the probability; the loss is -ln of it."
_MOST_UNSURE = "It would be 0 if the network were certain and right; all classes are equally likely here."

predict = Questions(
    "classification",
    "predictions",
    Question(
        "untrained",
        "How large is the cross entropy of this ROI? And if the ROI were background? And with 80 classes, as in COCO? "
        "(Two decimals will do.)",
        Number(
            3.04,
            "cat",
            near=0.006,
            wrong={
                3.0: "That is ln 20: background is an answer too.",
                0.05: _PROBABILITY,
                0.69: "That is ln 2, the RPN's: here 21 answers share the probability.",
                4.39: _BASE_2,
                1.32: _BASE_10,
                0: _MOST_UNSURE,
            },
        ),
        Number(
            3.04,
            "background",
            near=0.006,
            wrong={
                3.0: "That is ln 20: background is an answer too.",
                0.05: _PROBABILITY,
                0.69: "Background has one of 21 equal shares, not one half: it competes like any class.",
                4.39: _BASE_2,
                1.32: _BASE_10,
                0: "Background is no special case: its probability is 1/21, like that of every class.",
            },
        ),
        Number(
            4.39,
            "cat, with 80 classes",
            near=0.006,
            wrong={
                4.38: "That is ln 80: background is an answer too.",
                0.01: _PROBABILITY,
                3.04: "That is with 20 classes: now 81 answers share the probability.",
                6.34: _BASE_2,
                1.91: _BASE_10,
                0: _MOST_UNSURE,
            },
        ),
        because="Equal scores are equal probabilities: 20 classes and background share 1, so each gets 1/21, and the "
        "loss is -ln(1/21) = ln 21 = 3.04, whatever the label. With 80 classes it is ln 81 = 4.39. Remember the "
        "number: a training run that **starts** far above ln(C + 1) has a bug (features of the wrong scale, labels off "
        "by one), and one that **stays** there has learned nothing.",
    ),
)

quiz = Questions(
    "classification",
    "quiz",
    Question(
        "from_outputs",
        "In a checkpoint, `bbox_pred_net` has 36 outputs. How many **classes** does the detector know, and how many "
        "outputs has `cls_score_net`?",
        Number(
            8,
            "classes",
            wrong={
                9: "One of the nine fours is background's.",
                36: "Each class has four of these outputs.",
                7: "Nine fours, and one of them is background's: 9 − 1.",
            },
        ),
        Number(
            9,
            "scores",
            wrong={
                8: "Background has a score too.",
                36: "One score for each class, not four.",
                2: "That is the RPN: object or not.",
            },
        ),
        because="36 / 4 = 9 fours, one of them background's: 8 classes. And 9 scores, background's too.",
    ),
    Question(
        "background_roi",
        "A sampled ROI is background. Which of its outputs get a gradient?",
        Choice(
            "all scores, no coefficients",
            {
                "background's score, no coefficients": "Softmax couples the scores: as one goes up, the others go "
                "down.",
                "all scores and background's four coefficients": "Background has no object to move to: its four are "
                "never trained.",
                "all scores and all coefficients": "Only the right class's four are compared, and only if the ROI is "
                "foreground.",
                "none: it is left out": "It is left out of the box loss only; background is a right answer too.",
            },
            place=2,
        ),
        because="All scores (softmax couples them: background up, the others down), none of the coefficients.",
    ),
    Question(
        "unsure",
        "The right class of a ROI has probability 0.5. What does the ROI add to the sum of the class loss? And with "
        "probability 0.01? (Two decimals will do.)",
        Number(
            0.69,
            "with 0.5",
            near=0.01,
            wrong={0.5: "The loss is -ln of the probability.", 1: _BASE_2, 0.3: _BASE_10},
        ),
        Number(
            4.61,
            "with 0.01",
            near=0.01,
            wrong={
                0.99: "That is what is missing to 1; the loss is -ln of the probability.",
                0.01: _PROBABILITY,
                6.64: _BASE_2,
                2: _BASE_10,
            },
        ),
        because="ln 2 = 0.69, and ln 100 = 4.61. The logarithm punishes confident errors, without bound.",
    ),
    Question(
        "wide_roi",
        "A ROI is 200 × 100 pixels (width × height); the object's center lies 20 pixels to the right of the ROI's. "
        "What is t_x, before it is divided by its standard deviation, and how many columns of the 7 × 7 crop is that?",
        Number(
            0.1,
            "t_x",
            wrong={
                20: "That is in pixels: divide by the ROI's width.",
                0.2: "You divide by the height: x goes with the width.",
                1: "That is what the network predicts, after the division by 0.1.",
            },
        ),
        Number(
            0.7,
            "columns",
            near=0.01,
            wrong={
                1.25: "These are columns of the feature map; the crop squeezes the ROI's 200 pixels into 7.",
                1.4: "You divide by the height: x goes with the width.",
                0.1: "That is the part of the crop's width, which has 7 columns.",
                7: "You take what the network predicts, which was divided by 0.1.",
            },
        ),
        because="20 / 200 = 0.1, in either picture: 0.1 of the crop's width is 0.7 columns. The network predicts "
        "0.1 / 0.1 = 1, because targets are divided by their standard deviation.",
    ),
    Question(
        "own_box",
        "Why has every class its own box, if the RPN manages with one for all?",
        Choice(
            "once the class is known, more is known about its extent",
            {
                "each class has ROIs of its own": "All classes share the ROI and its features; only the coefficients "
                "are their own.",
                "boxes of different classes must not overlap": "They may: a rider overlaps the motorbike.",
                "proposals are too rough for one set of four": "One set would move them too: many later detectors have "
                "only one.",
            },
            place=1,
        ),
        because="The same evidence (a head at the top of the crop) means a tall box for a person and a wide one for a "
        "cow. The RPN does not know the class. (Many later detectors use one box for all classes here too, and lose "
        "little.)",
    ),
)
