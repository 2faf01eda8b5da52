"""The arithmetic that twins share, run by Node: what the package and torch compute, bit for bit."""

import json
import re
import subprocess
from typing import Any

import pytest
import torch
from node import needs_node
from torchvision import ops

from rcnn_tutorial.config import AnchorConfig, AnchorTargetConfig, ProposalTargetConfig
from rcnn_tutorial.course.bundle import bundle
from rcnn_tutorial.course.scripts import sources
from rcnn_tutorial.fields import to_dict
from rcnn_tutorial.stages.anchor_target import assign_anchors, sample_labels
from rcnn_tutorial.stages.anchors import generate_anchors, inside_image
from rcnn_tutorial.stages.nms import nms, nms_steps
from rcnn_tutorial.stages.preprocessing import GroundTruth
from rcnn_tutorial.stages.proposal_target import assign_rois, sample_rois
from rcnn_tutorial.stages.sampling import random_keys

pytestmark = needs_node


def in_node(module: str, expression: str, **values) -> Any:
    """What an expression gives, with all that a module exports and these values at hand."""
    names = re.findall(r"^export (?:function\*?|class) (\w+)", sources()[module], re.MULTILINE)
    script = f"{bundle([module], sources())}\nconst {{ {', '.join(names)} }} = modules['{module}'];\n"
    script += f"const {{ {', '.join(values)} }} = JSON.parse(require('fs').readFileSync(0, 'utf8'));\n"
    script += f"console.log(JSON.stringify({expression}));"
    given = json.dumps({name: _plain(value) for name, value in values.items()})
    run = subprocess.run(["node", "-e", script], input=given, capture_output=True, encoding="utf-8")
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def _plain(value):
    return value.tolist() if isinstance(value, torch.Tensor) else value


def some_boxes(count: int) -> torch.Tensor:
    corners, sides = torch.rand(count, 2) * 60, 5 + torch.rand(count, 2) * 60
    return torch.cat([corners, corners + sides], dim=1)


@pytest.mark.parametrize("seed", [0, 1, 20, 2**32 - 1])
def test_random_numbers_are_torch_s(seed):
    generator = torch.Generator().manual_seed(seed)
    expected = torch.rand(1500, generator=generator)  # more than the state holds, so that it is made anew twice
    assert in_node("sampling.js", "new Generator(seed).uniform(1500)", seed=seed) == expected.tolist()


@pytest.mark.parametrize("seed", [0, 7])
def test_random_keys_are_those_of_the_stage(seed):
    usable = torch.rand(900) > 0.1
    keys = random_keys(usable[None], torch.Generator().manual_seed(seed))[0]
    found = torch.tensor(in_node("sampling.js", "randomKeys(usable, seed)", usable=usable, seed=seed))
    assert torch.equal(found[usable], keys[usable])


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 0.7, 0.95, 1.0])
def test_suppression_keeps_what_torchvision_keeps(threshold):
    few = some_boxes(150)
    boxes = torch.cat([few, few + 0.5 * torch.rand(150, 4)])  # near copies, for high thresholds
    scores = (torch.rand(300) * 50).round() / 50  # some are equal
    values = {"boxes": boxes, "scores": scores, "threshold": threshold}
    kept = in_node("nms.js", "nms(boxes, scores, threshold)", **values)
    assert kept == ops.nms(boxes, scores, threshold).tolist() == nms(boxes, scores, threshold).tolist()
    assert in_node("nms.js", "nms(boxes, scores, threshold, 5)", **values) == kept[:5]
    steps = in_node("nms.js", "[...nmsSteps(boxes, scores, threshold)]", **values)
    wanted = [{name: _plain(it) for name, it in step._asdict().items()} for step in nms_steps(boxes, scores, threshold)]
    assert steps == wanted


def test_suppression_of_no_box_and_of_empty_boxes():
    assert in_node("nms.js", "nms([], [], 0.5)") == []
    empty = [[3.0, 3.0, 3.0, 3.0], [3.0, 3.0, 3.0, 3.0], [0.0, 0.0, 9.0, 9.0]]
    assert in_node("nms.js", "nms(boxes, [1, 2, 3], 0)", boxes=empty) == [2, 1, 0]


