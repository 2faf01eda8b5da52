"""What the lesson on crop pooling asks: where the samples lie, what theta divides by, which gradients flow."""

from rcnn_tutorial.questions.asking import Choice, Number, Question, Questions

__all__ = ["predict", "quiz"]

_BINS = "You divided the ROI into seven bins and took their centers. That is RoIAlign, not crop pooling."
_PIXELS = "You count pixels; the map counts cells, one every 16 pixels."
_SEVENTHS = "Your last sample does not reach x2: between seven samples there are six steps."
_WIDER = "Off by one (+1): corners are continuous here, so the ROI is 96 pixels wide, 6 cells."

predict = Questions(
    "crop_pooling",
    "predictions",
    Question(
        "ramp",
        "Which seven numbers stand in a **row** of the crop? Give the first, the second and the last. (Two decimals "
        "will do.)",
        Number(10, "first", near=0.05, wrong={11.43: _BINS, 160: _PIXELS}),
        Number(13.33, "second", near=0.05, wrong={14.29: _BINS, 12.86: _SEVENTHS, 213.33: _PIXELS}),
        Number(
            30,
            "last",
            near=0.05,
            wrong={
                28.57: _BINS,
                27.14: _SEVENTHS,
                480: _PIXELS,
                31: "Off by one (+1): the ROI's last column is x2 itself, because corners are continuous here.",
            },
        ),
        because="In cells the ROI reaches from 160 / 16 = 10 to 480 / 16 = 30. Seven samples **including both ends** "
        "leave six steps of 20 / 6 = 3.33: 10, 13.33, 16.67, 20, 23.33, 26.67, 30. On a ramp interpolation is exact, "
        "so the values are the positions.",
    ),
)

quiz = Questions(
    "crop_pooling",
    "quiz",
    Question(
        "apart",
        "A ROI is 96 pixels wide, the stride is 16, the crop 7 wide. How many cells apart are the samples?",
        Number(
            1,
            near=0.005,
            wrong={
                0.86: "You divide by seven: between seven samples there are six steps.",
                16: "These are pixels: divide by the stride, because the feature map counts cells.",
                13.71: "These are pixels, and between seven samples there are six steps.",
                1.17: _WIDER,
                1.01: _WIDER,
            },
        ),
        because="96 / 16 = 6 cells, 6 steps: exactly 1 cell. A narrower ROI reads the same cells several times over; a "
        "wider one skips some.",
    ),
    Question(
        "right_edge",
        "A ROI reaches the right edge of an 800 pixel wide photo: x2 = 800. The map has 50 columns. What does the last "
        "column of the crop hold?",
        Choice(
            "zeros",
            {
                "what the map's last column holds": "RoIAlign repeats the border; `grid_sample` reads 0.",
                "half of what the map's last column holds": "The sample lies a whole cell beyond it: its weight is 0.",
                "what the map's first column holds": "Python's index -1 wraps around; `grid_sample` does not.",
            },
            place=2,
        ),
        because="800 / 16 = 50, but the last cell is number 49. The sample lies a whole cell beyond it, where "
        "`grid_sample` reads 0. RoIAlign repeats the border there.",
    ),
    Question(
        "last_cell",
        "Why do both axes of θ use W − 1 and H − 1, not W and H?",
        Choice(
            "−1 and 1 are the centers of the outermost cells, W − 1 cells apart",
            {
                "−1 and 1 are the outer edges of the map": "So it is without `align_corners`: W cells apart.",
                "the last column of a ROI does not count": "Corners are continuous here: a ROI is x2 − x1 wide.",
                "a map with a single column must not divide by 0": "There W − 1 is just what would be 0.",
            },
            place=3,
        ),
        because="With `align_corners` on, −1 and 1 are the centers of the outermost cells. From the first center to "
        "the last there are W − 1 cells.",
    ),
    Question(
        "no_detach",
        "Somebody removes the detach. Which weights get a gradient from the classifier that had none before?",
        Choice(
            "those of the RPN's 3 × 3 convolution and of its box layer",
            {
                "all of the RPN's": "Its score layer still gets none, because scores only rank the proposals.",
                "those of the RPN's box layer alone": "The 3 × 3 convolution stands before it: boxes depend on it too.",
                "those of the head": "The head had a gradient already, through the cropped features.",
            },
        ),
        because="The box coordinates depend on these two. The score layer still gets none, because scores only rank "
        "the proposals. The head had a gradient already, through the cropped features.",
    ),
    Question(
        "squeezed",
        "A crop squeezes a wide ROI into a square. Why may the box regression still learn from it?",
        Choice(
            "its coefficients are relative to the ROI's size, so they stay the same",
            {
                "the network can tell from the crop how wide the ROI was": "Just this, the aspect ratio, is lost.",
                "the crop is stretched back before the regression": "It is not: the tail takes the square.",
                "its coefficients count pixels of the crop": "They are relative to the ROI's size: t_x is a share of "
                "its width.",
            },
            place=1,
        ),
        because="An axis-parallel stretch changes x and w by the same factor, so the coefficients (t_x, t_y, t_w, "
        "t_h), which are **relative** to the ROI's size, stay the same: the post's “invariant to an affine "
        "transformation with no shear”. What is lost is the aspect ratio itself; the network cannot tell how wide the "
        "ROI was.",
    ),
)
