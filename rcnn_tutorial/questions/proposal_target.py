"""What the lesson on proposals and their targets asks: how a batch is filled, what is learned from its rows."""

from rcnn_tutorial.data import load_sample
from rcnn_tutorial.questions.asking import Choice, Number, Question, Questions, Spot, click
from rcnn_tutorial.roles import GROUND_TRUTH
from rcnn_tutorial.scene import Boxes, Scene

__all__ = ["predict", "quiz"]


def _photographer() -> Scene:
    image, target = load_sample("photographer")  # (3, 512, 512)
    return Scene(image, [Boxes(boxes=target["boxes"], role=GROUND_TRUTH)])


predict = Questions(
    "proposal_target",
    "predictions",
    Question(
        "live_numbers",
        "How many of the 48 · 16 = 768 numbers can differ from zero, at most?",
        Number(
            64,
            wrong={
                192: "You count every row; a background row has no box to learn and is zero all over.",
                256: "You write the targets into the columns of every class; only the right class holds them.",
                768: "A row holds targets for the right class only, and a background row for none.",
                16: "These are the rows; each is live in four columns.",
                128: "These are the background rows' four columns; they stay zero.",
                48: "One number a row; a foreground row has four, a background row none.",
            },
        ),
        because="At most 16 rows are foreground, and a foreground row is live in the four columns of its own class: "
        "16 · 4 = 64 of 768 numbers. Background rows are zero all over.",
    ),
    Question(
        "scarce_foreground",
        "On one photo only 5 proposals are foreground, and only 20 are background. How many rows does the step fill "
        "with **background**?",
        Number(
            43,
            wrong={
                32: "Your background keeps its fixed share; when foreground is scarce, background takes its places.",
                20: "You shrink the batch; it always has 48 rows, and background is used again until it is full.",
                10: "You shrink the batch to keep the third; the batch always has 48 rows.",
                46: "You take a third of the foreground proposals; it is a third of the batch.",
                48: "All 5 foreground proposals are used; they take five of the places.",
            },
        ),
        because="A third is a ceiling for the foreground, not a fixed share: 5 rows are foreground, background fills "
        "the other 43. There are only 20 of it, so each is used twice, and three of them a third time.",
    ),
    Question(
        "which_anchors",
        "In this training step the RPN's own loss has looked at 256 anchors of the photo. Which anchors may become "
        "proposals?",
        Choice(
            "all anchors of the photo",
            {
                "those 256": "They were drawn for the RPN's loss alone.",
                "the foreground ones among the 256": "Labels of anchors serve the RPN's loss alone; proposals go by "
                "score, as they do when there are no labels.",
                "all that lie inside the image": "Those that leave it are out of the RPN's loss; their boxes are moved "
                "and clipped like all others.",
            },
            place=2,
        ),
        because="The proposal layer knows neither labels nor samples, in training as in inference: it ranks the "
        "scores of all anchors.",
    ),
)

quiz = Questions(
    "proposal_target",
    "quiz",
    Question(
        "zero_width",
        "The RPN's box for an anchor has a high score but is clipped to zero width. What happens to it?",
        Choice(
            "it stays in the list of proposals",
            {
                "it is dropped, because it is too small": "No size is too small.",
                "suppression removes it": "Its IoU with every box is 0, so no better box can remove it.",
                "it becomes foreground, because it scores high": "The score only ranks; its IoU decides, and it is 0.",
            },
            place=2,
        ),
        because="There is no minimum size, and its IoU with every box is 0, so suppression cannot remove it either. In "
        "the target layer it is background if the lower bound is 0.0, and neither with 0.1.",
    ),
    Question(
        "classes_apart",
        "Is NMS with threshold 0.7 done for each class separately in the proposal layer?",
        Choice(
            "no, once over all boxes",
            {
                "yes, so that a rider does not remove the motorbike": "That is for the end; the RPN knows no classes.",
                "yes, foreground and background apart": "An anchor gives one box, ranked by one probability.",
                "no, once for each of the nine anchor shapes": "All shapes compete in one list.",
            },
        ),
        because="The RPN knows no classes, only foreground and background. Suppression class by class happens at the "
        "end of inference, with threshold 0.3 (notebook 07).",
    ),
    Question(
        "background",
        "With `BG_THRESH_LO` = 0.1, which of these proposals can be drawn as **background**? (The person's box is "
        "yellow and dash-dotted.)",
        click(
            "A photographer with a box around him, five proposals over the photo.",
            _photographer,
            Spot("around the person, RPN score 0.21", (8, 80, 310, 505), "Scores do not count here: its IoU is 0.87."),
            Spot("head and chest, RPN score 0.93", (60, 70, 290, 330)),
            Spot("nearly the whole photo", (0, 0, 490, 512), "Mostly meadow, but its IoU is 0.59: foreground."),
            Spot("the person, too far to the right", (62, 100, 420, 505), "Its IoU is 0.59: foreground."),
            Spot("towers on the horizon", (350, 60, 490, 330), "Its IoU is 0, less than 0.1: neither of the two."),
        ),
        because="Its IoU is 0.40, so it is background although it shows nothing but the person: a box that is too "
        "small. With a lower bound of 0.0 the towers can be drawn too.",
    ),
    Question(
        "background_box",
        "Why does a background ROI enter the cross entropy but not the box loss?",
        Choice(
            "it has a right class, but no box that it should become",
            {
                "its targets are 0, so it would add nothing": "A target of 0 says: do not move. It would be learned "
                "like any other; the mask keeps it out.",
                "the 84 columns have no place for background": "Background, class 0, owns the first four; they stay 0.",
                "its box would be learned twice": "No other loss learns a ROI's box; the RPN's is about anchors.",
            },
            place=1,
        ),
        because="“Background” is a right answer for the class. For the box there is none: there is no object that the "
        "box should move to. Its mask is 0 in all `4 (C + 1)` columns.",
    ),
    Question(
        "what_is_compared",
        "A batch of 128 ROIs holds 20 foreground ones; the detector knows 20 classes. How many rows enter the cross "
        "entropy, and how many of the 128 · 84 coefficients are compared with a target?",
        Number(
            128,
            "rows",
            wrong={
                20: "Background teaches its class too: that it is background.",
                108: "Foreground has a class to learn as well.",
                32: "32 is the most foreground that a batch may hold.",
            },
        ),
        Number(
            80,
            "coefficients",
            wrong={
                20: "Four for each foreground row, not one.",
                512: "A background row has no box to learn.",
                1680: "The mask is 1 in the four columns of the right class alone.",
                10752: "The mask is 1 in the right class's four columns of a foreground row, and 0 elsewhere.",
                128: "That is with 32 foreground rows.",
            },
        ),
        because="All 128 rows have a right class. The mask is 1 in four columns of each foreground row: 20 · 4 = 80 of "
        "10 752 coefficients.",
    ),
)
