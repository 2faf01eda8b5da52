"""What the lesson on three generations asks: which part of the time goes first, what a speed-up counts, what is cut."""

from rcnn_tutorial.questions.asking import Choice, Number, Question, Questions

__all__ = ["predict", "quiz"]

predict = Questions(
    "three_generations",
    "predictions",
    Question(
        "pixels",
        "R-CNN warps each of 2 000 proposals to 224 × 224 pixels and passes them through its network. Fast R-CNN "
        "passes the photo of 600 × 800 pixels once. How many times as many pixels does the network of R-CNN see?",
        Number(
            209,
            near=0.6,
            wrong={
                0.1: "That is one crop; there are 2 000 of them.",
                0.93: "A crop has 224 · 224 pixels, not 224.",
                2000: "A crop is smaller than the photo: it has about a tenth of the pixels.",
                627: "Three colors a pixel, for both: they cancel.",
            },
        ),
        because="2000 · 224 · 224 / (600 · 800) = 209. A pixel costs the same wherever it comes from, so this is "
        "nearly the speed-up of the paper, 213, which has other sizes and other tricks as well.",
    ),
    Question(
        "order",
        "Three parts take the time: the **search** for proposals, the **head** on the pixels, the **tail** of each "
        "ROI. Which part does Fast R-CNN take from R-CNN, and which one does Faster R-CNN take then?",
        Choice(
            "the head on each crop, then the search",
            {
                "the search, then the head on each crop": "Fast R-CNN keeps the search: it takes the same proposals.",
                "the tail of each ROI, then the search": "The tail stays in all three: each ROI is judged by itself.",
                "the head on each crop, then the tail of each ROI": "The tail stays in all three; what is left to take "
                "is the search.",
            },
            place=1,
        ),
        because="Fast R-CNN runs the head once on the photo and cuts the ROIs out of its feature map. What takes "
        "longest then is the search, and Faster R-CNN lets a small network read the proposals off the same map.",
    ),
    Question(
        "at_most",
        "A detector spends 1 second on selective search and 0.25 seconds on everything else. How many times faster "
        "does it get, at most, if you improve everything else alone? And if you replace the search alone?",
        Number(
            1.25,
            "everything else",
            near=0.001,
            wrong={5: "The search still takes its second.", 4: "The search still takes its second."},
        ),
        Number(
            5,
            "the search",
            near=0.01,
            wrong={
                4: "1.25 seconds become 0.25, not 1 second.",
                1.25: "That leaves the search as it is.",
            },
        ),
        because="1.25 seconds become 1 at best: 1.25 times. Without the search they become 0.25: 5 times. What is "
        "largest decides, and after each improvement another part is the largest.",
    ),
)

quiz = Questions(
    "three_generations",
    "quiz",
    Question(
        "boxes",
        "An image falls into 120 segments, which are merged two by two until one is left. How many regions are there "
        "in all, each with its box?",
        Number(
            239,
            wrong={
                240: "From 120 to one it takes 119 merges.",
                119: "The segments themselves have boxes too.",
                120: "Every merge makes one more region.",
                7140: "That is how many pairs there are, not how many are merged.",
            },
        ),
        because="120 segments and 119 merges: 239 regions, of all sizes from a speck to the whole photo. Some share a "
        "box, so there are fewer boxes.",
    ),
    Question(
        "size_and_fill",
        "Two regions of 300 and 500 pixels; the box around both has 1 000 pixels, the image 10 000. What are their "
        "size and their fill?",
        Number(
            0.92,
            "size",
            near=0.001,
            wrong={0.08: "Subtract that from 1: small regions go first.", 0.2: "That is a share of the box."},
        ),
        Number(
            0.98,
            "fill",
            near=0.001,
            wrong={
                0.02: "Subtract that from 1: a gap counts against the pair.",
                0.8: "The gap of 200 pixels is a share of the image, not of the box.",
                0.9: "The box around both holds the two regions: only what they leave empty is the gap.",
            },
        ),
        because="1 − 800 / 10 000 = 0.92 and 1 − (1 000 − 800) / 10 000 = 0.98. Their sum is 2 − 1 000 / 10 000, "
        "whatever the two regions hold: size and fill together ask for a small box around both.",
    ),
    Question(
        "context",
        "The proposal (96, 96, 192, 144) is warped to 224 × 224 with a context of 16. How many pixels of the photo are "
        "cut to its left, and how many above it?",
        Number(
            8,
            "left",
            near=0.01,
            wrong={
                16: "That is counted in the crop; the proposal is stretched to 192 pixels there.",
                6.86: "The proposal fills 224 − 2 · 16 pixels of the crop, not 224.",
                4: "That is the margin above it.",
            },
        ),
        Number(
            4,
            "above",
            near=0.01,
            wrong={
                16: "That is counted in the crop; the proposal is stretched to 192 pixels there.",
                8: "Down it is stretched twice as much as across, so the margin is half as wide.",
                3.43: "The proposal fills 224 − 2 · 16 pixels of the crop, not 224.",
            },
        ),
        because="96 pixels become 192 across, so 16 of the crop are 8 of the photo; 48 pixels become 192 down, so they "
        "are 4. The crop shows the wide box as a square.",
    ),
    Question(
        "what_213_counts",
        'Fast R-CNN is "213x faster at test-time" than R-CNN, says its paper. From when to when is that?',
        Choice(
            "from the proposals to the boxes: the search, the same for both, is left out",
            {
                "from the photo to the boxes": "The search alone takes about two seconds on a CPU, so the whole could "
                "not be 213 times faster.",
                "from the first training step to the last": "That is the other number, 9.",
                "from the photo to the proposals": "Both take the same proposals from the same search.",
            },
            place=0,
        ),
        because="47 seconds a photo become 0.22 without the search, and some 49 become 2.2 with it: 22 times. Both "
        "numbers are right; the next paper was about the difference.",
    ),
)
