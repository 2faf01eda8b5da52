"""What the lesson on preprocessing asks: the 600 / 1000 rule, the fixed mean, the boxes' way there and back."""

from rcnn_tutorial.questions.asking import Choice, Number, Question, Questions

__all__ = ["predict", "quiz"]

_LONG = "You bring the long side to 1000: that is only the exception, for images that would exceed it."

predict = Questions(
    "preprocessing",
    "predictions",
    Question(
        "photo",
        "What becomes of a photo of 400 × 500 (height × width)?",
        Number(
            600, "height", wrong={800: _LONG, 480: "You bring the long side to 600; the short one should reach it."}
        ),
        Number(
            750,
            "width",
            wrong={
                1000: _LONG,
                600: "You bring the long side to 600; the short one should reach it.",
                500: "One factor serves both sides: the photo keeps its shape.",
            },
        ),
        because="The factor is 600 / 400 = 1.5, so 600 × 750.",
    ),
    Question(
        "panorama",
        "And of a panorama of 400 × 1600?",
        Number(
            250,
            "height",
            wrong={
                600: "Then the width would be 2400, which is more than 1000.",
                400: "One factor serves both sides: the photo keeps its shape.",
            },
        ),
        Number(1000, "width", wrong={2400: "That is more than 1000, so the maximum rules."}),
        because="600 / 400 = 1.5 would give 2400 pixels of length; so the factor is 1000 / 1600 = 0.625, and the "
        "result has 250 × 1000. Its short side stays far below 600.",
    ),
)

quiz = Questions(
    "preprocessing",
    "quiz",
    Question(
        "wide",
        "A photo has 600 × 2000 pixels. What does it become?",
        Choice(
            "300 × 1000",
            {
                "600 × 2000": "The short side has 600, but the long one exceeds the maximum.",
                "600 × 1000": "Two factors, one a side, would change the shape of everything in the photo.",
                "180 × 600": "600 is what the short side should reach, not the long one.",
            },
            place=2,
        ),
        because="Its short side has 600 already, but the long one exceeds the maximum, so the factor is 0.5.",
    ),
    Question(
        "own_mean",
        "Why would subtracting each image's own mean be bad, although it makes images more alike?",
        Choice(
            "the same object would look different depending on its surroundings",
            {
                "it costs too much time": "A mean is one pass over the pixels.",
                "the values would no longer lie around 0": "They would lie around 0 exactly; that is not the point.",
                "the mean of a photo cannot be computed before it is scaled": "It can; scaling hardly changes it.",
            },
        ),
        because="Look at the ring and the numbers under its pictures. And the difference between a dark and a "
        "bright scene, which is information, would be lost.",
    ),
    Question(
        "enlarged",
        "A photo of 300 × 400 is scaled up by 2. Does the network now know more about it?",
        Choice(
            "no, but its objects have the sizes that anchors and filters were made for",
            {
                "yes, four times as many pixels": "Pixels in between are interpolated: nothing is added.",
                "no, and so the scaling is useless": "Its objects now have the sizes that the anchors were made for.",
                "no, some of it is lost": "Scaling up loses nothing.",
            },
            place=1,
        ),
        because="Pixels in between are interpolated. But its objects now have sizes in pixels that the anchors and the "
        "filters were trained for, and the feature map has four times as many cells to tell neighbors apart.",
    ),
    Question(
        "caffe",
        "You replace torchvision's ResNet-50 by a VGG16 with Caffe's weights. What has to change?",
        Choice(
            "the mean, the std and the order of the channels",
            {
                "the mean alone": "Caffe's values are in gray levels, not divided by a std, and blue comes first.",
                "nothing: both were trained on ImageNet": "The same photos, but prepared in two ways.",
                "the scale of 600 / 1000": "The rule is the detector's; it does not come with the weights.",
            },
            place=3,
        ),
        because="In the config: the mean, in the order R, G, B and divided by 255, and std = 1/255 for all three, so "
        "that the values come in units of gray levels. And the channels: Caffe's first convolution expects blue first, "
        "so reverse its input channels (or the image's) once.",
    ),
    Question(
        "outside",
        "A panorama of 500 × 1500 becomes 333 × 1000, and its boxes are multiplied by 0.66667. Can a box end outside?",
        Choice(
            "yes, by a third of a pixel",
            {
                "no, boxes are rounded with the image": "Boxes are not rounded; so the way back is exact.",
                "no, a box inside the photo stays inside": "500 · 0.66667 = 333.33, and the image has 333 rows.",
                "yes, by up to 16 pixels": "That would be the rounding to cells; here a fraction of a pixel is cut.",
            },
            place=2,
        ),
        because="A box that reached row 500 now ends at 333.33. On the way back it divides to 500 again, exactly. That "
        "is why results are cut at the photo's border, after the division.",
    ),
)
