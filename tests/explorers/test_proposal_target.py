"""The proposal explorer on made-up RPN outputs."""

import pytest
import torch

from rcnn_tutorial.boxes import box_iou
from rcnn_tutorial.config import Config, ProposalConfig, ProposalTargetConfig
from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.explorers.proposal_target import HEAT, MOVES, PRESETS, ROIS, ProposalTargetExplorer, first_draws
from rcnn_tutorial.model import Trace
from rcnn_tutorial.stages.anchors import generate_anchors
from rcnn_tutorial.stages.preprocessing import GroundTruth, Preprocessed
from rcnn_tutorial.stages.proposal import proposal_layer
from rcnn_tutorial.stages.proposal_target import append_ground_truth, proposal_target_layer
from rcnn_tutorial.stages.rpn import RPNOutputs

ROWS, COLUMNS, SIZE = 15, 20, (240, 320)
OBJECTS = [[40.0, 30, 200, 160], [180.0, 90, 300, 230]]
CONFIG = Config(proposal_targets=ProposalTargetConfig(batch_size=64))


def made_trace(objects=OBJECTS, seed=0) -> Trace:
    """Random scores and coefficients for 2 700 anchors, and objects of class 1, 2, ..."""
    generator = torch.Generator().manual_seed(seed)
    anchors = generate_anchors(ROWS, COLUMNS, 16, Config().anchors)
    scores = torch.randn(1, len(anchors), 2, generator=generator)
    coefficients = torch.randn(1, len(anchors), 4, generator=generator) / 5
    preprocessed = Preprocessed([torch.zeros(3, *SIZE)], torch.tensor([SIZE]), torch.tensor([SIZE]), torch.ones(1))
    padded = torch.cat([torch.tensor(objects).reshape(-1, 4), torch.zeros(1, 4)])
    labels = torch.cat([torch.arange(len(objects)) + 1, torch.zeros(1, dtype=torch.long)])
    truth = GroundTruth(padded[None], labels[None])
    features = torch.zeros(1, 8, ROWS, COLUMNS)
    sizes = torch.tensor([[ROWS, COLUMNS]])
    available = torch.ones(1, len(anchors), dtype=torch.bool)
    rpn = RPNOutputs(scores, coefficients)
    return Trace(preprocessed, features, sizes, anchors, available, rpn, None, ground_truth=truth)


@pytest.fixture(scope="module")
def explorer():
    return ProposalTargetExplorer(torch.zeros(3, *SIZE), made_trace(), CONFIG)


def test_controls_start_at_the_post_s_numbers():
    controls = ProposalTargetExplorer(torch.zeros(3, *SIZE), made_trace()).controls
    names = ("post_nms", "nms", "fg_thresh", "bg_hi", "bg_lo", "fraction")
    assert [controls[name].value for name in names] == [2000, 0.7, 0.5, 0.5, 0.1, 0.25]


def test_the_picture_is_what_the_two_layers_give(explorer):
    trace = made_trace()
    explorer.set(view=ROIS, post_nms=120, nms=0.6, seed=4, shown=100)
    layer = ProposalConfig(train_post_nms_top_n=120, nms_threshold=0.6)
    available = torch.ones(1, len(trace.anchors), dtype=torch.bool)
    proposals = proposal_layer(trace.rpn, trace.anchors, available, trace.preprocessed.sizes, layer, training=True)
    own, generator = CONFIG.proposal_targets, torch.Generator().manual_seed(4)
    targets = proposal_target_layer(proposals, trace.ground_truth, own, generator)
    background, foreground, without, ticked = explorer.canvas.layers
    assert torch.equal(foreground.boxes, targets.rois[0, targets.labels[0] > 0])
    assert sorted([*without.labels, *ticked.labels], key=lambda text: text[2:]) == ["✓ aeroplane", "✓ bicycle"]
    count, kinds = len(foreground.boxes), targets.assignment
    assert explorer.summary.startswith(f"64 ROIs: {count} foreground and {64 - count} background. Among 120 proposals")
    assert f"{int(kinds.foreground.sum())} are foreground, {int(kinds.background.sum())} back" in explorer.summary
    assert "background: IoU" in background.hover[0] and "normalized targets" in foreground.hover[0]
    explorer.set(view=MOVES, shown=7)
    anchors, boxes, arrows, *_ = explorer.canvas.layers
    assert torch.equal(boxes.boxes, proposals.boxes[0, :7])
    assert torch.equal(anchors.boxes, trace.anchors[proposals.anchor_indices[0, :7]])
    assert torch.equal(arrows.lines[:, 1], (boxes.boxes[:, :2] + boxes.boxes[:, 2:]) / 2)
    explorer.set(view=HEAT)
    heat, cells, *_ = explorer.canvas.layers
    assert heat.values.shape == (ROWS, COLUMNS) and heat.extent == (0, 0, 320, 240)
    assert float(heat.values.max()) == pytest.approx(float(trace.rpn.foreground.max()))
    assert f"They come from {len(cells.points)} of 15 × 20 cells" in explorer.summary


def test_a_short_background_is_repeated_and_said_so(explorer):
    explorer.set(view=ROIS, post_nms=10, nms=0.7, bg_lo=0.0, shown=100)
    drawn = sum(len(layer.boxes) for layer in explorer.canvas.layers[:2])
    assert drawn <= 10 and f"{64 - drawn} of them repeated" in explorer.summary


