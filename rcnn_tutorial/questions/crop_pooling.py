"""What the lesson on crop pooling asks: where the samples lie, what theta divides by, which gradients flow."""

import torch

from rcnn_tutorial.questions.asking import Choice, Number, Question, Questions, Spot, click
from rcnn_tutorial.roles import ROI
from rcnn_tutorial.scene import Boxes, Points, Scene

__all__ = ["predict", "quiz"]

_BINS = "You divided the ROI into seven bins and took their centers. That is RoIAlign, not crop pooling."
_PIXELS = "You count pixels; the map counts cells, one every 16 pixels."
_ROUNDED = "You round to whole cells. That is RoIPool; crop pooling rounds nothing."
_SEVENTHS = "Your last sample does not reach x2: between seven samples there are six steps."


def _map() -> Scene:
    """7 x 9 cells and a ROI over them; cell (r, c) has its center at (c + 0.5, r + 0.5)."""
    rows, columns = torch.meshgrid(torch.arange(7), torch.arange(9), indexing="ij")
    cells = torch.stack([columns, rows], dim=-1).reshape(-1, 2) + 0.5  # (63, 2)
    roi = torch.tensor([[36, 20, 100, 84]]) / 16 + 0.5  # (1, 4)
    return Scene(layers=[Points(points=cells), Boxes(boxes=roi, role=ROI)], size=(7, 9))


predict = Questions(
    "crop_pooling",
    "predictions",
    Question(
        "ramp",
        "Which seven numbers stand in a **row** of the crop? Give the first, the second and the last. (Two decimals "
        "will do.)",
        Number(4.5, "first", near=0.05, wrong={5.57: _BINS, 72: _PIXELS, 4: _ROUNDED, 5: _ROUNDED}),
        Number(7, "second", near=0.05, wrong={7.71: _BINS, 6.64: _SEVENTHS, 112: _PIXELS}),
        Number(
            19.5,
            "last",
            near=0.05,
            wrong={
                18.43: _BINS,
                17.36: _SEVENTHS,
                312: _PIXELS,
                20: _ROUNDED,
                20.5: "Off by one (+1): the ROI's last column is x2 itself, because corners are continuous here.",
            },
        ),
        because="In cells the ROI reaches from 72 / 16 = 4.5 to 312 / 16 = 19.5. Seven samples **including both ends** "
        "leave six steps of 15 / 6 = 2.5: 4.5, 7, 9.5, 12, 14.5, 17, 19.5. On a ramp interpolation is exact, so the "
        "values are the positions.",
    ),
    Question(
        "tiny",
        "Another ROI is 8 × 8 pixels, half a cell. What stands in its crop?",
        Choice(
            "49 values, all mixes of the same few cells",
            {
                "one value, and 48 zeros": "No sample is left out: all 49 points lie inside the ROI, close together.",
                "49 values of 49 cells around it": "No sample lies outside the ROI, and it touches a few cells only.",
                "nothing: it is smaller than a cell": "Between cells the map is interpolated, so any point has a "
                "value.",
            },
            place=2,
        ),
        because="The samples lie a twelfth of a cell apart, between the same four cells (up to nine, where the ROI "
        "crosses a cell's center). More points than cells add nothing.",
    ),
)

quiz = Questions(
    "crop_pooling",
    "quiz",
    Question(
        "corner",
        "The dots are the cells of a feature map with stride 16, the box is the ROI (36, 20, 100, 84) in pixels. Its "
        "crop has 3 × 3 samples. Where does **row 0, column 2** read?",
        click(
            "A grid of seven rows and nine columns of dots, a square ROI over it, four points in the ROI.",
            _map,
            Spot("at the ROI's bottom left corner", (2.75, 5.75), "The row gives y, the column x."),
            Spot("at the ROI's top right corner", (6.75, 1.75)),
            Spot("inside the ROI, near its top right corner", (6.08, 2.42), "The middle of a bin: that is RoIAlign."),
            Spot("on the ROI's upper side", (5.42, 1.75), "You divide by three: three samples have two steps between."),
        ),
        because="The outermost samples lie on the ROI's border: x = 100 / 16 = 6.25 and y = 20 / 16 = 1.25 in cells. "
        "What is read there is a mix of the four cells around.",
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
        "Why do both axes of θ use W′ − 1 and H′ − 1, not W′ and H′?",
        Choice(
            "−1 and 1 are the centers of the outermost cells, W′ − 1 cells apart",
            {
                "−1 and 1 are the outer edges of the map": "So it is without `align_corners`: W′ cells apart.",
                "the last column of a ROI does not count": "Corners are continuous here: a ROI is x2 − x1 wide.",
                "a map with a single column must not divide by 0": "There W′ − 1 is just what would be 0.",
            },
            place=3,
        ),
        because="With `align_corners` on, −1 and 1 are the centers of the outermost cells. From the first center to "
        "the last there are W′ − 1 cells.",
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
