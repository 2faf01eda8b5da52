"""The game of suppression: each step, the reader's answers, the list beside the picture, nothing to show."""

import pytest
import torch

from rcnn_tutorial.boxes import box_iou
from rcnn_tutorial.explorers.suppression import (
    BY_SCORE,
    BY_Y,
    MOST,
    NMSExplorer,
    distance,
    few_of_each_cluster,
    letter,
    replay,
)
from rcnn_tutorial.stages.nms import bottom_y, nms, nms_steps

IMAGE = torch.rand(3, 96, 128, generator=torch.Generator().manual_seed(0))
PAIR = torch.tensor([[10.0, 10, 60, 60], [15, 17.5, 65, 67.5]])  # the post's two boxes, IoU 0.6194
# A; B and C on it, of which only B overlaps it by more than half; D apart.
FOUR = torch.tensor([[10.0, 10, 50, 50], [14, 10, 54, 50], [30, 10, 70, 50], [80, 60, 120, 90]])
SCORES = torch.tensor([0.9, 0.8, 0.7, 0.6])


def some_boxes(count):
    generator = torch.Generator().manual_seed(1)
    corners = torch.rand(count, 2, generator=generator) * 50
    boxes = torch.cat([corners, corners + 20 + torch.rand(count, 2, generator=generator) * 20], dim=1)
    return boxes, torch.rand(count, generator=generator)


@pytest.fixture
def explorer():
    return NMSExplorer(IMAGE, FOUR, SCORES, threshold=0.5)


def drawn(explorer):
    """Legend -> boxes."""
    return {layer.legend: layer.boxes.tolist() for layer in explorer.canvas.layers if len(layer.boxes)}


def fates(explorer):
    """Letter -> last word of the list."""
    return {row["name"]: row["cells"][-1] for row in explorer.ranking.frame["rows"]}


# ---- the game


@pytest.mark.parametrize("order", [BY_SCORE, BY_Y])
def test_the_result_is_what_the_stage_keeps(order):
    explorer = NMSExplorer(IMAGE, *some_boxes(MOST), threshold=0.4)
    explorer.set(order=order, step=explorer.step.max)
    ranks = explorer.scores if order == BY_SCORE else bottom_y(explorer.boxes)
    assert sorted(drawn(explorer)["kept"]) == sorted(explorer.boxes[nms(explorer.boxes, ranks, 0.4)].tolist())
    assert set(drawn(explorer)) == {"kept", "removed"}


def test_a_step_keeps_one_box_and_knows_who_removed_whom():
    boxes, scores = some_boxes(MOST)
    game = list(nms_steps(boxes, scores, 0.4))
    for step in range(len(game) + 2):
        state = replay(game, step, len(boxes))
        assert sum(map(len, map(state.whats_are, ("kept", "in hand")))) == min(step, len(game))
        assert (state.now is not None) == (0 < step <= len(game))
        for row, (what, by) in enumerate(zip(state.whats, state.by, strict=True)):
            assert (by is None) == (what not in ("falls", "removed"))
            if by is not None:
                assert box_iou(boxes[by, None], boxes[row, None]) > 0.4 and scores[by] >= scores[row]
            if what == "falls":
                assert by == state.now


def test_the_list_is_crossed_out_step_by_step(explorer):
    assert fates(explorer) == dict.fromkeys("ABCD", "open") and explorer.ranking.frame["heads"][3] == "IoU"
    explorer.step.value = 1
    assert fates(explorer) == {"A": "in hand", "B": "falls", "C": "open", "D": "open"}
    ious = {row["name"]: row["cells"][2] for row in explorer.ranking.frame["rows"]}
    assert ious == {"A": "", "B": "0.82", "C": "0.33", "D": "0.00"}
    assert explorer.ranking.frame["heads"][3] == "IoU A"
    explorer.step.value = 2
    assert fates(explorer) == {"A": "kept", "B": "✗ by A", "C": "in hand", "D": "open"}
    assert explorer.summary.startswith("Step 2 of 3: C is kept, removes none.")


def test_the_list_follows_the_order(explorer):
    explorer.order.value = BY_Y
    assert list(fates(explorer)) == ["D", "A", "B", "C"]


def test_removed_boxes_fade_and_those_that_fall_show_their_iou(explorer):
    explorer.step.value = 1
    layers = {layer.legend: layer for layer in explorer.canvas.layers}
    assert layers["falls"].labels == ["B IoU 0.82"] and layers["open"].labels == ["C", "D"]
    assert layers["removed"].opacity < 0.5 < layers["falls"].opacity
    assert layers["removed"].width < layers["open"].width < layers["falls"].width < layers["in hand"].width


def test_a_finished_game_stays_finished_and_an_open_one_where_it_was(explorer):
    explorer.step.value = explorer.step.max
    for threshold in (0.9, 0.1, 0.6):
        explorer.threshold.value = threshold
        assert explorer.step.value == explorer.step.max and "kept:" in explorer.summary
    explorer.step.value = 1
    explorer.threshold.value = 0.9
    assert explorer.step.value == 1


