"""What the lesson on the RPN's loss asks: who is foreground, who enters the loss, how coefficients move a box."""

from rcnn_tutorial.questions.asking import Choice, Number, Question, Questions

__all__ = ["predict", "quiz"]

predict = Questions(
    "rpn_loss",
    "predictions",
    Question(
        "best_iou",
        "What is the **best IoU** that any of the 17 100 anchors reaches with the person? (Two decimals will do.)",
        Number(
            0.2479,
            near=0.006,
            wrong={
                0.2344: "So it is with 128 × 128; another shape has a smaller area.",
                0.2174: "So it is with 184 × 96; another shape has a smaller area.",
                0.1987: "You divide by the sum of the areas; the union counts the shared part once, so subtract it.",
                1: "You divide by the smaller area, which makes any box inside another a perfect match.",
            },
        ),
        because="The small object fits wholly inside a larger anchor. Then the intersection is the object, the union "
        "is the anchor, and IoU = 48 · 80 / (area of the anchor). The smallest area wins: 88 · 176 = 15 488, and "
        "3 840 / 15 488 = 0.2479.",
    ),
    Question(
        "foreground",
        "Foreground is an anchor with an IoU of 0.7 or more, **and** one that overlaps an object as well as any other "
        "anchor does. Background is what stays below 0.3. How many anchors will be **foreground**?",
        Number(
            12,
            wrong={
                0: "No anchor reaches 0.7, but the best ones of each object are foreground, however low their IoU.",
                1: "Ties count: every anchor that reaches the best IoU is foreground.",
                18: "So many of the 128 × 128 hold the person; the tall shape, 88 × 176, overlaps it better.",
                38: "So many of the three smallest shapes hold the person, but two of the shapes fall short of the "
                "best IoU.",
            },
        ),
        because="All anchors of 88 × 176 that hold the whole person tie at the best IoU: 2 columns of cells by 6 rows. "
        "They are **type A**, which asks for no threshold.",
    ),
)