def test_objects_are_ticked_where_a_proposal_covers_them():
    trace = made_trace(objects=[*OBJECTS, [3.0, 3, 9, 9]])  # the third is smaller than any anchor
    explorer = ProposalTargetExplorer(torch.zeros(3, *SIZE), trace, CONFIG)
    best = box_iou(explorer.objects, explorer.ranked(0.7).boxes[0]).amax(dim=1)
    assert (best >= 0.5).tolist() == [True, True, False]
    missed, covered = explorer.canvas.layers[-2:]
    assert list(covered.labels) == ["✓ aeroplane", "✓ bicycle"] and list(missed.labels) == ["✗ bird"]
    assert "cover 2 of 3 objects" in explorer.summary
    texts = [text for layer in explorer.canvases[1].layers for text in getattr(layer, "labels", ())]
    assert f"✓ aeroplane {float(best[0]):.2f}" in texts and f"✗ bird {float(best[2]):.2f}" in texts


def test_the_bars_count_the_rois_of_the_sample(explorer):
    explorer.set(view=ROIS, post_nms=2000, nms=0.7, fg_thresh=0.5, bg_hi=0.5, bg_lo=0.3, seed=0)
    assert explorer.canvases[1].title == "ROIs by IoU"
    texts = [text for layer in explorer.canvases[1].layers for text in getattr(layer, "labels", ()) if text]
    assert sum(int(text) for text in texts if text.isdigit()) == 64
    assert {text for text in texts if not text.isdigit()} == {"IoU 0.50", "IoU 0.30"}


def test_what_a_view_does_not_show_rests():
    explorer = ProposalTargetExplorer(torch.zeros(3, *SIZE), made_trace(), CONFIG)
    assert explorer.fg_thresh.disabled and explorer.seed.disabled and not explorer.nms.disabled
    explorer.view.value = ROIS
    assert not any(control.disabled for control in explorer.controls.values())
    explorer.view.value = HEAT
    assert explorer.shown.disabled


def test_every_preset_answers_in_two_short_lines(press):
    explorer = ProposalTargetExplorer(torch.zeros(3, *SIZE), made_trace(), CONFIG)
    said = {explorer.summary}
    for name, values in PRESETS.items():
        press(explorer, name)
        assert all(explorer.controls[control].value == value for control, value in values.items()), name
        assert "Not possible" not in explorer.summary and len(explorer.summary) <= 150
        said.add(explorer.summary)
    assert len(said) > len(PRESETS) - 2


def test_what_has_no_slider_is_the_detector_s_own():
    own = ProposalTargetConfig(batch_size=64, target_stds=(0.5, 0.5, 1.0, 1.0), append_ground_truth=True)
    explorer = ProposalTargetExplorer(torch.zeros(3, *SIZE), made_trace(), Config(proposal_targets=own))
    explorer.set(view=ROIS, shown=100)
    trace = made_trace()
    proposals = explorer.ranked(explorer.nms.value)
    rois = append_ground_truth(proposals, trace.ground_truth)
    targets = proposal_target_layer(rois, trace.ground_truth, own, torch.Generator().manual_seed(0))
    _, foreground, *_ = explorer.canvas.layers
    place = int(torch.nonzero(targets.labels[0])[0])
    wanted = ", ".join(f"{value:.2f}" for value in targets.coefficients[0, place].tolist())
    assert foreground.hover_text(0).endswith(f"normalized targets {wanted}")
    boxes = {tuple(box) for box in foreground.boxes.tolist()}
    assert boxes & {tuple(box) for box in OBJECTS}  # the objects' own boxes are among the ROIs


def test_contradicting_thresholds_are_a_sentence(explorer):
    explorer.set(view=ROIS, bg_lo=0.5, bg_hi=0.3)
    assert explorer.summary.startswith("Not possible: Background below IoU = 0.3: use a number between")
    explorer.set(bg_lo=0.1, bg_hi=0.7, fg_thresh=0.5)
    assert explorer.summary.startswith("Not possible") and not explorer.canvas.possible
    explorer.set(bg_hi=0.5)
    assert "ROIs" in explorer.summary and explorer.canvas.possible


def test_a_gap_that_swallows_every_proposal_leaves_background():
    trace = made_trace(objects=[[0.0, 0, 320, 240]])
    trace.anchors = torch.tensor([[0.0, 0, 320, 120]]).repeat(len(trace.anchors), 1)  # IoU one half
    trace.rpn = trace.rpn._replace(coefficients=torch.zeros_like(trace.rpn.coefficients))
    explorer = ProposalTargetExplorer(torch.zeros(3, *SIZE), trace, CONFIG)
    explorer.set(view=ROIS, fg_thresh=0.9, bg_hi=0.3)
    assert explorer.summary.startswith("64 ROIs: 0 foreground and 64 background, 63 of them repeated.")


@pytest.mark.parametrize("known", [True, False])
def test_without_objects_everything_is_background(known):
    trace = made_trace(objects=[])
    if not known:
        trace.ground_truth = None
    explorer = ProposalTargetExplorer(torch.zeros(3, *SIZE), trace, CONFIG)
    for view in (MOVES, ROIS, HEAT):
        explorer.view.value = view
        assert ("0 foreground and 64 background" if view == ROIS else "No objects") in explorer.summary
    assert explorer.figure().axes


def test_two_photos_at_once_are_refused():
    trace = made_trace()
    trace.preprocessed = trace.preprocessed._replace(images=trace.preprocessed.images * 2)
    with pytest.raises(ConfigError, match="one photo at a time"):
        ProposalTargetExplorer(torch.zeros(3, *SIZE), trace)


def test_first_draws_are_the_first_of_each():
    assert first_draws(torch.tensor([5, 2, 5, 7, 2, 2, 9])).tolist() == [0, 1, 3, 6]
    assert first_draws(torch.zeros(0, dtype=torch.long)).tolist() == []
