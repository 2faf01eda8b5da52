"""The numbers of lesson 01's exercises on paper, and of its question on your data, computed by the package."""

import math

import pytest
import torch

from rcnn_tutorial.checks.preprocessing import bug_hunt
from rcnn_tutorial.config import PreprocessingConfig
from rcnn_tutorial.course.files import PAPER, course_folder
from rcnn_tutorial.stages.preprocessing import normalize, pad_ground_truth, preprocess, scale_for
from rcnn_tutorial.targets import make_target

CONFIG = PreprocessingConfig()
ANSWERS = (course_folder() / PAPER / "01_preprocessing.md").read_text(encoding="utf-8").partition("## Answers")[2]


def says(*texts) -> bool:
    """Whether the answers hold all the texts, wherever their lines end."""
    answers = " ".join(ANSWERS.split())
    return all(text in answers for text in texts)


def scaled_size(height: int, width: int) -> tuple[int, ...]:
    return tuple(preprocess([torch.rand(3, height, width)], CONFIG).sizes[0].tolist())


@pytest.mark.parametrize(
    "size, scale, after",
    [
        ((480, 720), 1.25, (600, 900)),
        ((500, 1250), 0.8, (400, 1000)),
        ((1000, 750), 0.8, (800, 600)),
        ((90, 60), 10, (900, 600)),
    ],
)
def test_four_photos(size, scale, after):
    assert scale_for(*size) == scale and scaled_size(*size) == after
    assert says(f"{after[0]} × {after[1]}", f"= {scale:g}")


def test_there_and_back():
    def edges(*in_file, scale=1.0):
        return bug_hunt.right(torch.tensor([in_file]), scale)[0].tolist()

    assert edges(51, 26, 150, 75) == [50, 25, 150, 75]
    assert edges(51, 26, 150, 75, scale=0.8) == pytest.approx([40, 20, 120, 60])
    back = (torch.tensor([200.0, 100, 280, 180]) / scale_for(500, 1250)).tolist()
    assert back == edges(251, 126, 350, 225) == [250, 125, 350, 225]
    assert says("(50, 25) to (150, 75)", "(40, 20) to (120, 60)", "(250, 125) to (350, 225)")
    assert says("xmin 251, ymin 126, xmax 350, ymax 225")


def test_one_value():
    def red(value):
        return float(normalize(torch.full((3, 1, 1), value), CONFIG)[0])

    assert [round(red(182 / 255), 2), round(red(182.0), 1), round(red(1.0), 2)] == [1.00, 792.6, 2.25]
    assert round(182 - 122.7717, 1) == 59.2 and says("= 1.00", "= 59.2", "= 792.6", "2.25")


def test_three_shapes():
    assert [scaled_size(height, 3000) for height in (2000, 1500, 750)] == [(600, 900), (500, 1000), (250, 1000)]
    assert [90 * scale_for(height, 3000) for height in (2000, 1500, 750)] == pytest.approx([27, 30, 30])
    assert says("600 × 900, and 27 pixels", "500 × 1000, and 30 pixels", "250 × 1000, and 30 pixels")


def test_a_padded_batch():
    box = [10, 10, 80, 40]
    targets = [make_target([box] * n, [1] * n, [False] * n, (60, 90), str(n)) for n in (2, 0, 5)]
    truth = pad_ground_truth(targets, torch.ones(3), classes=20)
    widths = truth.boxes[..., 2] - truth.boxes[..., 0]
    assert truth.boxes.shape == (3, 5, 4) and int(truth.valid.sum()) == 7
    assert (round(float(widths.mean()), 1), float(widths[truth.valid].mean())) == (32.7, 70)
    assert says("(3, 5, 4)", "7 are valid, 15 - 7 = 8 are padding", "= 32.7")


def test_the_people_of_your_data():
    """People of 40 pixels on a photo of 3000 × 4000: what the lesson's folded answer says."""
    assert 40 * scale_for(3000, 4000) == 8 and scale_for(600, 800) == 1
    tiles = [1 + math.ceil((side - tile) / (tile - 40)) for side, tile in ((4000, 800), (3000, 600))]
    assert tiles == [6, 6] and (4000 / 800) * (3000 / 600) == 25
    for side, tile, count, overlap in ((4000, 800, 6, 160), (3000, 600, 6, 120)):
        starts = [number * (side - tile) / (count - 1) for number in range(count)]
        assert starts[0] + tile - starts[1] == overlap
        assert all(any(s <= x and x + 40 <= s + tile for s in starts) for x in range(side - 40 + 1))


def test_scaled_row_ten_of_going_further():
    ramp = torch.arange(12.0)[None, :, None].expand(3, 12, 4)  # every pixel holds its row's number
    scaled = preprocess([ramp], PreprocessingConfig(8, 1000, mean=(0, 0, 0), std=(1, 1, 1)))
    row = 10.5 / 1.6 - 0.5
    assert round(row, 2) == 6.06 and scaled.scales[0] == 2  # the package by another scale: the same formula
    torch.testing.assert_close(scaled.images[0][0, 10, 0], torch.tensor(10.5 / 2 - 0.5))
