"""The numbers of lesson 02's exercises on paper, and of its question on your data, computed by the package."""

import pytest
import torch

from rcnn_tutorial.boxes import box_iou
from rcnn_tutorial.config import AnchorConfig
from rcnn_tutorial.course.files import PAPER, course_folder
from rcnn_tutorial.stages.anchors import anchor_sizes, generate_anchors, inside_image

PAPERS = AnchorConfig(scales=(4, 8), ratios=(1 / 3, 1, 3))
SIX = [(112, 36), (224, 72), (64, 64), (128, 128), (36, 108), (72, 216)]
ANSWERS = (course_folder() / PAPER / "02_anchors.md").read_text(encoding="utf-8").partition("## Answers")[2]


def says(*texts) -> bool:
    """Whether the answers hold all the texts, wherever their lines end."""
    answers = " ".join(ANSWERS.split())
    return all(text in answers for text in texts)


def around(x: float, y: float, width: float, height: float) -> torch.Tensor:
    """One box (1, 4) about a center."""
    return torch.tensor([[x - width / 2, y - height / 2, x + width / 2, y + height / 2]])


def overlap(width: float, height: float, anchor: tuple[float, float], down: float = 0, right: float = 0) -> float:
    return round(float(box_iou(around(right, down, width, height), around(0, 0, *anchor))), 3)


@pytest.fixture(scope="module")
def anchors():
    return generate_anchors(20, 30, 16, PAPERS)


def test_six_sizes(anchors):
    assert anchor_sizes(PAPERS).tolist() == [list(size) for size in SIX] and len(anchors) == 3600
    assert says(", ".join(f"{width} × {height}" for width, height in SIX), "3 600 anchors")


def test_from_number_to_corners(anchors):
    assert (4 * 30 + 7) * 6 + 2 == 764 and anchors[764].tolist() == [88, 40, 152, 104]
    assert says("row 4, column 7, shape 2", "= (120, 72)", "(88, 40) and (152, 104), inside")


def test_where_does_it_fit(anchors):
    inside = inside_image(anchors, torch.tensor([[320, 480]]))[0].view(20, 30, 6)[..., 3]  # (20, 30)
    rows, columns = (inside.any(dim=dim).nonzero().flatten().tolist() for dim in (1, 0))
    assert rows == list(range(4, 16)) and columns == list(range(4, 26)) and int(inside.sum()) == 264
    assert says("$m$ from 4 to 25, 22 columns", "$n$ from 4 to 15, 12 rows", "= 264 cells")


def test_overlap():
    first = box_iou(torch.tensor([[0.0, 0, 40, 30]]), torch.tensor([[20.0, 10, 60, 50]]))
    assert float(first) == pytest.approx(400 / 2400) and says("IoU 0.167", "IoU 0.6.", "IoU 0.391")
    assert overlap(60, 60, (60, 60), right=15) == 0.6 and overlap(60, 60, (60, 60), 15, 15) == 0.391


def test_the_best_anchor():
    shapes = ((128, 128), (88, 176), (184, 96))
    assert [overlap(90, 90, shape) for shape in shapes] == [0.494, 0.505, 0.459]
    assert [overlap(90, 90, shape, 8, 8) for shape in shapes[:2]] == [0.494, 0.447]
    nine = around(8, 8, 90, 90), generate_anchors(1, 1, 16, AnchorConfig())
    assert round(float(box_iou(*nine).max()), 3) == 0.505
    assert says("= 0.494", "IoU 0.505: the best", "= 0.459", "IoU 0.447")


def test_the_lines_of_text_of_your_data():
    """Lines of 400 × 20 pixels: what the lesson's folded answer says."""
    assert [overlap(400, 20, shape) for shape in ((184, 96), (368, 192), (88, 176))] == [0.167, 0.103, 0.081]
    nine = around(8, 8, 400, 20), generate_anchors(1, 1, 16, AnchorConfig())
    assert round(float(box_iou(*nine).max()), 3) == 0.167
    flat = anchor_sizes(AnchorConfig(scales=(1, 4, 6), ratios=(0.05,))).tolist()
    assert flat == [[72, 4], [288, 16], [432, 24]]
    assert [overlap(400, 20, (288, 16)), overlap(400, 20, (432, 24))] == [0.576, 0.772]
    assert [overlap(400, 20, (432, 24), down) for down in (8, 4)] == [0.439, 0.645]
