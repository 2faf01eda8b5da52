"""The monitor: what its buttons and knobs do to the training, without a browser."""

import asyncio
from dataclasses import replace

import pytest
import torch

from rcnn_tutorial.config import TOY_TRAINING, toy_config
from rcnn_tutorial.data.toy import ToyScenes
from rcnn_tutorial.explorers.training import FOOT, LEARNING_RATES, LossCurves, TrainingMonitor
from rcnn_tutorial.figures.training import LOSSES
from rcnn_tutorial.model import build_model
from rcnn_tutorial.scene import Boxes, Lines
from rcnn_tutorial.training import StepReport, train

TRAINING = replace(TOY_TRAINING, steps=20, batch_size=2)


def scenes(length=6):
    return ToyScenes("train", length, size=(64, 64), max_objects=3)


def new_model(seed=0):
    config = toy_config(scenes().classes)
    config = replace(config, preprocessing=replace(config.preprocessing, target_size=64, max_size=128))
    torch.manual_seed(seed)
    return build_model(config)


@pytest.fixture
def monitor():
    return TrainingMonitor(new_model(), scenes(), scenes()[0], TRAINING)


def state(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def changed(before, model):
    return {name.split(".")[0] for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}


def weights_of(module):
    return [parameter.detach().clone() for parameter in module.parameters()]


def test_before_the_first_step(monitor):
    assert monitor.summary == (
        "Step 0 of 20, not started. No losses yet. Best detections shown: 0; right: 0, misnamed: 0, "
        f"elsewhere: 0. Objects in the scene: {len(scenes()[0][1]['labels'])}."
    )
    assert [one.description for one in monitor.buttons] == ["Start", "Pause", "One step", "Start over"]
    assert [one.disabled for one in monitor.buttons] == [False, True, False, False]


def test_it_trains_exactly_as_train_does(monitor):
    twin = new_model()
    expected = [report for report, _ in zip(train(twin, scenes(), TRAINING), range(4), strict=False)]
    monitor.advance(1)
    monitor.advance(3)
    assert [report.losses for report in monitor.reports] == [report.losses for report in expected[:4]]
    assert monitor.summary.startswith("Step 4 of 20, paused. Losses: rpn_cross_entropy ")
    assert monitor.buttons[0].description == "Resume"


def test_it_stops_at_the_last_step_and_goes_on_with_more(monitor):
    monitor.advance(25)
    assert monitor.done == 20 and "Step 20 of 20, finished." in monitor.summary
    assert monitor.buttons[0].disabled and monitor.buttons[2].disabled
    monitor.steps.value = 40
    monitor.advance()
    assert monitor.done == 21 and not monitor.buttons[0].disabled
    monitor.set(steps=20)
    monitor.advance()
    assert monitor.done == 21


def test_start_over_forgets_everything(monitor):
    before = state(monitor.model)
    monitor.detach_rois.value = False
    monitor.freeze_head.value = True
    monitor.advance(2)
    first = monitor.reports[0].losses
    monitor.start_over()
    assert monitor.done == 0 and "not started" in monitor.summary
    assert changed(before, monitor.model) == set()
    monitor.advance()
    assert monitor.reports[0].losses == first


def test_a_frozen_head_stays_and_thaws_again(monitor):
    before = state(monitor.model)
    monitor.freeze_head.value = True
    monitor.advance(2)
    assert changed(before, monitor.model) == {"rpn", "tail", "classification"}
    monitor.freeze_head.value = False
    monitor.advance()
    assert "head" in changed(before, monitor.model)


def test_what_the_config_freezes_stays_frozen():
    config = new_model().config
    model = build_model(replace(config, backbone=replace(config.backbone, frozen_blocks=1)))
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    before = state(model)
    monitor = TrainingMonitor(model, scenes(), scenes()[0], TRAINING)
    for head in (True, False):
        monitor.freeze_head.value = head
        monitor.advance()
        assert {name for name, parameter in model.named_parameters() if not parameter.requires_grad} == frozen
    monitor.start_over()
    monitor.advance()
    assert frozen and all(torch.equal(before[name], model.state_dict()[name]) for name in frozen)
    assert "head" in changed(before, model)


def test_only_the_weighted_losses_teach(monitor):
    monitor.training = replace(TRAINING, weight_decay=0.0)
    monitor.set(rpn_cross_entropy=0, rpn_loss_box=0)
    rpn, tail = weights_of(monitor.model.rpn), weights_of(monitor.model.tail)
    monitor._forget()
    monitor.optimizers[0].param_groups[0]["weight_decay"] = 0.0
    monitor.advance(2)
    assert all(torch.equal(a, b) for a, b in zip(rpn, monitor.model.rpn.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(tail, monitor.model.tail.parameters(), strict=True))
    assert monitor.reports[0].losses["rpn_cross_entropy"] == 0


def test_without_detaching_the_detector_moves_the_rpn(monitor):
    monitor.set(rpn_cross_entropy=0, rpn_loss_box=0, detach_rois=False)
    monitor.advance()
    assert float(monitor.model.rpn.coefficients.weight.grad.abs().sum()) > 0


@pytest.mark.parametrize("name", LOSSES)
def test_every_weight_over_its_range(monitor, name):
    monitor.advance()
    plain = monitor.reports[0].losses[name]
    for weight in (0.0, 0.25, 4.0):
        monitor.start_over()
        monitor.controls[name].value = weight
        monitor.advance()
        assert monitor.reports[0].losses[name] == pytest.approx(weight * plain, rel=1e-5)


def test_every_learning_rate(monitor):
    for rate in LEARNING_RATES:
        monitor.start_over()
        monitor.learning_rate.value = rate
        monitor.advance()
        assert monitor.reports[0].learning_rate == pytest.approx(0.01 * rate)
        assert "Not possible" not in monitor.summary


def test_steps_from_end_to_end_of_the_slider(monitor):
    for steps in (monitor.steps.min, 60, monitor.steps.max):
        monitor.steps.value = steps
        monitor.advance()
        assert f"of {steps}," in monitor.summary and "Not possible" not in monitor.summary


def test_detections_shown_are_at_most_as_many_as_asked_for(monitor):
    monitor.advance(2)
    for count in range(1, 21):
        monitor.shown.value = count
        drawn = [layer for layer in monitor.canvases[1].layers if isinstance(layer, Boxes)]
        assert drawn[0].legend == "object"
        assert sum(len(layer.boxes) for layer in drawn[1:]) <= count
        assert f"Best detections shown: {sum(len(layer.boxes) for layer in drawn[1:])};" in monitor.summary


def test_all_weights_at_zero_are_refused_in_words(monitor):
    monitor.set(rpn_cross_entropy=0, rpn_loss_box=0, cross_entropy=0, loss_box=0)
    assert monitor.summary == "Not possible: the weights of all four losses are 0: raise one of them."
    monitor.advance(3)
    assert monitor.done == 0 and "Not possible" in monitor.summary
    monitor.loss_box.value = 1
    assert "Step 0 of 20" in monitor.summary


def test_a_loss_that_is_not_finite_pauses_with_a_sentence(monitor):
    with torch.no_grad():
        monitor.model.rpn.scores.bias.fill_(float("nan"))
    monitor.advance(5)
    assert monitor.done == 0
    assert monitor.summary.startswith("Not possible: step 1: a value is not finite")
    monitor.start_over()
    monitor.advance()
    assert monitor.done == 1 and "Not possible" not in monitor.summary


def test_a_scene_without_objects(monitor):
    image, target = scenes()[0]
    empty = {**target, "boxes": target["boxes"][:0], "labels": target["labels"][:0]}
    monitor = TrainingMonitor(new_model(), scenes(), (image, empty), TRAINING)
    monitor.advance(2)
    assert "Objects in the scene: 0." in monitor.summary and "right: 0," in monitor.summary


def test_an_interrupt_loses_only_the_step_it_hits(monitor):
    class Interrupting:
        classes, count = scenes().classes, 0

        def __len__(self):
            return 6

        def __getitem__(self, index):
            self.count += 1
            if self.count == 5:
                raise KeyboardInterrupt
            return scenes()[index]

    monitor.dataset = Interrupting()
    with pytest.raises(KeyboardInterrupt):
        monitor.advance(10)
    assert monitor.done == 2 and monitor.summary.startswith("Step 2 of 20, paused.")
    monitor.advance()
    assert monitor.done == 3


def background() -> list[asyncio.Task]:
    """The tasks that train, in the running loop."""
    return [task for task in asyncio.all_tasks() if "_keep_going" in str(task.get_coro())]


def test_start_trains_in_the_background_until_paused(monitor):
    async def scenario():
        monitor.start()
        monitor.start()  # a second click changes nothing
        assert monitor.running and "training" in monitor.summary
        assert [one.disabled for one in monitor.buttons] == [True, False, True, False]
        while monitor.done < 3:
            assert monitor.running, monitor.summary  # or it would be waited for without end
            await asyncio.sleep(0)  # let the others run
        monitor.pause()
        done = monitor.done
        await asyncio.gather(*background())  # the task ends by itself, however slow the machine
        assert monitor.done == done and not monitor.running
        assert f"Step {done} of 20, paused." in monitor.summary
        monitor.start()
        await asyncio.gather(*background())
        assert monitor.done == 20 and not monitor.running and "finished" in monitor.summary

    asyncio.run(scenario())


def test_pausing_and_starting_at_once_trains_in_one_task_only(monitor):
    async def scenario():
        monitor.start()
        monitor.pause()
        monitor.start()
        tasks = background()
        monitor.pause()
        await asyncio.gather(*tasks)
        assert len(tasks) == 1

    asyncio.run(scenario())


def test_the_buttons_are_connected(monitor):
    start, pause, step, over = monitor.buttons
    step.click()
    assert monitor.done == 1
    over.click()
    assert monitor.done == 0

    async def scenario():
        start.click()
        assert monitor.running
        pause.click()
        assert not monitor.running

    asyncio.run(scenario())


def report(step, losses):
    return StepReport(step, "joint", losses, sum(losses.values()), 0.1, 1.0, 0.1, 8)


def test_curves_count_the_steps_along_the_axis():
    curves = LossCurves(60, height=400 + FOOT, width=600)
    curves.show([report(15, {"loss_box": 1.0}), report(30, {"loss_box": 2.0})])
    assert curves.summary == "Losses of 2 of 60 steps."
    named = {layer.legend: layer for layer in curves.layers if isinstance(layer, Lines) and layer.legend}
    assert list(named) == list(LOSSES)
    assert named["loss_box"].lines[0].tolist() == [[150.0, 200.0], [300.0, 100.0]]  # 1.0, then their mean 1.5, of 2
    assert named["cross_entropy"].lines.numel() == 0


def test_curves_without_reports_and_with_large_losses():
    curves = LossCurves(10)
    assert (
        repr(curves) == "LossCurves: The losses of a training, step by step, 10 steps."
        and curves.summary == "Losses of 0 of 10 steps."
    )
    curves.show([report(1, dict.fromkeys(LOSSES, 900.0))])
    heights = torch.cat([layer.lines[..., 1].flatten() for layer in curves.layers if isinstance(layer, Lines)])
    assert float(heights.min()) >= 0 and float(heights.max()) <= 400
