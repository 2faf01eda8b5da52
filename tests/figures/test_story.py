"""The film of one box: every picture follows the tensors of the trace."""

from dataclasses import replace

import pytest
import torch
from PIL import Image

from rcnn_tutorial.boxes import box_iou, clip, decode
from rcnn_tutorial.config import toy_config
from rcnn_tutorial.figures.story import CHAPTERS, moments, write_film
from rcnn_tutorial.figures.tour import Tour
from rcnn_tutorial.model import build_model
from rcnn_tutorial.scene import Boxes


@pytest.fixture(scope="module")
def tour():
    torch.manual_seed(0)
    config = toy_config(("disk", "square"))
    config = replace(config, proposals=replace(config.proposals, nms_threshold=0.3))  # so that there are rivals
    model = build_model(config).eval()
    image = torch.rand(3, 60, 90, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return Tour(image, model.trace([image]), model.config, model.stride)


def last_of(film, chapter):
    """The last picture of a chapter."""
    return [moment for moment in film if moment.chapter == chapter][-1]


def test_every_chapter_is_told_in_order(tour):
    film = moments(tour)
    assert list(dict.fromkeys(moment.chapter for moment in film)) == [chapter.title for chapter in CHAPTERS]
    assert len(film) == sum(chapter.steps for chapter in CHAPTERS)
    assert all(moment.sentence.endswith(".") and moment.layers for moment in film)


def test_the_cell_holds_the_center_of_the_anchor(tour):
    cell = moments(tour)[0].layers[0].boxes[0]
    x1, y1, x2, y2 = (tour.trace.anchors[tour.anchor] / tour.scale).tolist()
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    assert cell[0] - 0.01 <= x <= cell[2] + 0.01 and cell[1] - 0.01 <= y <= cell[3] + 0.01


def test_the_moves_end_at_the_proposal_and_at_the_detection(tour):
    film, found = moments(tour), tour.trace.detections[0]
    proposal = tour.trace.proposals.boxes[0, tour.roi] / tour.scale
    assert torch.allclose(last_of(film, "The move").layers[-1].boxes[0], proposal, atol=1e-3)
    assert torch.allclose(last_of(film, "The second move").layers[-1].boxes[0], found.boxes[0], atol=1e-2)
    end = film[-1].layers[-1]
    assert torch.equal(end.boxes[0], found.boxes[0]) and end.labels[0].endswith(f"{found.scores[0]:.2f}")


def test_the_rivals_overlap_too_much_and_none_was_kept(tour):
    trace = tour.trace
    first = next(moment for moment in moments(tour) if moment.chapter == "The rivals")
    boxes = clip(decode(trace.rpn.coefficients[0], trace.anchors), trace.preprocessed.sizes[0])
    mine, scores = trace.proposals.boxes[0, tour.roi], trace.rpn.foreground[0]
    over = (box_iou(boxes, mine[None])[:, 0] > tour.config.proposals.nms_threshold) & (scores < scores[tour.anchor])
    assert over.sum() > 0 and f": {int(over.sum()):,}. " in first.sentence
    assert not set(over.nonzero()[:, 0].tolist()) & set(
        trace.proposals.anchor_indices[0, trace.proposals.valid[0]].tolist()
    )
    assert len(last_of(moments(tour), "The rivals").layers[0].boxes) == 0


def test_nothing_leaves_the_photo(tour):
    for moment in moments(tour):
        for layer in moment.layers:
            if isinstance(layer, Boxes) and len(layer.boxes) and layer.name != "the cell":
                assert (
                    layer.boxes.min() >= 0 and (layer.boxes.amax(dim=0) <= torch.tensor([90.1, 60.1, 90.1, 60.1])).all()
                )


@pytest.mark.parametrize("ending", ["webp", "gif"])
def test_the_film_is_an_animation_with_a_picture_a_moment(tour, tmp_path, ending, monkeypatch):
    monkeypatch.setattr("rcnn_tutorial.figures.story.CHAPTERS", CHAPTERS[3:5])
    path = tmp_path / f"film.{ending}"
    write_film(tour, path, width=3)
    with Image.open(path) as film:
        times = []
        for number in range(film.n_frames):  # equal pictures are one, shown longer
            film.seek(number)
            film.load()
            times.append(film.info["duration"])
        assert film.is_animated and sum(times) == 14 * 160 + 2 * 1200
