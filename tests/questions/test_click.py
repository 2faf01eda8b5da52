"""Questions that are answered by a click: how they are marked, kept and stored, and that the right spots are right."""

import json

import pytest
import torch
from bs4 import BeautifulSoup

from rcnn_tutorial.boxes import box_iou
from rcnn_tutorial.config import AnchorConfig, ProposalTargetConfig
from rcnn_tutorial.data import load_sample
from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.questions import anchors, crop_pooling, inference_nms, proposal_target, tour
from rcnn_tutorial.questions.asking import Question, Questions, Spot, click
from rcnn_tutorial.questions.form import Form
from rcnn_tutorial.questions.picture import REACH
from rcnn_tutorial.scene import Scene
from rcnn_tutorial.stages.anchors import generate_anchors
from rcnn_tutorial.stages.crop_pooling import crop_theta, sample_crops
from rcnn_tutorial.stages.nms import nms
from rcnn_tutorial.stages.preprocessing import GroundTruth, scale_for
from rcnn_tutorial.stages.proposal_target import assign_rois

SPOTS = (
    Spot("the large one", (-10, 5, 90, 45), "It is too large."),
    Spot("the small one", (20, 10, 40, 30)),
    Spot("the point", (50, 25), "A point has no area."),
)
FIELD = click("Two boxes and a point.", lambda: Scene(size=(50, 100)), *SPOTS)
ASKED = Questions("tour", "quiz", Question("which", "Which one?", FIELD, because="So it is."))


def spots_of(questions: Questions, key: str) -> tuple[torch.Tensor, int]:
    """Where the spots of a question lie, (N, 4) or (N, 2), and which one is right."""
    (question,) = [question for question in questions.questions if question.key == key]
    field = question.fields[0]
    return torch.tensor([spot.at for spot in field.picture.spots], dtype=torch.float32), field.place


def test_a_click_is_a_choice_whose_options_bear_letters():
    assert FIELD.options == ["A: the large one", "B: the small one", "C: the point"]
    assert FIELD.mark("B: the small one")["right"]
    assert FIELD.mark("C: the point")["says"] == "A point has no area."


@pytest.mark.parametrize("spots", [SPOTS[:1], (SPOTS[1], SPOTS[1]), (SPOTS[0],) * 5 + (SPOTS[1],)])
def test_just_one_of_a_handful_of_spots_is_right(spots):
    with pytest.raises(ConfigError, match="5 at most, just one of them the right one"):
        click("Boxes.", Scene, *spots)


def test_the_page_knows_where_the_spots_lie_and_not_which_is_right():
    picture = FIELD.form()["picture"]
    assert picture["size"] == [50, 100] and picture["source"].startswith("data:image/webp;base64,")
    reach = 100 * REACH
    assert picture["spots"] == [
        {"box": [0, 5, 90, 45], "point": False},  # nothing of it lies outside
        {"box": [20, 10, 40, 30], "point": False},
        {"box": [50 - reach, 25 - reach, 50 + reach, 25 + reach], "point": True},
    ]
    assert not any(word in json.dumps(FIELD.form()) for word in ("too large", "no area", "place"))


def test_an_answer_is_kept_in_words_remembered_and_asked_again(tmp_path):
    Form(ASKED, tmp_path).commit(0, ["A: the large one"])
    entry = json.loads((tmp_path / "tour.json").read_text(encoding="utf-8"))["quiz"]["which"]
    assert (entry["answer"], entry["right_answer"]) == (["A: the large one"], ["B: the small one"])
    assert entry["misconceptions"] == ["It is too large."]
    later = Form(ASKED, tmp_path)
    assert later.outcomes[0]["values"] == ["A: the large one"] and not later.outcomes[0]["right"]
    later.again(0)
    assert Form(ASKED, tmp_path).outcomes == [{}]


def test_a_notebook_stores_the_picture_and_the_options():
    page = BeautifulSoup(ASKED.html(), "html.parser")
    assert page.img["alt"] == "Two boxes and a point." and page.img["src"] == FIELD.picture.source
    assert [item.get_text() for item in page.ul.find_all("li")] == FIELD.options
    assert page.details.get_text(" ") == "Answer B: the small one So it is."
    assert repr(ASKED).splitlines()[1:] == [f"   ( ) {option}" for option in FIELD.options]


def test_the_cell_of_the_tour_lies_where_its_anchors_do():
    points, right = spots_of(tour.quiz, "cell")
    scale = scale_for(400, 600)
    all_anchors = generate_anchors(38, 57, 16, AnchorConfig()).reshape(38, 57, -1, 4)
    nine = all_anchors[9, 30] / scale
    assert scale == 1.5 and ((nine[:, :2] + nine[:, 2:]) / 2 - points[right]).abs().max() < 0.1


def test_the_best_anchor_is_one_of_the_photos_anchors_and_best():
    boxes, right = spots_of(anchors.quiz, "best_anchor")
    all_anchors = generate_anchors(38, 56, 16, AnchorConfig())
    assert all((all_anchors == box).all(dim=1).any() for box in boxes)
    motorcycle = 1.2 * load_sample("motorcycle")[1]["boxes"][:1]
    ious = box_iou(boxes, motorcycle)[:, 0]
    assert ious.argmax() == right and scale_for(500, 741) == 1.2
    assert [round(iou, 2) for iou in ious.tolist()] == [0.19, 0.42, 0.71, 0.57, 0.50]


def test_one_proposal_alone_can_be_background():
    boxes, right = spots_of(proposal_target.quiz, "background")
    target = load_sample("photographer")[1]
    truth = GroundTruth(target["boxes"][None], target["labels"][None])
    found = assign_rois(boxes[None], torch.ones(1, len(boxes), dtype=torch.bool), truth, ProposalTargetConfig())
    assert found.background[0].nonzero().flatten().tolist() == [right]
    assert found.foreground[0].tolist() == [True, False, True, True, False]
    assert [round(iou, 2) for iou in found.max_overlaps[0].tolist()] == [0.87, 0.40, 0.59, 0.59, 0]


def test_the_corner_sample_reads_at_the_rois_corner():
    points, right = spots_of(crop_pooling.quiz, "corner")
    rows, columns = torch.meshgrid(torch.arange(7.0), torch.arange(9.0), indexing="ij")
    ramps = torch.stack([columns, rows])[None]  # (1, 2, 7, 9): each cell holds its own place
    theta = crop_theta(torch.tensor([[[36.0, 20, 100, 84]]]), 16, (7, 9))
    crop = sample_crops(ramps, theta, 3)[0]  # (2, 3, 3)
    torch.testing.assert_close(crop[:, 0, 2] + 0.5, points[right])


def test_the_box_that_survives_next_is_of_another_class():
    boxes, right = spots_of(inference_nms.quiz, "next")
    boxes = torch.cat([torch.tensor([[91.0, 15, 684, 452]]), boxes])
    scores, labels = torch.tensor([0.95, 0.88, 0.73, 0.41, 0.64]), torch.tensor([0, 0, 0, 0, 1])
    kept = nms(boxes + 1000 * labels[:, None], scores, 0.3)  # classes far apart
    assert kept.tolist() == [0, right + 1, 3]
    assert [round(iou, 2) for iou in box_iou(boxes[:1], boxes)[0].tolist()] == [1, 0.72, 0.56, 0.19, 0.63]
