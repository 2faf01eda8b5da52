"""What the lesson on training asks: what losses are worth at the start, which of them rise, what judges a run."""

from rcnn_tutorial.questions.asking import Choice, Number, Question, Questions

__all__ = ["predict", "quiz"]

predict = Questions(
    "training",
    "predictions",
    Question(
        "first_losses",
        "What are the two classification losses worth at the **first** step, before the network has learned anything? "
        "There are 10 classes. (Two decimals will do.)",
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
            2.40,
            "cross_entropy",
            near=0.02,
            wrong={
                2.3: "That is ln 10: background is an answer too.",
                0.09: "That is the probability; the loss is -ln of it.",
            },
        ),
        because="Scores start near 0, so all probabilities are equal: the RPN chooses between two, ln 2 = 0.693; the "
        "detector among eleven, ln 11 = 2.398. If your own training does not start there, look for a bug before you "
        "wait an hour. The box losses start at the size of the targets that a prediction of 0 misses.",
    ),
    Question(
        "which_rise",
        "Training minimizes the sum of the four losses. Which of them climb clearly above their start on the way?",
        Choice(
            "the two box losses",
            {
                "none": "The sum falls; that says nothing about each of its parts.",
                "the two classification losses": "It is the other way round.",
                "the detector's two losses": "Boxes differ from classes here, not the RPN from the detector.",
            },
            place=3,
        ),
        because="`loss_box` falls first, and rises as the RPN hands the detector more foreground ROIs. Below, this is "
        "measured.",
    ),
)

quiz = Questions(
    "training",
    "quiz",
    Question(
        "start",
        "Your `cross_entropy` starts at 3.04 with 20 classes. Good or bad?",
        Choice(
            "good",
            {
                "bad: it should start at ln 20 = 3.00": "Background is an answer too: 21 are equally likely.",
                "bad: it should start near 0": "Near 0 is where it should end.",
                "that depends on the photos": "At equal probabilities it does not depend on them.",
            },
            place=1,
        ),
        because="ln 21 = 3.04. All classes, background among them, are equally likely at the start.",
    ),
    Question(
        "loss_or_map",
        "After 1 000 steps `loss_box` is higher than at the start and mAP has doubled. Which do you believe?",
        Choice(
            "both",
            {
                "the loss: something diverges": "Only foreground ROIs have a box loss, and there are more of them now.",
                "mAP: the loss must be computed wrongly": "It is right: it measures more boxes than at the start.",
                "neither": "They do not contradict each other.",
            },
            place=2,
        ),
        because="More ROIs are foreground than at the start, and only those have a box loss. mAP is what judges.",
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
                "the weights of the four losses are guessed": "All are 1, and the sum is exact.",
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
