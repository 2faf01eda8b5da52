"""What the lesson on training asks: what losses are worth at the start, which of them rise, what judges a run."""

from rcnn_tutorial.questions.asking import Choice, Number, Question, Questions

__all__ = ["predict", "predict_ways", "quiz"]

predict = Questions(
    "training",
    "predictions",
    Question(
        "first_losses",
        "What are the two classification losses worth at the **first** step, before the network has learned anything, "
        "and before they are weighted? There are four shapes. (Two decimals will do.)",
        Number(
            0.69,
            "rpn_cross_entropy",
            near=0.02,
            wrong={
                0.5: "That is the probability; the loss is -ln of it.",
                1: "With ln, not with the logarithm of base 2.",
            },
        ),
        Number(
            1.61,
            "cross_entropy",
            near=0.02,
            wrong={
                1.39: "That is ln 4: background is an answer too.",
                0.2: "That is the probability; the loss is -ln of it.",
            },
        ),
        because="Scores start near 0, so all probabilities are equal: the RPN chooses between two, ln 2 = 0.693; the "
        "detector among five, ln 5 = 1.609. In the sum the second one counts six times.",
    ),
    Question(
        "loss_box",
        "Between steps 5 and 40 the detector learns where objects are. What becomes of `loss_box`, the loss of its "
        "boxes?",
        Choice(
            "it doubles, or more",
            {
                "it halves, or less": "So it would if the same boxes were measured at both steps.",
                "it stays about the same": "What is measured changes: count the ROIs that have a box loss at all.",
            },
            place=1,
        ),
        because="Only foreground ROIs have a box loss, and the RPN finds more of them by and by: see the counts below.",
    ),
)

predict_ways = Questions(
    "training",
    "predictions",
    Question(
        "detached",
        "If the ROIs are not detached, the detector's losses may also move the RPN's boxes. What do you find after the "
        "same number of steps, compared with joint training?",
        Choice(
            "lower `cross_entropy`, worse proposals",
            {
                "lower `cross_entropy`, better proposals": "It pays to ask what the lower loss is the mean of.",
                "higher `cross_entropy`, better proposals": "The gradient is that of the loss itself: it does fall.",
                "the same: one term of the chain rule is small": "Early on it is the larger of two pulls on the boxes.",
            },
            place=2,
        ),
        because="It is the mean of more background: away from the objects, ROIs are easy to name and have no box loss. "
        "Below, the foreground ROIs of both runs are counted.",
    ),
)

quiz = Questions(
    "training",
    "quiz",
    Question(
        "start",
        "A detector of nine classes starts with a `cross_entropy` of 4.61. What explains it?",
        Choice(
            "the loss enters twice, or with a weight of 2",
            {
                "nothing: nine classes start there": "Nine classes and background: ln 10 = 2.30.",
                "background was forgotten": "Then it would start lower, at ln 9 = 2.20.",
                "the learning rate is too high": "At the first loss no rate has been used yet.",
            },
            place=2,
        ),
        because="Ten answers are equally likely, so it should start at ln 10 = 2.30; 4.61 is twice that.",
    ),
    Question(
        "per_foreground",
        "`loss_box`, a mean over all 48 sampled ROIs, rises from 0.15, with 6 of them foreground, to 0.30, with 24. "
        "What became of the box loss of *one* foreground ROI?",
        Choice(
            "it halved",
            {
                "it doubled": "So did the mean over all 48; but background ROIs add nothing to its sum.",
                "it stayed the same": "0.15 · 48 / 6, and 0.30 · 48 / 24: work them out.",
                "it fell to a quarter": "There are four times as many, but the sum has doubled.",
            },
            place=2,
        ),
        because="0.15 · 48 / 6 = 1.2, and 0.30 · 48 / 24 = 0.6. The mean rises because more ROIs have a box loss.",
    ),
    Question(
        "fault",
        "Proposal recall at 300 is 0.98 and mAP is 0.15. Where do you look for the fault?",
        Choice(
            "in the classifier",
            {
                "in the RPN": "Nearly every object has a proposal: the RPN has done its part.",
                "in the anchors": "With anchors that fit no object, proposals would not cover them either.",
                "in the suppression of proposals": "It has left a proposal for nearly every object.",
            },
        ),
        because="Nearly every object has a proposal. The classifier names or scores the boxes wrongly, or simply has "
        "not been trained for long enough.",
    ),
    Question(
        "approximate",
        "Why is joint training called approximate when it minimizes the exact sum of the four losses?",
        Choice(
            "the gradient takes the ROI coordinates for constants",
            {
                "anchors and ROIs are sampled at random": "So they are in every kind of training here.",
                "it stops before the minimum": "Every training does.",
                "the weights of the four losses are guessed": "They are part of what is minimized, exactly or not.",
            },
            place=3,
        ),
        because="The ROI coordinates depend on the RPN's weights, and the gradient pretends that they do not. So it is "
        "not the exact one of that sum.",
    ),
    Question(
        "resumed",
        "You resume a run from a checkpoint that holds the weights but not the optimizer's state. What goes wrong?",
        Choice(
            "the next steps differ from those that would have been; it still trains",
            {
                "nothing: the weights are all that was learned": "Momentum and running means steer the next steps.",
                "the training begins anew": "The weights are there; only the running means are lost.",
                "the losses cannot fall any more": "It still trains.",
            },
            place=1,
        ),
        because="Momentum (or AdamW's running means) start from 0 again: the first steps have another length and "
        "direction, so the run is no longer the same. A rate at its highest without a warm-up can do harm, though: "
        "AdamW's first steps after such a restart are as rash as those of a new run.",
    ),
)
