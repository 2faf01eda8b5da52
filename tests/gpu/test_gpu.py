"""What only a real GPU can tell: training, resuming, determinism, amp, evaluation, lesson 08 and nccl on it."""

import contextlib
import json
import math
import os
import subprocess
import sys
import warnings
from dataclasses import replace

import nbformat
import pytest
import torch
from nbclient import NotebookClient

from rcnn_tutorial.backbones import build_backbone
from rcnn_tutorial.checkpoints import load_model
from rcnn_tutorial.config import BackboneConfig, Config, TrainingConfig, toy_config
from rcnn_tutorial.course.files import course_folder
from rcnn_tutorial.data import TOY_CLASSES, ToyScenes
from rcnn_tutorial.devices import place
from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.evaluation import evaluate
from rcnn_tutorial.figures.tour import Tour, tour_figure
from rcnn_tutorial.figures.training import gradient_norms
from rcnn_tutorial.model import FasterRCNN, build_model
from rcnn_tutorial.training import build_optimizers, joint_phases, train, train_step

pytestmark = pytest.mark.gpu

SHORT = TrainingConfig(steps=6, batch_size=4, learning_rate=1e-3, checkpoint_every=3, flip=False)


class Mixed(ToyScenes):
    """Scenes of three sizes."""

    def __getitem__(self, index):
        return ToyScenes(size=((96, 128), (128, 96), (128, 128))[index % 3])[index]


def new_model(method: str = "crop") -> FasterRCNN:
    torch.manual_seed(0)
    config = toy_config(TOY_CLASSES)
    return build_model(replace(config, crop_pooling=replace(config.crop_pooling, method=method)))


def weights(model) -> dict[str, torch.Tensor]:
    return {name: tensor.cpu() for name, tensor in model.state_dict().items()}


@contextlib.contextmanager
def noted_waits(device: torch.device):
    """The list of the times at which Python waits for the GPU in the context; torch warns of each."""
    with warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always")
        if device.type == "cuda":
            torch.cuda.set_sync_debug_mode("warn")
        try:
            yield noted
        finally:
            if device.type == "cuda":
                torch.cuda.set_sync_debug_mode("default")
    noted[:] = [note for note in noted if "synchroniz" in str(note.message)]


@pytest.mark.parametrize("method", ["crop", "align", "pool"])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "muon"])
def test_training_lowers_the_losses(device, optimizer, method):
    model = new_model(method)
    training = replace(SHORT, steps=40, optimizer=optimizer, learning_rate=5e-3, schedule="constant", clip_norm=5.0)
    totals = [report.total for report in train(model, ToyScenes(length=4), training, device=device)]
    assert next(model.parameters()).device == device
    assert sum(totals[-5:]) < 0.8 * sum(totals[:5])


@pytest.mark.parametrize("method", ["crop", "align", "pool"])
def test_a_step_waits_for_suppression_and_for_its_figures(device, method):
    model = place(new_model(method), device)
    samples = [Mixed()[index] for index in range(4)]
    images, targets = [image.to(device) for image, _ in samples], [target for _, target in samples]
    [phase], optimizers = joint_phases(model, SHORT.steps), build_optimizers(model, SHORT)
    for step in (1, 2, 3):  # the first makes constants, and cuDNN's plans
        with noted_waits(device) as noted:
            train_step(phase, optimizers, images, targets, SHORT, step)
    assert len(noted) <= 2 * len(images) + 1, [str(note.filename) + f":{note.lineno}" for note in noted]


@pytest.mark.parametrize("frozen", [True, False])
def test_a_resumed_run_has_the_weights_of_an_unbroken_one(device, tmp_path, frozen):
    """With algorithms that give the same numbers every time."""
    training = replace(SHORT, deterministic=True, optimizer="adamw", group_shapes=frozen)
    unbroken, resumed = new_model("align"), new_model("align")
    assert len(list(train(unbroken, Mixed(length=12), training, device=device))) == 6
    reports = train(new_model("align"), Mixed(length=12), training, tmp_path, device=device)
    for _ in range(3):
        next(reports)
    reports.close()
    steps = [report.step for report in train(resumed, Mixed(length=12), training, tmp_path, resume=True, device=device)]
    assert steps == [4, 5, 6]
    expected = weights(unbroken)
    assert all(torch.equal(tensor, expected[name]) for name, tensor in weights(resumed).items())


