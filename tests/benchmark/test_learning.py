"""The race to mAP50 0.90: both sides start alike, train, and are timed until they are good enough."""

import math
from dataclasses import replace

import pytest
import torch

from rcnn_tutorial.benchmark import learning
from rcnn_tutorial.benchmark.learning import ADAMW, LOOKS, MUON, Learner, our_learner, peer_learner, race, scenes

DATA = scenes("train", 8)


@pytest.mark.parametrize("recipe", [MUON, ADAMW], ids=["muon", "adamw"])
def test_both_sides_start_from_the_same_weights_and_train(recipe):
    ours, peer = (make(replace(recipe, steps=LOOKS, batch_size=2), DATA, DATA) for make in (our_learner, peer_learner))
    pairs = [(ours.model.head, peer.model.backbone), (ours.model.tail, peer.model.roi_heads.box_head)]
    states = [(one.state_dict(), other.state_dict()) for one, other in pairs]
    assert all(torch.equal(one[name], other[name]) for one, other in states for name in one)
    before = [learner.model.state_dict()[name].clone() for learner, name in ((ours, "head.stem.0.weight"),)]
    for learner in (ours, peer):
        learner.advance()
        assert learner.steps == 1 and learner.seconds > 0 and learner.reached == 0.0  # too early for an evaluation
    assert not torch.equal(before[0], ours.model.head.stem[0].weight)
    assert all(parameter.isfinite().all() for side in (ours, peer) for parameter in side.model.parameters())


def test_a_race_ends_for_each_side_at_the_goal_or_with_its_schedule(monkeypatch):
    results = {"good": iter([0.5, 0.95]), "bad": iter([0.1] * LOOKS)}
    monkeypatch.setattr(learning, "mean_ap", lambda model, validation: next(results[validation]))
    recipe = replace(MUON, steps=2 * LOOKS, batch_size=2)
    sides = {
        name: Learner(torch.nn.Identity(), recipe, lambda images, targets, number: None, DATA, name) for name in results
    }
    for side in sides.values():
        side.batches = iter([([], [])] * recipe.steps)
    seconds = race(sides)
    assert seconds["good"] < math.inf and sides["good"].steps == LOOKS + 2  # the second look, after the middle
    assert seconds["bad"] == math.inf and sides["bad"].steps == recipe.steps


def test_the_rows_figures_are_the_medians_of_the_seeds(monkeypatch):
    shares = {"ours": 1, "adamw": 4, "adamw tuned": 3, "muon": 2, "muon tuned": 1.5}
    figures = iter([{side: s * share for side, share in shares.items()} for s in (3.0, 1.0, 2.0)])
    monkeypatch.setattr(learning, "race", lambda sides: next(figures))
    monkeypatch.setattr(learning, "scenes", lambda split, length: DATA)
    with_adamw, with_muon = learning.learning(3)
    assert (with_adamw.ours, with_adamw.peer, with_adamw.tuned) == (2.0, 8.0, 6.0)
    assert (with_muon.ours, with_muon.peer, with_muon.tuned) == (2.0, 4.0, 3.0)
