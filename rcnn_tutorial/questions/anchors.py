"""What the lesson on anchors asks: how many there are, how large, what overlap is, what a wrong stride does."""

from rcnn_tutorial.data import load_sample
from rcnn_tutorial.questions.asking import Choice, Number, Question, Questions, Spot, click
from rcnn_tutorial.roles import GROUND_TRUTH
from rcnn_tutorial.scene import Boxes, Scene

__all__ = ["predict", "quiz"]


def _motorcycle() -> Scene:
    """The photo and its largest object, in pixels of the scaled image as anchors are."""
    image, target = load_sample("motorcycle")  # (3, 500, 741)
    boxes = 1.2 * target["boxes"][:1]  # (1, 4); 600 / 500 is the scale
    return Scene(image, [Boxes(boxes=boxes, role=GROUND_TRUTH)], size=(600, 889.2))


predict = Questions(
    "anchors",
    "predictions",
    Question(
        "count",
        "How many anchors are there, and how many of them lie **wholly inside** the image? (For the second number, a "
        "guess within 1 000 will do.)",
        Number(
            11907,
            "all",
            wrong={
                11160: "You round down: a last, incomplete row or column of pixels gets its own cells.",
                11706: "You round at the end: rows and columns are whole numbers each, so round each side.",
                1323: "These are the cells; at each of them stand nine anchors.",
                2997000: "You put anchors at every pixel: there is one cell for every 16 × 16 of them.",
            },
        ),
        Number(
            2645,
            "wholly inside",
            near=1000,
            wrong={
                11907: "All centers lie on the image, but an anchor is inside only with all four sides.",
                6615: "Five of nine shapes are low enough, but each leaves the image near its border.",
                9262: "So many leave the image.",
            },
        ),
        because="333 / 16 = 20.8 and 1000 / 16 = 62.5, rounded up: 21 · 63 · 9 = 11 907, of which 2 645 lie inside. "
        "Four of the nine shapes are higher than 333 pixels and fit nowhere.",
    ),
)

quiz = Questions(
    "anchors",
    "quiz",
    Question(
        "size",
        "Base size 16, scale 32, ratio 2. How large is the anchor?",
        Number(
            352,
            "width",
            wrong={
                704: "Your ratio is width / height; here it is height / width, so a ratio of 2 is a tall anchor.",
                512: "You keep the width and stretch the height; a ratio keeps the area and changes both.",
                362: "11.31 becomes 11 before it is scaled, not after.",
                23: "You take the scale for a side in pixels; it multiplies the base size.",
                11: "That is the small shape; the scale multiplies it.",
            },
        ),
        Number(
            704,
            "height",
            wrong={
                352: "Your ratio is width / height; here it is height / width, so a ratio of 2 is a tall anchor.",
                1024: "You keep the width and stretch the height; a ratio keeps the area and changes both.",
                724: "The small shape is rounded before it is scaled, not after.",
                736: "The height comes from the rounded width: 2 · 11 = 22, not 22.6, which would become 23.",
                46: "You take the scale for a side in pixels; it multiplies the base size.",
                22: "That is the small shape; the scale multiplies it.",
            },
        ),
        because="11 × 22 for the small shape, times 32: 352 × 704. It fits into no image that is 600 pixels high.",
    ),
    Question(
        "unscaled",
        "The image is 375 × 500 pixels and goes into the network without scaling. How many anchors?",
        Number(
            6912,
            wrong={
                6417: "You round down: a last, incomplete row or column of pixels gets its own cells.",
                6592: "You round at the end: rows and columns are whole numbers each, so round each side.",
                768: "These are the cells; at each of them stand nine anchors.",
                17100: "So many it has when it is scaled to 600 × 800.",
            },
        ),
        because="375 / 16 = 23.4 and 500 / 16 = 31.25, rounded up: 24 · 32 · 9 = 6 912.",
    ),
    Question(
        "two_photos",
        "Do the anchors of two photos of the same size differ?",
        Choice(
            "no",
            {
                "yes, they stand where the objects are": "Anchors know nothing of the image.",
                "yes, there are more of them where there are more objects": "Every cell has the same nine.",
                "in position, not in number": "The network's answers move boxes; the anchors stay where they are.",
            },
            place=3,
        ),
        because="They depend on the size of the map and on the configuration, not on what the photo shows.",
    ),
    Question(
        "best_anchor",
        "Which of these anchors has the **best IoU** with the motorcycle's box (yellow, dash-dotted)?",
        click(
            "A motorcycle with its box, wider than high, and five anchors over it.",
            _motorcycle,
            Spot("small and wide, inside the box", (272, 184, 640, 376), "It is inside, but only 0.19 of the box."),
            Spot("tall, in the box's middle", (280, -72, 632, 632), "Its center fits, its shape does not: 0.42."),
            Spot("wide, in the box's middle", (88, 88, 824, 472)),
            Spot("square, to the upper left", (104, -40, 616, 472), "A third of it lies beside the box: 0.57."),
            Spot("wide, to the lower right", (184, 200, 920, 584), "The best shape, at a poor place: 0.50."),
        ),
        because="0.71: IoU asks for place, size and shape at once.",
    ),
    Question(
        "stride",
        "You take a head with stride 8 but leave the anchors' stride at 16. What happens?",
        Choice(
            "the anchors spread over an area twice as wide and high as the image",
            {
                "an error: there are more outputs than anchors": "Every cell gets its nine either way.",
                "the anchors stand twice as close as before": "So it would be with stride 8 for both of them.",
                "the anchors crowd in the top left quarter of the image": "The other way round: that is what a "
                "stride too small for the head does.",
            },
            place=1,
        ),
        because="The map has twice as many rows and columns, so most anchors lie outside, and output i speaks of a "
        "place where anchor i is not. Nothing raises an error. Here the stride comes from the head, so the two cannot "
        "disagree.",
    ),
)