def test_crop_has_no_deterministic_gradient_on_a_gpu_and_says_so(device):
    training = replace(SHORT, deterministic=True)
    refusal = pytest.raises(ConfigError, match="--deterministic: grid_sampler") if device.type == "cuda" else None
    with refusal or contextlib.nullcontext():
        list(train(new_model("crop"), ToyScenes(length=4), training, device=device))


def test_amp_trains_in_bfloat16_and_stays_finite(device):
    reports = list(train(new_model(), Mixed(length=8), replace(SHORT, amp=True), device=device))
    assert all(math.isfinite(report.total) for report in reports)
    model = load_model("toy", device)
    with torch.autocast(device.type, torch.bfloat16), torch.no_grad():
        trace = model.trace([ToyScenes("val")[0][0].to(device)])
    assert trace.features.dtype == torch.bfloat16 and trace.proposed.scores.dtype == torch.float32


def test_a_gpu_detects_what_a_cpu_detects(device):
    images = [Mixed("val")[index][0] for index in range(3)]
    here = load_model("toy")(images)
    for model in (load_model("toy", device), load_model("toy", device).for_inference()):
        for expected, found in zip(here, model([image.to(device) for image in images]), strict=True):
            sure = int((expected["scores"] > 0.5).sum())
            assert sure and found["boxes"].device == device
            assert torch.equal(found["labels"][:sure].cpu(), expected["labels"][:sure])
            torch.testing.assert_close(found["scores"][:sure].cpu(), expected["scores"][:sure], rtol=0, atol=0.01)
            torch.testing.assert_close(found["boxes"][:sure].cpu(), expected["boxes"][:sure], rtol=0, atol=0.5)


@pytest.mark.parametrize("batch_size", [None, 1, 3])
def test_evaluation_gives_what_it_gives_on_a_cpu(device, batch_size):
    data = Mixed("val", length=20)
    expected = evaluate(load_model("toy"), data, progress=False)
    found = evaluate(load_model("toy"), data, device=device, progress=False, batch_size=batch_size)
    assert found.mAP == pytest.approx(expected.mAP, abs=0.02)
    assert found.recall == pytest.approx(expected.recall, abs=0.02)


def test_depthwise_convolutions_take_torch_s_own_kernel(device):
    """cuDNN would plan each of them anew for every size of the image, for seconds."""
    backbone = build_backbone(BackboneConfig("mobilenet_v2", frozen_blocks=0))
    model = place(FasterRCNN(Config(classes=("a",)), backbone).eval(), device)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile, torch.no_grad():
        model.head(torch.rand(1, 3, 64, 96, device=device))
    calls = {event.key: event.count for event in profile.key_averages()}
    assert calls["aten::_conv_depthwise2d" if device.type == "cuda" else "aten::convolution"] >= 13


def test_figures_draw_what_lives_on_a_gpu(device):
    image, target = ToyScenes("val")[0]
    model, image = load_model("toy", device), image.as_subclass(torch.Tensor)
    figure = tour_figure(Tour(image.to(device), model.trace([image.to(device)]), model.config, model.stride))
    assert len(figure.axes) == 9 and all(axes.images for axes in figure.axes)
    norms = gradient_norms(model, [image], [target])
    assert norms["cross_entropy"]["classification"] > 0


def test_lesson_08_runs(device):
    path = course_folder() / "08_training.ipynb"
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    resources = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources=resources).execute()
    assert all(cell.outputs for cell in notebook.cells if cell.cell_type == "code" and "print(" in cell.source)


def test_one_process_of_torchrun_trains_resumes_and_evaluates(device, tmp_path):
    """Over nccl on a GPU."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "1"]
    command += ["-m", "rcnn_tutorial"]
    data = ["--data", "toy", "--device", device.type]

    def run(*arguments: str) -> str:
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [*command, *arguments], env=environment, capture_output=True, encoding="utf-8", timeout=500
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("train", *data, "--steps", "3", "--batch-size", "2", "--out", str(tmp_path))
    lines = (tmp_path / "log.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3]
    result = run("evaluate", *data, "--json", "--weights", str(tmp_path / "model.safetensors"), "--batch-size", "16")
    assert json.loads(result)["images"] == 500