quiz = Questions(
    "rpn_loss",
    "quiz",
    Question(
        "ties",
        "An object's best anchor has an IoU of 0.2 with it, and two anchors tie. Which labels do they get?",
        Choice(
            "both 1, foreground",
            {
                "both 0, background": "Background does not overwrite type A: an object's best anchor stays foreground.",
                "one 1, the other 0": "Ties count: every anchor that reaches an object's best IoU is type A.",
                "both -1, don't care": "That is for what lies between the thresholds, or not wholly inside the image.",
            },
            place=1,
        ),
        because="They are type A, which has no floor and counts ties. That 0.2 is below the negative threshold does "
        "not matter: type A is written after background.",
    ),
    Question(
        "sample",
        "20 anchors of an image are foreground, 5 000 background. `RPN_BATCHSIZE` is 256, `RPN_FG_FRACTION` 0.5. How "
        "many of each enter the loss? And how many in all, with two such images in a step?",
        Number(
            20,
            "foreground, one image",
            wrong={
                128: "The fraction is an upper limit, and there are only 20.",
                10: "You take that fraction of the foreground anchors; it is a fraction of the 256.",
            },
        ),
        Number(
            236,
            "background, one image",
            wrong={
                128: "Your background keeps its fixed share; it fills what foreground leaves.",
                20: "Background need not be as rare as foreground: it fills up the 256.",
                5000: "Only 256 anchors of an image enter the loss.",
                246: "Foreground is not halved: all 20 are below the limit of 128.",
            },
        ),
        Number(
            512,
            "of both kinds, two images",
            wrong={
                256: "The options count anchors of one image: each draws its own 256.",
                552: "Foreground is among the 256 of an image, not beside them.",
            },
        ),
        because="20 foreground and 236 background: the fraction is an upper limit, and background fills the rest. With "
        "two images 512, because the options count anchors of one image.",
    ),
    Question(
        "decode",
        "The RPN predicts `t = (0, 0, ln 2, 0)` for an anchor from x = 100 to x = 200. Where are the sides of the "
        "decoded box?",
        Number(
            50,
            "left side",
            near=0.5,
            wrong={
                100: "You keep the top left corner, as the post's text has it; it is the center that stays.",
                0: "You keep the bottom right corner; it is the center that stays.",
                115.3: "You multiply the width by ln 2; the coefficient is a logarithm, so take its exponential.",
            },
        ),
        Number(
            250,
            "right side",
            near=0.5,
            wrong={
                300: "You keep the top left corner, as the post's text has it; it is the center that stays.",
                200: "You keep the bottom right corner; it is the center that stays.",
                184.7: "You multiply the width by ln 2; the coefficient is a logarithm, so take its exponential.",
            },
        ),
        because="The width doubles to 200 around the same center, 150: from 50 to 250. With corner coefficients, as "
        "the post has them, it would reach from 100 to 300.",
    ),
    Question(
        "larger_loss",
        "A fresh RPN starts with a class loss of about 0.69. What would a much larger start mean?",
        Choice(
            "the network is sure of wrong answers",
            {
                "the network has guessed at random": "Who is undecided between two answers pays `ln 2`, not more.",
                "the image has many objects": "At equal probabilities the loss is `ln 2`, whatever the labels are.",
                "the image has too few foreground anchors": "Background fills the batch, and costs `ln 2` as well.",
            },
            place=2,
        ),
        because="0.69 is `ln 2`, the price of equal probabilities. A larger loss comes from a network that is sure "
        "before it has seen anything: its initial weights are too large, or labels are mixed up.",
    ),
    Question(
        "rows",
        "The RPN's coefficients are (1, 36, 38, 50). Which channel holds `t_x` of shape 5, and in which row of "
        "(17 100, 4) does it end for the cell in row 1, column 2? (All are counted from 0.)",
        Number(
            20,
            "channel",
            wrong={
                5: "Every shape has four channels, side by side.",
                45: "There are 36 channels in all: nine shapes with four each.",
                24: "You count shapes from 1.",
            },
        ),
        Number(
            473,
            "row",
            wrong={
                365: "You count 38 cells in a row; 38 is the number of rows, 50 that of columns.",
                52: "You count cells; nine anchors stand at each.",
                57: "You count cells and add the shape; nine anchors stand at each.",
                914: "Row and column are exchanged: a whole row of 50 cells comes first.",
            },
        ),
        because="Four channels a shape: 4 · 5 = 20. The rows of cells come first, then the columns, then the shapes: "
        "(1 · 50 + 2) · 9 + 5 = 473.",
    ),
    Question(
        "push",
        "A coefficient `t_x` is off by 0.5 on an anchor 256 pixels wide. How many pixels is that, and how hard does "
        "the loss push (its slope) with sigma 3, how hard with sigma 1?",
        Number(
            128,
            "pixels",
            wrong={
                0.5: "Coefficients are no pixels; `t_x` counts widths of the anchor.",
                64: "You take half the anchor's width for the unit, not its width.",
            },
        ),
        Number(
            1,
            "slope, sigma 3",
            near=0.01,
            wrong={
                4.5: "The bend lies at 1 / 9: beyond it, the curve is a straight line.",
                0.44: "That is the loss itself, not its slope.",
                0.5: "So it is with sigma 1; with sigma 3 the error lies beyond the bend, at 1 / 9.",
                1.5: "You use sigma without its square; and beyond the bend the curve is a straight line.",
            },
        ),
        Number(
            0.5,
            "slope, sigma 1",
            near=0.01,
            wrong={
                1: "With sigma 1 the bend lies at 1, so the error is on the quadratic part.",
                0.125: "That is the loss itself, not its slope.",
                0.25: "The slope of Δ² / 2 is Δ.",
            },
        ),
        because="128 pixels. With sigma 3 the error lies on the straight part, slope 1. With sigma 1 it lies on the "
        "quadratic part, slope sigma² · Δ = 0.5.",
    ),
)
