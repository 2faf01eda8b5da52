"""The numbers of lesson 00's exercises on paper, and of its question on your data, computed by the package."""

import pytest
import torch

from rcnn_tutorial.boxes import box_iou
from rcnn_tutorial.checkpoints import load_model
from rcnn_tutorial.checks.tour import bug_hunt, count_anchors
from rcnn_tutorial.course.files import PAPER, course_folder
from rcnn_tutorial.stages.anchors import generate_anchors
from rcnn_tutorial.stages.preprocessing import scale_for

HEIGHT, WIDTH = 400, 640  # of the exercises' photo
SCALED = (600, 960)
CELLS = (38, 60)
ANSWERS = (course_folder() / PAPER / "00_tour.md").read_text(encoding="utf-8").partition("## Answers")[2]


@pytest.fixture(scope="module")
def model():
    return load_model("voc")


@pytest.fixture(scope="module")
def trace(model):
    images = [torch.rand(3, HEIGHT, WIDTH), torch.rand(3, 600, 800)]
    with torch.no_grad():
        return model.trace(images)


def says(*texts) -> bool:
    """Whether the answers hold all the texts, wherever their lines end."""
    answers = " ".join(ANSWERS.split())
    return all(text in answers for text in texts)


def test_from_photo_to_anchors(model, trace):
    preprocessing = model.config.preprocessing
    assert scale_for(HEIGHT, WIDTH, preprocessing.target_size, preprocessing.max_size) == 1.5
    assert tuple(trace.preprocessed.sizes[0].tolist()) == SCALED
    assert trace.features.shape[-2:] == CELLS and len(trace.anchors) == 20520 == count_anchors.right(*SCALED, 16, 9)
    assert says("600 / 400 = 1.5", "38 · 60 · 9 = 20 520")


def test_shapes(model, trace):
    assert trace.features.shape[1:] == (96, *CELLS)
    assert trace.rpn.scores.shape[1:] == (20520, 2) and trace.rpn.coefficients.shape[1:] == (20520, 4)
    assert model.config.proposals.test_post_nms_top_n == 300 and trace.proposed.crops.shape[1:] == (96, 7, 7)
    assert trace.proposed.scores.shape[2] == 21 and trace.proposed.coefficients.shape[2:] == (21, 4)
    assert (
        says("(1, 96, 38, 60)", "(1, 20 520, 2)", "(300, 96, 7, 7)", "(1, 300, 84)", "123 120") and 20520 * 6 == 123120
    )


def test_three_rulers():
    scaled = 1.5 * torch.tensor([100.0, 50, 400, 350])
    assert scaled.tolist() == [150, 75, 600, 525] and (scaled / 16).tolist() == [9.375, 4.6875, 37.5, 32.8125]
    assert (torch.tensor([240.0, 96, 960, 600]) / 1.5).tolist() == [160, 64, 640, 400] == [160, 64, WIDTH, HEIGHT]
    assert says("(150, 75) and (600, 525)", "(9.375, 4.6875) and (37.5, 32.8125)", "(160, 64) and (640, 400)")


def test_which_anchor(model):
    anchor = generate_anchors(*CELLS, model.stride, model.config.anchors)[12345]
    center = ((anchor[:2] + anchor[2:]) / 2).tolist()
    assert center == [824, 360] == list(bug_hunt.right(12345, *CELLS, 9, 16))
    assert (22 * 60 + 51) * 9 + 6 == 12345 and [round(side / 1.5, 1) for side in center] == [549.3, 240]
    assert says("row 22, column 51, shape 6", "(824, 360)", "(549.3, 240)")


def test_two_photos_in_a_batch(trace):
    assert trace.features.shape == (2, 96, *CELLS)
    assert int((~trace.available[1]).sum()) == 3420 and 3420 * 6 == 20520
    assert says("(2, 96, 38, 60)", "20 520 - 17 100 = 3 420", "one in six")


def test_the_bird_of_your_data(model):
    """A bird of 150 pixels on a photo of 3000 × 4000: what the lesson's folded answer says."""
    scale = scale_for(3000, 4000, 600, 1000)
    assert scale == 0.2 and 150 * scale == 30
    boxes = generate_anchors(38, 50, 16, model.config.anchors)
    bird = torch.tensor([[393.0, 297, 423, 327]])  # around a cell's center
    assert round(float(box_iou(boxes, bird).max()), 3) == round(30 * 30 / (88 * 176), 3) == 0.058
    assert round(128**2 / 150**2, 2) == 0.73  # of the bird on the photo as it is, with the smallest square anchor
    assert (
        count_anchors.right(3000, 4000, 16, 9) == 423000 and round(423000 / count_anchors.right(600, 800, 16, 9)) == 25
    )
