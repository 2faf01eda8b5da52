"""The monitor: what its buttons and knobs do to the training, without a browser."""

import asyncio
import re
from dataclasses import replace

import pytest
import torch

from rcnn_tutorial.config import TOY_TRAINING, toy_config
from rcnn_tutorial.data.toy import ToyScenes
from rcnn_tutorial.evaluation import evaluate
from rcnn_tutorial.explorers.curves import EARLIER, Run
from rcnn_tutorial.explorers.film import FRAMES, SHOWN
from rcnn_tutorial.explorers.replay import MEASURED
from rcnn_tutorial.explorers.training import LEARNING_RATES, TrainingMonitor
from rcnn_tutorial.figures.training import LOSSES
from rcnn_tutorial.model import build_model
from rcnn_tutorial.scene import Boxes
from rcnn_tutorial.training import train

TRAINING = replace(TOY_TRAINING, steps=20, batch_size=2)


def scenes(length=6):
    return ToyScenes("train", length, size=(64, 64), max_objects=3)


class Listed(list):
    classes = scenes().classes


def numbers(text):
    return re.findall(r"\d+", text.partition(". ")[2])


def new_model(seed=0):
    config = toy_config(scenes().classes)
    config = replace(config, preprocessing=replace(config.preprocessing, target_size=64, max_size=128))
    torch.manual_seed(seed)
    return build_model(config)


@pytest.fixture
def monitor():
    return TrainingMonitor(new_model(), scenes(), scenes(2), TRAINING)


def press(monitor, name):
    row = monitor.children[0].children[0]
    next(child for child in row.children if child.description == name).click()


