"""The curve that moves: right and wrong, AP and the point at the threshold, against the evaluation and by hand."""

import pytest
import torch

from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.evaluation import area_ap, eleven_point_ap, precision_recall
from rcnn_tutorial.explorers.errors import CurveExplorer
from rcnn_tutorial.explorers.precision_recall import AS_ANNOTATED, chart_places, shifted

IMAGE = torch.rand(3, 100, 120, generator=torch.Generator().manual_seed(0))
CLASSES = ("cup", "dog")


def found(boxes, scores, labels=None):
    labels = labels or [1] * len(boxes)
    boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    return {"boxes": boxes, "labels": torch.tensor(labels, dtype=torch.long), "scores": torch.tensor(scores)}


def objects(boxes, labels=None, difficult=None):
    boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    labels = torch.tensor(labels or [1] * len(boxes), dtype=torch.long)
    return {"boxes": boxes, "labels": labels, "difficult": torch.tensor(difficult or [False] * len(boxes)).bool()}


# Two photos. Of the first, detection 1 is right, 2 a duplicate; of the second, 3 is right, 4 beside everything.
FOUND = [
    found([[0, 0, 40, 40], [0, 0, 40, 38], [50, 50, 90, 90]], [0.9, 0.8, 0.95], [1, 1, 2]),
    found([[10, 10, 50, 50], [70, 10, 90, 30]], [0.7, 0.4]),
]
TARGETS = [objects([[0, 0, 40, 40], [50, 50, 90, 90]], [1, 2]), objects([[10, 10, 50, 50]])]


@pytest.fixture
def explorer():
    return CurveExplorer([IMAGE, IMAGE], FOUND, TARGETS, 1, CLASSES)


def boxes_of(explorer, name):
    return sum(len(layer.boxes) for layer in explorer.canvas.layers if layer.legend == name)


def test_the_threshold_picks_a_point_of_the_evaluations_curve(explorer):
    curve = precision_recall(FOUND, TARGETS, CLASSES)["cup"]
    areas = area_ap(curve.precision, curve.recall), eleven_point_ap(curve.precision, curve.recall)
    for threshold, count in ((0.95, 0), (0.85, 1), (0.75, 2), (0.5, 3), (0.0, 4)):
        explorer.threshold.value = threshold
        assert explorer.summary.startswith(f"cup: {count} of 4 detections score {threshold:.2f} or more, ")
        assert f"AP {areas[0]:.3f} by area, {areas[1]:.3f} at 11 points. " in explorer.summary
        shown = explorer.canvases[1].layers[-1].points
        assert len(shown) == (count > 0)
        if count:
            point = torch.tensor([[curve.recall[count - 1], curve.precision[count - 1]]])
            assert torch.allclose(shown, chart_places(point))
            said = f"precision {curve.precision[count - 1]:.2f}, recall {curve.recall[count - 1]:.2f}. "
            assert said in explorer.summary
        else:
            assert "0 right: no precision, recall 0.00." in explorer.summary


def test_dragging_the_object_away_makes_its_detection_wrong_and_the_ap_fall(explorer):
    explorer.threshold.value = 0.6
    assert "Detection 1 finds the object in hand (IoU 1.00)." in explorer.summary
    assert boxes_of(explorer, "right") == 1 and boxes_of(explorer, "wrong") == 1
    explorer.canvas.move(box=(60, 0, 100, 40))
    assert "No detection touches the object in hand." in explorer.summary
    assert "(as annotated 0.833 by area, 0.848 at 11 points)" in explorer.summary
    assert "AP 0.167 by area, 0.182 at 11 points" in explorer.summary  # found once, at rank 3: 1/2 of 1/3; 6/11 of 1/3
    assert boxes_of(explorer, "right") == 0 and boxes_of(explorer, "wrong") == 2
    assert boxes_of(explorer, AS_ANNOTATED.name) == 1


def test_a_little_beside_is_still_right_until_the_iou_threshold(explorer):
    explorer.set(threshold=0.6, box=(0, 0, 40, 50))  # IoU 0.8 with the first, 0.76 with the second
    assert "Detection 1 finds the object in hand (IoU 0.80)." in explorer.summary
    explorer.iou.value = 0.8  # "above" 0.8
    assert "No detection finds the object in hand (best IoU 0.80)." in explorer.summary


