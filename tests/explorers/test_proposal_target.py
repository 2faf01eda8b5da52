"""The proposal explorer on made-up RPN outputs."""

import pytest
import torch

from rcnn_tutorial.config import Config, ProposalConfig, ProposalTargetConfig
from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.explorers.proposal_target import HEAT, MOVES, ROIS, ProposalTargetExplorer, first_draws
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
    names = ("pre_nms", "post_nms", "nms", "fg_thresh", "bg_hi", "bg_lo", "batch", "fraction")
    assert [controls[name].value for name in names] == [12_000, 2000, 0.7, 0.5, 0.5, 0.1, 128, 0.25]


def test_the_picture_is_what_the_two_layers_give(explorer):
    trace = made_trace()
    explorer.set(view=ROIS, pre_nms=500, post_nms=120, nms=0.6, batch=32, seed=4, shown=300)
    layer = ProposalConfig(500, 120, nms_threshold=0.6)
    available = torch.ones(1, len(trace.anchors), dtype=torch.bool)
    proposals = proposal_layer(trace.rpn, trace.anchors, available, trace.preprocessed.sizes, layer, training=True)
    config = ProposalTargetConfig(batch_size=32)
    targets = proposal_target_layer(proposals, trace.ground_truth, config, torch.Generator().manual_seed(4))
    background, foreground, truth = explorer.canvas.layers
    assert torch.equal(foreground.boxes, targets.rois[0, targets.labels[0] > 0])
    assert torch.equal(truth.boxes, torch.tensor(OBJECTS)) and list(truth.labels) == ["aeroplane", "bicycle"]
    count = len(foreground.boxes)
    assert f"Sample: {count} foreground + {32 - count} background = 32" in explorer.summary
    assert f"{proposals.boxes.shape[1]} proposals kept" in explorer.summary
    assert "background: IoU" in background.hover[0] and "normalized targets" in foreground.hover[0]
    explorer.set(view=MOVES, shown=7)
    anchors, boxes, arrows, _ = explorer.canvas.layers
    assert torch.equal(boxes.boxes, proposals.boxes[0, :7])
    assert torch.equal(anchors.boxes, trace.anchors[proposals.anchor_indices[0, :7]])
    assert torch.equal(arrows.lines[:, 1], (boxes.boxes[:, :2] + boxes.boxes[:, 2:]) / 2)
    explorer.set(view=HEAT)
    heat, cells, _ = explorer.canvas.layers
    assert heat.values.shape == (ROWS, COLUMNS) and heat.extent == (0, 0, 320, 240)
    assert float(heat.values.max()) == pytest.approx(float(trace.rpn.foreground.max()))
    assert "normalized" not in explorer.summary and f"come from {len(cells.points)} cells" in explorer.summary


def test_a_short_background_is_repeated_and_said_so(explorer):
    explorer.set(view=ROIS, pre_nms=500, post_nms=10, nms=0.7, bg_lo=0.0, batch=64, shown=300)
    drawn = sum(len(layer.boxes) for layer in explorer.canvas.layers[:2])
    assert drawn <= 10 and f"{64 - drawn} of them repeated" in explorer.summary


def test_recall_is_told_for_ever_longer_lists():
    explorer = ProposalTargetExplorer(torch.zeros(3, *SIZE), made_trace(), CONFIG)
    explorer.set(nms=0.9)
    kept = explorer.ranked(explorer.pre_nms.value, 0.9).boxes.shape[1]
    assert 300 < kept < 2000
    for count in ("50", "300", f"{kept:,}"):
        assert f"by the best {count}" in explorer.summary


def test_what_has_no_slider_is_the_detector_s_own():
    own = ProposalTargetConfig(batch_size=64, target_stds=(0.5, 0.5, 1.0, 1.0), append_ground_truth=True)
    explorer = ProposalTargetExplorer(torch.zeros(3, *SIZE), made_trace(), Config(proposal_targets=own))
    explorer.set(view=ROIS, shown=300)
    trace = made_trace()
    proposals = explorer.ranked(explorer.pre_nms.value, explorer.nms.value)
    rois = append_ground_truth(proposals, trace.ground_truth)
    targets = proposal_target_layer(rois, trace.ground_truth, own, torch.Generator().manual_seed(0))
    _, foreground, _ = explorer.canvas.layers
    place = int(torch.nonzero(targets.labels[0])[0])
    wanted = ", ".join(f"{value:.2f}" for value in targets.coefficients[0, place].tolist())
    assert foreground.hover_text(0).endswith(f"normalized targets {wanted}")
    boxes = {tuple(box) for box in foreground.boxes.tolist()}
    assert boxes & {tuple(box) for box in OBJECTS}  # the objects' own boxes are among the ROIs


def test_contradicting_thresholds_are_a_sentence(explorer):
    explorer.set(bg_lo=0.5, bg_hi=0.3)
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
    explorer.set(fg_thresh=0.9, bg_hi=0.3)
    assert "0 foreground + 64 background = 64 ROIs, 63 of them repeated" in explorer.summary


@pytest.mark.parametrize("known", [True, False])
def test_without_objects_everything_is_background(known):
    trace = made_trace(objects=[])
    if not known:
        trace.ground_truth = None
    explorer = ProposalTargetExplorer(torch.zeros(3, *SIZE), trace, CONFIG)
    for view in (MOVES, ROIS, HEAT):
        explorer.view.value = view
        assert "No objects" in explorer.summary and "0 foreground + 64 background" in explorer.summary
    assert explorer.figure().axes


def test_two_photos_at_once_are_refused():
    trace = made_trace()
    trace.preprocessed = trace.preprocessed._replace(images=trace.preprocessed.images * 2)
    with pytest.raises(ConfigError, match="one photo at a time"):
        ProposalTargetExplorer(torch.zeros(3, *SIZE), trace)


def test_first_draws_are_the_first_of_each():
    assert first_draws(torch.tensor([5, 2, 5, 7, 2, 2, 9])).tolist() == [0, 1, 3, 6]
    assert first_draws(torch.zeros(0, dtype=torch.long)).tolist() == []
