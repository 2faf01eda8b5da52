"""Training: what every step does; a resumed run equals an unbroken one; nothing bad reaches the weights."""

import json
import shutil
from dataclasses import replace

import pytest
import torch

from rcnn_tutorial.checkpoints import load_model
from rcnn_tutorial.config import TrainingConfig, toy_config
from rcnn_tutorial.data.toy import ToyScenes
from rcnn_tutorial.errors import ConfigError, DataError, TutorialError
from rcnn_tutorial.model import build_model
from rcnn_tutorial.training import (
    DETECTOR_LOSSES,
    RPN_LOSSES,
    StepReport,
    learning_rate,
    train,
    train_alternating,
)

ADAMW = TrainingConfig(
    steps=8,
    batch_size=2,
    optimizer="adamw",
    learning_rate=3e-3,
    schedule="cosine",
    warmup=0.25,
    clip_norm=5.0,
    average_decay=0.9,
    scale_jitter=(0.8, 1.25),
    checkpoint_every=3,
)
SGD = TrainingConfig(steps=8, batch_size=2, learning_rate=0.01, checkpoint_every=3, seed=1)
MUON = replace(ADAMW, optimizer="muon")
ALTERNATING = replace(ADAMW, alternating=True)


def scenes(length: int = 6) -> ToyScenes:
    return ToyScenes("train", length, size=(64, 64))


def new_model(seed: int = 0):
    config = toy_config(scenes().classes)
    config = replace(config, preprocessing=replace(config.preprocessing, target_size=64, max_size=128))
    torch.manual_seed(seed)
    return build_model(config)


def state(model) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def changed(before: dict, model) -> set[str]:
    """The top-level modules of which any tensor differs from `before`."""
    return {name.split(".")[0] for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}


def log_of(run) -> list[dict]:
    """The run's log without what a clock decides."""
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]


class Empty(torch.utils.data.Dataset):
    """No images at all."""

    classes = scenes().classes

    def __len__(self):
        return 0


class GoingBad(torch.utils.data.Dataset):
    """Scenes of which the seventh that is asked for is not finite."""

    def __init__(self):
        self.scenes, self.classes, self.asked, self.bad = scenes(), scenes().classes, 0, None

    def __len__(self):
        return len(self.scenes)

    def __getitem__(self, index):
        scene, target = self.scenes[index]
        self.asked += 1
        if self.asked == 7:
            self.bad = target["image_id"]
            scene = scene * float("nan")
        return scene, target


def test_reports_tell_what_every_step_did(tmp_path):
    reports = list(train(new_model(), scenes(), replace(ADAMW, checkpoint_every=5), tmp_path, validation=scenes(2)))
    assert all(isinstance(report, StepReport) for report in reports)
    assert [report.step for report in reports] == list(range(1, 9))
    assert [report.validation is not None for report in reports] == [step in (5, 8) for step in range(1, 9)]
    for report in reports:
        assert set(report.losses) == {*RPN_LOSSES, *DETECTOR_LOSSES}
        assert report.total == pytest.approx(sum(report.losses.values()), rel=1e-5)
        assert report.learning_rate == learning_rate(ADAMW, report.step - 1, 8)
        assert (report.phase, report.examples) == ("joint", 2)
        assert report.seconds > 0 and report.gradient_norm > 0
    assert [line["step"] for line in log_of(tmp_path)] == list(range(1, 9))


def test_a_caller_may_stop_and_look_in_between():
    model, twin = new_model(), new_model()
    for report in train(model, scenes(), SGD):
        model.eval()
        assert len(model([scenes()[0][0]])) == 1
        if report.step == 3:
            break
    for report in train(twin, scenes(), SGD):
        if report.step == 3:
            break
    assert changed(state(twin), model) == set()


def test_global_random_state_is_left_alone_and_does_not_matter():
    first, second = new_model(), new_model()
    for model in (first, second):
        model.tail.append(torch.nn.Dropout(0.5))  # which draws from the global generator
    torch.manual_seed(1)
    before = torch.get_rng_state()
    next(train(first, scenes(), SGD))
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(2)
    next(train(second, scenes(), SGD))
    assert changed(state(first), second) == set()


