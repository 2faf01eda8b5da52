"""What the tour asks: the shapes of the detector's tensors, before and after they were seen."""

from rcnn_tutorial.data import load_sample
from rcnn_tutorial.questions.asking import Choice, Number, Question, Questions, Spot, click
from rcnn_tutorial.scene import Scene

__all__ = ["predict", "quiz"]

predict = Questions(
    "tour",
    "predictions",
    Question(
        "anchors",
        "How many **anchors** are there on the image of 600 × 902 pixels?",
        Number(
            19494,
            wrong={
                18648: "You round down: a last, incomplete row or column of pixels gets its own cells.",
                19152: "You round the columns down: 902 / 16 is 56.4, and the last 6 pixels get a column of cells.",
                19027: "You round at the end: rows and columns are whole numbers each, so round each side.",
                2166: "These are the cells; at each of them stand nine anchors.",
                17100: "So many are there on 600 × 800.",
                4870800: "You put anchors at every pixel: the head leaves one cell for every 16 × 16 of them.",
            },
        ),
        because="38 · 57 · 9 = 19 494: 600 / 16 is 37.5, and the half row of cells counts; 902 / 16 is 56.4.",
    ),
    Question(
        "rpn_numbers",
        "How many **numbers** does the RPN give for this image, in all?",
        Number(
            116964,
            wrong={
                19494: "That would be one for each anchor.",
                38988: "These are the scores; every anchor has four coefficients too.",
                77976: "These are the coefficients; every anchor has two scores too.",
                97470: "Two scores, not one: background and object.",
                6: "So many it gives for each anchor.",
            },
        ),
        because="Six for each anchor: two scores, background and object, and four coefficients that move the anchor. "
        "19 494 · 6 = 116 964.",
    ),
    Question(
        "roi_numbers",
        "`toy`, the detector of lesson 08, knows 10 classes. How many numbers does its classification network give for "
        "each **ROI**?",
        Number(
            11,
            "scores",
            wrong={
                10: "Background is an answer too.",
                2: "That is the RPN: object or not.",
                21: "So many there are with 20 classes.",
            },
        ),
        Number(
            44,
            "coefficients",
            wrong={
                4: "That is the RPN: here every class proposes a box of its own.",
                40: "Background gets four too; they are never used, but keep the indexing simple.",
                11: "Four for each class, not one.",
                84: "So many there are with 20 classes.",
            },
        ),
        because="11 scores, 10 classes and background, and 4 · 11 = 44 coefficients.",
    ),
)

quiz = Questions(
    "tour",
    "quiz",
    Question(
        "same_shape",
        "Which tensors have the same shape for **every** image of one size, whatever it shows?",
        Choice(
            "all up to the RPN's outputs",
            {
                "all of them": "Suppression keeps more or fewer boxes, depending on what the image shows.",
                "the preprocessed image alone": "Features, anchors and the RPN's outputs depend on its size alone too.",
                "the detections alone": "They are what depends on the content most.",
            },
            place=2,
        ),
        because="The number of proposals after suppression depends on the content (up to its limit), and so does the "
        "number of detections.",
    ),
    Question(
        "coefficients",
        "Why are there 4 (C + 1) coefficients a ROI, but only 4 an anchor?",
        Choice(
            "the classifier corrects the box differently for each class; the RPN knows none",
            {
                "a ROI stands for several anchors": "A ROI is one anchor, moved. It may become any class, though.",
                "four for each corner of the box": "Four coefficients move a whole box: its center and its size.",
                "background needs a box as well": "It gets one, but that one is never used.",
            },
            place=1,
        ),
        because="The RPN asks “object or not”, so one box an anchor suffices. A person's box is adjusted in another "
        "way than a car's. Background gets four too, which are never used; that keeps the indexing simple.",
    ),
    Question(
        "twice",
        "The image gets twice as wide and twice as high. What happens to the numbers of anchors and of ROIs?",
        Choice(
            "four times as many anchors, as many ROIs as before",
            {
                "twice as many of both": "Cells double in both directions.",
                "four times as many of both": "The proposal layer keeps a fixed number of ROIs at most.",
                "as many as before of both": "Anchors stand at every cell, and there are more cells.",
            },
            place=1,
        ),
        because="Four times as many cells, so four times as many anchors (give or take the rounding). The proposal "
        "layer keeps a fixed number at most, and so the classifier costs the same.",
    ),
    Question(
        "cell",
        "This photo, 400 × 600 pixels, is scaled by 1.5. Which point of it lies in the middle of the anchors of **row "
        "9, column 30** of the feature map? (Both are counted from 0.)",
        click(
            "A cup of coffee on a wooden table, four points on the photo.",
            lambda: Scene(load_sample("coffee")[0]),
            Spot("left, on the saucer's rim", (101.3, 325.3), "x comes from the column, y from the row."),
            Spot("right, on the table", (488, 152), "So it is in the scaled image; divide by the scale."),
            Spot("in the top left corner", (30, 9), "Cells are not pixels: there is one every 16 pixels."),
            Spot("in the cup", (325.3, 101.3)),
        ),
        because="x = 30 · 16 + 8 = 488 and y = 9 · 16 + 8 = 152 in the scaled image; divided by 1.5: (325, 101).",
    ),
    Question(
        "coco",
        "The post says that COCO has 90 categories. How many scores has a ROI of a COCO detector?",
        Number(
            81,
            wrong={
                80: "Background is an answer too.",
                90: "Only 80 of the 90 numbers are in use, and background is an answer too.",
                91: "So it is with torchvision's detectors, which keep the gaps. Without them it is 81.",
            },
        ),
        because="81 in practice: 80 of the 90 numbers are in use, and background. Detectors that keep the gaps "
        "(torchvision's) have 91. Look before you compare.",
    ),
)