def test_score_order_keeps_the_better_box_and_y_order_the_lower(press):
    explorer = NMSExplorer(IMAGE, PAIR, torch.tensor([0.9, 0.8]), threshold=0.5)
    explorer.step.value = explorer.step.max
    assert drawn(explorer)["kept"] == PAIR[:1].tolist()
    press(explorer, "By bottom y")
    assert drawn(explorer)["kept"] == PAIR[1:].tolist()
    press(explorer, "NMS 0.7")
    assert explorer.summary == "NMS IoU 0.70: 2 kept: A, B; 0 removed. Mean score kept 0.85."
    press(explorer, "NMS 0.3")
    assert drawn(explorer)["kept"] == PAIR[:1].tolist() and explorer.order.value == BY_SCORE
    press(explorer, "Reset")
    assert explorer.step.value == 0


# ---- the reader


def test_the_right_answer_takes_the_step_and_says_why(explorer):
    explorer.answer(0)
    assert explorer.step.value == 1
    assert explorer.summary.startswith("✓ Right, A has the best open score, 0.90. Step 1 of 3")
    explorer.threshold.value = 0.55
    assert explorer.summary.startswith("Step 1")  # said once


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (3, "✗ Not D: an open box scores more than 0.60."),
        (1, "✗ Not B: A removed it, their IoU is 0.82."),
        (0, "✗ Not A: it is kept already."),
    ],
)
def test_a_wrong_answer_says_why_and_changes_nothing(explorer, row, reason):
    explorer.step.value = 1
    explorer.answer(row)
    assert explorer.step.value == 1 and explorer.summary.startswith(reason + " Step 1 of 3")
    assert len(explorer.summary) <= 160


def test_by_bottom_y_the_lowest_is_right(explorer):
    explorer.order.value = BY_Y
    explorer.answer(0)
    assert explorer.summary.startswith("✗ Not A: an open box ends lower than 50.")
    explorer.answer(3)
    assert explorer.summary.startswith("✓ Right, D has the lowest bottom, 90.")


def test_of_two_that_tie_the_one_with_the_better_score_comes_first(explorer):
    explorer.set(order=BY_Y, threshold=1.0, step=1)
    explorer.answer(1)
    assert explorer.summary.startswith("✗ Not B: an open box ties with it and comes first in the list.")
    explorer.answer(0)
    assert explorer.summary.startswith("✓ Right, A has the lowest bottom, 50.")


def test_after_the_last_box_no_answer_is_right(explorer):
    explorer.step.value = 3
    explorer.answer(3)
    assert explorer.summary.startswith("The game is over: no box is open.") and explorer.step.value == 3


def test_a_click_means_the_nearest_outline_and_the_same_place_may_be_clicked_again(explorer):
    explorer.canvas.clicked = [79.0, 75.0]
    assert explorer.summary.startswith("✗ Not D") and explorer.canvas.clicked == []
    explorer.step.value = 2
    explorer.canvas.clicked = [79.0, 75.0]
    assert explorer.summary.startswith("✓ Right, D")
    explorer.canvas.clicked = [3.0, 95.0]
    assert explorer.summary.startswith("✓ Right, D")  # beside all boxes: no answer
    assert explorer.pointed_at(11.0, 30.0) == 0 and explorer.pointed_at(53.0, 30.0) == 0  # B is removed: out of reach
    assert [distance([10, 10, 50, 50], *at) for at in ((10, 20), (6, 20), (13, 20), (53, 54))] == [0, 4, -3, 5]


def test_the_list_steps_and_picks(explorer):
    for content, step in (({"go": 1}, 1), ({"go": -1}, 0), ({"go": -1}, 0), ({"pick": 0}, 1), ({"pick": 9}, 1)):
        explorer.ranking._handle_custom_msg(content, [])
        assert explorer.step.value == explorer.ranking.frame["step"] == step
    for _ in range(9):
        explorer.ranking._handle_custom_msg({"go": 1}, [])
    assert explorer.step.value == explorer.step.max == explorer.ranking.frame["last"] == 4


# ---- the boxes that take part


def test_few_boxes_are_the_best_of_three_clusters_and_some_of_their_rivals():
    clusters = torch.tensor([[0.0, 0, 40, 40], [100, 0, 140, 40], [0, 100, 40, 140], [100, 100, 140, 140]])
    shifts = torch.arange(10)[:, None] * torch.tensor([2.0, 0, 2, 0])  # IoU with the first 1, 0.90, ... 0.38
    boxes = (clusters[:, None] + shifts).reshape(-1, 4)
    scores = torch.linspace(1.0, 0.2, 40)
    rows = few_of_each_cluster(boxes, scores)
    assert torch.equal(rows, scores[rows].argsort(descending=True).new_tensor(sorted(rows.tolist())))
    assert [sum(row // 10 == cluster for row in rows.tolist()) for cluster in range(4)] == [5, 3, 3, 0]
    assert {0, 10, 20} <= set(rows.tolist())
    kept = rows[nms(boxes[rows], scores[rows], 0.3)]
    assert kept.tolist() == [0, 10, 20]


@pytest.mark.parametrize("count", [0, 1, 2, MOST + 1, 300])
def test_any_number_of_boxes_is_played(count):
    boxes, scores = some_boxes(count)
    for certain in (scores, scores / 100):  # all of them unlikely, too
        explorer = NMSExplorer(IMAGE, boxes, certain)
        assert len(explorer.boxes) == min(count, len(explorer.boxes)) <= MOST
        explorer.step.value = explorer.step.max
        explorer.answer(0)
        assert explorer.summary and explorer.figure().axes
    assert letter(0) == "A"
    if count == 0:
        assert explorer.summary.endswith("No box: nothing to suppress.")