def state(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def changed(before, model):
    return {name.split(".")[0] for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}


def weights_of(module):
    return [parameter.detach().clone() for parameter in module.parameters()]


def test_before_the_first_step(monitor):
    objects = len(scenes()[0][1]["labels"])
    assert monitor.summary == f"Step 0 of 20, not started. {objects} objects in the scene."
    assert [one.description for one in monitor.buttons] == ["Start", "Pause", "One step", "Start over"]
    assert [one.disabled for one in monitor.buttons] == [False, True, False, False]


def test_it_trains_exactly_as_train_does(monitor):
    twin = new_model()
    expected = [report for report, _ in zip(train(twin, scenes(), TRAINING), range(4), strict=False)]
    monitor.advance(1)
    monitor.advance(3)
    assert [report.losses for report in monitor.reports] == [report.losses for report in expected[:4]]
    assert monitor.summary.startswith("Step 4 of 20, paused. ")
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
    monitor = TrainingMonitor(model, scenes(), scenes(2), TRAINING)
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


def test_a_config_s_own_weights_are_within_the_sliders_range():
    model = new_model()
    weighted = replace(model.config.classification, class_loss_weight=6.0)
    model.config = replace(model.config, classification=weighted)
    monitor = TrainingMonitor(model, scenes(), scenes(2), TRAINING)
    assert monitor.settings()[0].classification == weighted


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


def test_the_film_shows_the_scene_now_and_at_the_first_measured_steps(monitor):
    def tags():
        return [layer.labels[0] for layer in monitor.canvases[1].layers if getattr(layer, "shape", "") == "dot"]

    assert tags() == ["now: step 0", "step 3", "step 7", "step 10", "step 13"]
    covers = [layer for layer in monitor.canvases[1].layers if isinstance(layer, Boxes) and layer.fill]
    assert len(covers) == FRAMES
    monitor.advance(8)
    assert tags()[0] == "now: step 8"
    boxes = [layer for layer in monitor.canvases[1].layers if isinstance(layer, Boxes)]
    assert sum(layer.fill > 0 for layer in boxes) == FRAMES - 2
    assert [layer.legend for layer in boxes[:4]] == ["object", "right", "misnamed", "elsewhere"]
    assert sum(len(layer.boxes) for layer in boxes[1:4]) == min(SHOWN, sum(map(int, numbers(monitor.summary)[2:5:2])))


def test_what_is_measured_is_what_evaluate_finds(monitor):
    monitor.advance(3)
    alone = evaluate(monitor.model, scenes(2), progress=False)
    assert list(monitor.moments) == [3]
    assert monitor.moments[3].mAP == pytest.approx(alone.mAP) and monitor.moments[3].recall == alone.recall
    assert f"After step 3: mAP {alone.mAP:.2f}, recall at 50 {alone.recall[50]:.2f}." in monitor.summary
    monitor.advance(30)
    assert list(monitor.moments) == [3, 7, 10, 13, 17, 20] and len(monitor.moments) == MEASURED


def test_what_a_notebook_stores_in_words_is_the_same_before_and_after_the_run(monitor, monkeypatch):
    renewed = []
    monkeypatch.setattr(monitor, "renew_still", lambda: renewed.append(monitor.done))
    before = repr(monitor)
    monitor.advance(19)
    assert renewed == []
    monitor.advance(1)
    assert renewed == [20] and repr(monitor) == before and "20 steps" in before


def test_map_is_counted_as_it_is_told_to():
    monitor = TrainingMonitor(new_model(), scenes(), scenes(2), TRAINING, metric="voc")
    monitor.advance(3)
    assert monitor.moments[3].metric == "voc"


def test_the_legend_names_what_the_run_was_trained_with(monitor):
    monitor.set(learning_rate=0.05)
    assert monitor.record().name == "this run: rate 0.05"  # what the first step will be trained with
    monitor.set(learning_rate=TRAINING.learning_rate)
    monitor.advance()
    monitor.set(learning_rate=0.05)
    assert "this run: defaults" in legend(monitor)
    monitor.advance()
    monitor.set(learning_rate=TRAINING.learning_rate)
    monitor.advance(TRAINING.steps)
    name = "this run: defaults then rate 0.05 then defaults"
    assert name in legend(monitor)
    monitor.set(learning_rate=0.05)
    monitor.advance()  # no step is left
    assert name in legend(monitor)


def legend(monitor):
    return [layer["name"] for layer in monitor.canvases[0].frame["layers"] if layer["name"]]


def test_a_run_that_is_started_over_stays_as_an_earlier_one(monitor):
    monitor.advance(3)
    reports, moments = monitor.reports, monitor.moments
    monitor.learning_rate.value = 0.05
    monitor.advance(1)
    monitor.start_over()
    assert monitor.learning_rate.value == 0.05  # the controls stay
    assert monitor.earlier == {"defaults then rate 0.05": Run(reports, moments)} and len(reports) == 4
    monitor.advance(2)
    monitor.start_over()
    monitor.advance(3)
    monitor.start_over()
    assert list(monitor.earlier) == ["defaults then rate 0.05", "rate 0.05"]
    assert len(monitor.earlier["rate 0.05"].reports) == 3  # the newer of the same settings
    monitor.start_over()
    assert len(monitor.earlier) == 2  # nothing was trained


def test_of_many_runs_the_given_ones_and_the_newest_stay():
    given = {"the run above": Run()}
    monitor = TrainingMonitor(new_model(), scenes(), scenes(2), TRAINING, earlier=given)
    for rate in (0.001, 0.002, 0.005):
        monitor.learning_rate.value = rate
        monitor.advance(2)
        monitor.start_over()
    assert list(monitor.earlier) == ["the run above", "rate 0.002", "rate 0.005"] and len(EARLIER) == 3
    press(monitor, "Reset")
    assert monitor.earlier == given and monitor.learning_rate.value == TRAINING.learning_rate


def test_each_preset_is_a_new_run_with_its_settings(monitor):
    before = state(monitor.model)
    for name, values in monitor.presets.items():
        monitor.advance(2)
        press(monitor, name)
        assert monitor.done == 0 and changed(before, monitor.model) == set() and "not started" in monitor.summary
        now = {key: value for key, value in monitor._state().items() if value != monitor._first[key]}
        assert now == values
    assert list(monitor.earlier) == ["rpn_cross_entropy × 0", "head frozen", "rate 0.05"]


def test_detaching_rests_where_the_detector_learns_nothing(monitor):
    monitor.set(cross_entropy=0, loss_box=0)
    assert monitor.detach_rois.disabled
    monitor.loss_box.value = 1
    assert not monitor.detach_rois.disabled


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
    empty = {name: values[:0] for name, values in target.items()}
    nothing = Listed([(image, empty)])
    monitor = TrainingMonitor(new_model(), scenes(), nothing, TRAINING)
    assert monitor.summary.endswith("0 objects in the scene.")
    monitor.advance(4)
    assert "0 of 0 objects right" in monitor.summary and "mAP" not in monitor.summary


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