def test_seeds_differ_in_what_they_sample():
    reports = [next(train(new_model(), scenes(2), replace(SGD, seed=seed, flip=False))) for seed in (0, 1)]
    assert reports[0].losses != reports[1].losses


def test_clipping_bounds_the_update():
    model = new_model()
    before = [parameter.detach().clone() for parameter in model.parameters()]
    plain = replace(SGD, learning_rate=1.0, double_bias=False, weight_decay=0.0, schedule="constant", clip_norm=1e-3)
    report = next(train(model, scenes(), plain))
    moved = torch.cat([(a - b).flatten() for a, b in zip(model.parameters(), before, strict=True)]).norm().item()
    assert report.gradient_norm > 0.1
    assert moved == pytest.approx(1e-3, rel=1e-2)


def test_mixed_precision_trains():
    model = new_model()
    before = state(model)
    reports = list(train(model, scenes(), replace(SGD, amp=True)))
    assert reports[-1].total < reports[0].total
    assert changed(before, model) == {"head", "rpn", "tail", "classification"}
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())


@pytest.mark.parametrize("training", [ADAMW, SGD, MUON, ALTERNATING], ids=["adamw", "sgd", "muon", "alternating"])
def test_a_resumed_run_reaches_the_weights_of_an_unbroken_one(training, tmp_path):
    unbroken = new_model()
    list(train(unbroken, scenes(), training, tmp_path / "unbroken"))
    for stop, checkpoint in ((4, 3), (7, 6)):  # in the middle and at the start of a phase of alternating training
        closed, killed = tmp_path / f"closed after {stop}", tmp_path / f"killed after {stop}"
        reports = train(new_model(), scenes(), training, closed)
        for _ in range(stop):
            next(reports)
        shutil.copytree(closed, killed)  # what a killed process would leave
        reports.close()
        for run, saved in ((closed, stop), (killed, checkpoint)):
            resumed = new_model(seed=99)
            rest = list(train(resumed, scenes(), replace(training, workers=stop // 7), run, resume=True))
            assert [report.step for report in rest] == list(range(saved + 1, 9))
            assert changed(state(unbroken), resumed) == set()
            assert log_of(run) == log_of(tmp_path / "unbroken")


class Failing(torch.utils.data.Dataset):
    """A validation set of which an image cannot be read until it is mended."""

    classes = scenes().classes

    def __init__(self, mended: bool = False):
        self.mended = mended

    def __len__(self):
        return 3

    def __getitem__(self, index):
        if index == 1 and not self.mended:
            raise DataError("photos/1.jpg: truncated")
        return scenes()[index]


@pytest.mark.parametrize("training", [ADAMW, SGD, ALTERNATING], ids=["adamw", "sgd", "alternating"])
@pytest.mark.parametrize("fails_at", [3, 6, 8])
def test_a_validation_that_fails_is_measured_first_by_the_resumed_run(training, fails_at, tmp_path):
    """With the weights of its own step, in the middle and at the end of phases and of the training."""
    unbroken, validation = new_model(), Failing(mended=True)
    expected = list(train(unbroken, scenes(), training, tmp_path / "unbroken", validation=validation))
    with pytest.raises(DataError, match="photos/1.jpg"):
        for report in train(new_model(), scenes(), training, tmp_path / "run", validation=validation):
            validation.mended = report.step < fails_at - 1
    assert log_of(tmp_path / "run")[-1]["step"] == fails_at
    resumed, validation.mended = new_model(seed=99), True
    rest = list(train(resumed, scenes(), training, tmp_path / "run", resume=True, validation=validation))
    assert [report.step for report in rest] == list(range(fails_at, 9))
    assert [report.validation for report in rest] == [report.validation for report in expected[fails_at - 1 :]]
    assert rest[0].validation is not None
    assert changed(state(unbroken), resumed) == set()
    assert log_of(tmp_path / "run") == log_of(tmp_path / "unbroken")


def test_a_validation_leaves_out_what_cannot_be_read_if_told_to(tmp_path):
    with pytest.warns(UserWarning, match="left out: photos/1.jpg: truncated") as caught:
        reports = list(train(new_model(), scenes(), replace(SGD, on_bad_file="skip"), tmp_path, validation=Failing()))
    assert len({str(warning.message) for warning in caught}) == 1
    assert [report.step for report in reports if report.validation is not None] == [3, 6, 8]


def test_data_that_changed_since_the_checkpoint_are_told_of(tmp_path):
    list(train(new_model(), scenes(), SGD, tmp_path))
    with pytest.warns(UserWarning, match="the training data have changed since .* .6 images then, 5 now"):
        assert list(train(new_model(), scenes(5), SGD, tmp_path, resume=True)) == []


def test_a_full_disk_under_the_log_is_named(tmp_path, monkeypatch):
    reports = train(new_model(), scenes(), SGD, tmp_path)
    next(reports)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("rcnn_tutorial.training.runs.json.dumps", full)
    with pytest.raises(DataError, match="log.jsonl: not written .No space left on device.; make room, then resume"):
        next(reports)


def test_a_finished_run_resumes_to_nothing(tmp_path):
    model, again = new_model(), new_model(seed=1)
    list(train(model, scenes(), SGD, tmp_path))
    assert list(train(again, scenes(), SGD, tmp_path, resume=True)) == []
    assert changed(state(model), again) == set()


def test_resuming_mends_a_log_that_ends_in_the_middle_of_a_line(tmp_path):
    list(train(new_model(), scenes(), SGD, tmp_path))
    whole = (tmp_path / "log.jsonl").read_text(encoding="utf-8")
    (tmp_path / "log.jsonl").write_text(whole + '{"step": 9, "pha', encoding="utf-8")
    list(train(new_model(), scenes(), SGD, tmp_path, resume=True))
    assert (tmp_path / "log.jsonl").read_text(encoding="utf-8") == whole


@pytest.mark.parametrize("line", [b"no json", b"[]", b"{}", b'{"step": "x"}', b"\xff", b"[" * 100_000])
def test_a_log_that_is_none_is_named(line, tmp_path):
    list(train(new_model(), scenes(), replace(SGD, steps=1), tmp_path))
    (tmp_path / "log.jsonl").write_bytes(line + b"\n")
    with pytest.raises(DataError, match="log.jsonl: not the log of a run .*; move it away"):
        list(train(new_model(), scenes(), replace(SGD, steps=1), tmp_path, resume=True))


def test_the_checkpoint_holds_the_averaged_weights(tmp_path):
    model = new_model()
    reports = train(model, scenes(), ADAMW, tmp_path)
    for _ in range(3):
        next(reports)
    assert changed(state(load_model(tmp_path / "checkpoint.safetensors")), model) != set()
    list(reports)
    assert changed(state(load_model(tmp_path / "checkpoint.safetensors")), model) == set()


@pytest.mark.parametrize("training", [SGD, ALTERNATING], ids=["joint", "alternating"])
def test_a_value_that_is_not_finite_stops_before_the_weights(training, tmp_path):
    model, data = new_model(), GoingBad()
    with pytest.raises(TutorialError) as error:
        for report in train(model, data, replace(training, checkpoint_every=1, steps=12), tmp_path):
            good, last = state(model), report.step
            checkpoint = (tmp_path / "checkpoint.safetensors").read_bytes()
    message = str(error.value)
    assert "\n" not in message and message.startswith("step 4: ")
    assert data.bad in message and " nan" in message and last == 3
    assert changed(good, model) == set()
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == checkpoint
    loaded = load_model(tmp_path / "checkpoint.safetensors").state_dict()
    assert all(torch.isfinite(tensor).all() for tensor in loaded.values())


@pytest.mark.parametrize("training", [ADAMW, SGD, ALTERNATING], ids=["adamw", "sgd", "alternating"])
def test_weights_that_overflow_in_the_update_are_named_and_not_saved(training, tmp_path):
    """Before the next step's loss, which would show it, there may be a checkpoint or the end of the training."""
    huge = replace(training, learning_rate=2e9, weight_decay=1e38, warmup=0.0, clip_norm=0.0, checkpoint_every=1)
    for run in (None, tmp_path):
        with pytest.raises(TutorialError, match="^step 1: the weights are no longer finite .*; lower the learning"):
            list(train(new_model(), scenes(), huge, run))
    assert not (tmp_path / "checkpoint.safetensors").exists()


@pytest.mark.parametrize("training", [ADAMW, SGD], ids=["adamw", "sgd"])
def test_a_rate_that_explodes_ends_with_a_reason_or_with_finite_weights(training):
    model = new_model()
    try:
        list(train(model, scenes(), replace(training, learning_rate=1e4, clip_norm=0.0)))
    except TutorialError as error:
        assert "not finite" in str(error) and "lower the learning rate" in str(error)
    assert all(tensor.isfinite().all() for tensor in model.state_dict().values())


def test_alternating_training_touches_only_what_each_phase_trains():
    model, snapshots = new_model(), {}
    before = state(model)
    for report in train_alternating(model, scenes(), replace(ADAMW, average_decay=0.0)):
        assert tuple(report.losses) == (RPN_LOSSES if "RPN" in report.phase else DETECTOR_LOSSES)
        assert report.phase[0] == str((report.step + 1) // 2)
        snapshots[report.step] = state(model)
    assert changed(before, model) == {"head", "rpn", "tail", "classification"}
    model.load_state_dict(snapshots[2])
    assert changed(before, model) == set()  # the first phase trains the other network
    model.load_state_dict(snapshots[4])
    assert changed(snapshots[2], model) == {"head", "tail", "classification"}
    model.load_state_dict(snapshots[6])
    assert changed(snapshots[4], model) == {"rpn"}
    model.load_state_dict(snapshots[8])
    assert changed(snapshots[6], model) == {"tail", "classification"}
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_the_third_phase_starts_with_the_rpn_of_the_first():
    model = new_model()
    start = state(model.rpn)
    for report in train_alternating(model, scenes(), replace(ADAMW, average_decay=0.0, warmup=0.5)):
        if report.step == 5:  # one step into it; Adam's first step moves no weight further than its learning rate
            moved = max((tensor - start[name]).abs().max().item() for name, tensor in model.rpn.state_dict().items())
            assert moved > 10 * report.learning_rate
            break


def test_requests_that_cannot_work_are_refused_at_once(tmp_path):
    model = new_model()
    for change in ({"optimizer": "sdg"}, {"schedule": "linear"}, {"steps": 0}, {"batch_size": 0}):
        with pytest.raises(ConfigError, match=f"{next(iter(change))} = "):
            train(model, scenes(), replace(SGD, **change))
    with pytest.raises(DataError, match="no images"):
        train(model, Empty(), SGD)
    with pytest.raises(ConfigError, match="circle, not this"):
        other = scenes()
        other.classes = ("circle, not this",)
        train(model, other, SGD)
    with pytest.raises(ConfigError, match="--out"):
        train(model, scenes(), SGD, resume=True)
    with pytest.raises(DataError, match="no such file to resume from"):
        train(model, scenes(), SGD, tmp_path, resume=True)


def test_a_run_is_neither_overwritten_nor_resumed_with_other_settings(tmp_path):
    list(train(new_model(), scenes(), replace(SGD, steps=1), tmp_path))
    before = (tmp_path / "checkpoint.safetensors").read_bytes()
    with pytest.raises(ConfigError, match="pass --resume"):
        train(new_model(), scenes(), replace(SGD, steps=1), tmp_path)
    with pytest.raises(ConfigError, match="training.learning_rate = 0.01, not 0.02"):
        train(new_model(), scenes(), replace(SGD, steps=1, learning_rate=0.02), tmp_path, resume=True)
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == before