def test_anchors_are_those_of_the_stage():
    config = AnchorConfig(base_size=9, scales=(0.5, 3), ratios=(0.5, 1.5))
    expected = generate_anchors(3, 5, 7, config)
    assert in_node("anchor_grid.js", "generateAnchors([3, 5], 7, config)", config=to_dict(config)) == expected.tolist()


@pytest.mark.parametrize("clobber", [False, True])
@pytest.mark.parametrize("count", [0, 1, 4])
def test_labels_of_anchors_are_those_of_the_stage(count, clobber):
    anchors = generate_anchors(8, 8, 16, AnchorConfig(scales=(1, 2), ratios=(0.5, 1)))
    inside = inside_image(anchors, torch.tensor([[128, 128]]))
    objects = some_boxes(count)
    config = AnchorTargetConfig(positive_overlap=0.5, batch_size=40, clobber_positives=clobber)
    truth = GroundTruth(torch.cat([objects, torch.zeros(1, 4)])[None], torch.tensor([[1] * count + [0]]))
    assignment = assign_anchors(anchors, truth, inside, config)
    keys = random_keys(torch.ones_like(inside), torch.Generator().manual_seed(0))
    values = {"anchors": anchors, "objects": objects, "inside": inside[0], "config": to_dict(config), "keys": keys[0]}
    mine = in_node("targets.js", "assignAnchors(anchors, objects, inside, config)", **values)
    names = {"labels": "labels", "max_overlaps": "overlaps", "object_indices": "closest", "type_a": "typeA"}
    for name, its in (names | {"type_b": "typeB"}).items():
        assert mine[its] == getattr(assignment, name)[0].tolist(), name
    sampled = in_node("targets.js", "sampleLabels(labels, keys, config)", labels=assignment.labels[0], **values)
    assert sampled == sample_labels(assignment.labels, keys, config)[0].tolist()


@pytest.mark.parametrize("foreground, low", [(0.5, 0.1), (0.99, 0.1), (0.5, 0.49), (0.0, 0.0), (0.99, 0.98)])
def test_rois_are_those_of_the_stage(foreground, low):
    boxes, valid, objects = some_boxes(60), torch.arange(60) < 55, some_boxes(3)
    high = min(0.5, foreground) if low < 0.5 else foreground
    config = ProposalTargetConfig(foreground, max(high, low), low, batch_size=32)
    assignment = assign_rois(boxes[None], valid[None], GroundTruth(objects[None], torch.ones(1, 3).long()), config)
    keys = random_keys(valid[None], torch.Generator().manual_seed(0))
    values = {"boxes": boxes, "valid": valid, "objects": objects, "config": to_dict(config), "keys": keys[0]}
    mine = in_node("targets.js", "assignRois(boxes, valid, objects, config)", **values)
    names = {"max_overlaps": "overlaps", "object_indices": "closest"}
    for name, its in (names | {"foreground": "foreground", "background": "background"}).items():
        assert mine[its] == getattr(assignment, name)[0].tolist(), name
    sampled = in_node("targets.js", "sampleRois(given, keys, config)", given=mine, **values)
    chosen, is_foreground = sample_rois(assignment, keys, config)
    assert sampled == {"chosen": chosen[0].tolist(), "isForeground": is_foreground[0].tolist()}


@pytest.mark.parametrize(
    ("function", "asked", "computed"),
    [
        ("once(compute)", "[a, a, b]", [1, 1, 2]),
        ("keepLast(compute)", "[a, a, b, a]", [1, 1, 2, 3]),
        ("remembering(2, compute)", "[1, 2, 1, 3, 2]", [1, 2, 1, 3, 4]),  # 3 puts 2 out, asked for before 1
    ],
)
def test_what_is_kept_is_computed_again_for_other_arguments_only(function, asked, computed):
    script = "const a = {}, b = {}; let number = 0; const compute = () => ++number;"
    found = in_node("once.js", f"(() => {{ {script} const f = {function}; return {asked}.map((it) => f(it)); }})()")
    assert found == computed