def test_another_object_brings_its_photo_and_lies_where_it_is_annotated(explorer):
    explorer.canvas.move(box=(60, 0, 100, 40))
    explorer.object.value = 2
    assert explorer.canvas.handles["box"] == [10, 10, 50, 50]
    assert "Detection 3 finds the object in hand" in explorer.summary and "as annotated" not in explorer.summary
    explorer.threshold.value = 0.8
    assert "Detection 3 finds the object in hand (only below the threshold, score 0.70, IoU 1.00)." in explorer.summary
    explorer.press("Half beside")  # a question about the first
    assert explorer.object.value == 1 and explorer.canvas.handles["box"] == [20, 0, 60, 40]
    explorer.press("Reset")
    assert explorer.canvas.handles["box"] == [0, 0, 40, 40]


def test_a_click_on_the_chart_sets_the_threshold(explorer):
    curve = precision_recall(FOUND, TARGETS, CLASSES)["cup"]
    place = chart_places(torch.tensor([curve.recall[1], curve.precision[1]])).tolist()
    explorer.canvases[1].clicked = [place[0] + 3, place[1] - 2]
    assert explorer.threshold.value == pytest.approx(0.8) or explorer.threshold.value == pytest.approx(0.79)
    assert explorer.summary.startswith("cup: 2 of 4 detections")


def test_a_detection_of_a_difficult_object_is_neither_right_nor_wrong():
    target = objects([[0, 0, 40, 40], [60, 60, 90, 90]], difficult=[False, True])
    explorer = CurveExplorer(IMAGE, found([[60, 60, 90, 90], [0, 0, 40, 40]], [0.9, 0.8]), target)
    assert boxes_of(explorer, "on a difficult object") == 1 and boxes_of(explorer, "right") == 1
    assert "2 of 2 detections score 0.50 or more, 1 right: precision 1.00, recall 1.00." in explorer.summary
    assert "object" not in explorer.controls  # one object alone can be dragged


@pytest.mark.parametrize(
    ("detections", "target", "said"),
    [
        (found([], []), objects([[0, 0, 40, 40]]), "0 of 0 detections score 0.50 or more, 0 right: no precision"),
        (found([[0, 0, 4, 4]], [0.9]), objects([]), "There is no object of this class"),
        (found([], []), objects([]), "There is no object of this class"),
        (found([[0, 0, 4, 4]], [0.9]), objects([[0, 0, 40, 40]], [2]), "There is no object of this class"),
        (found([[5, 5, 5, 5]], [0.9]), objects([[5, 5, 5, 5]]), "0 right: precision 0.00, recall 0.00"),
    ],
)
def test_nothing_to_count_gives_a_sentence(detections, target, said):
    explorer = CurveExplorer(IMAGE, detections, target)
    assert said in explorer.summary
    for threshold in (0.0, 1.0):
        explorer.threshold.value = threshold
        explorer.canvases[1].clicked = [100.0, 100.0]
        assert "nan" not in explorer.summary
    explorer.figure()


def test_three_hundred_detections():
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand(300, 2, generator=generator) * 60
    boxes = torch.cat([corners, corners + 30], dim=1)
    many = {"boxes": boxes, "labels": torch.ones(300, dtype=torch.long), "scores": torch.rand(300, generator=generator)}
    explorer = CurveExplorer(IMAGE, many, objects(boxes[:60].tolist()))
    explorer.threshold.value = 0.0
    assert "300 of 300 detections" in explorer.summary
    assert not any(
        getattr(layer, "labels", ()) for layer in explorer.canvases[1].layers[2:]
    )  # 300 numbers would hide the curve


def test_as_many_photos_as_targets():
    with pytest.raises(ConfigError, match="2 images, 1 detections, 2 targets: give one of each a photo"):
        CurveExplorer([IMAGE, IMAGE], FOUND[:1], TARGETS)
    with pytest.raises(ConfigError, match="0 images"):
        CurveExplorer([], [], [])


def test_shifted_stays_on_the_side_with_room():
    assert shifted((0, 0, 40, 10), 100) == [20, 0, 60, 10]
    assert shifted((70, 0, 90, 10), 100) == [60, 0, 80, 10]
