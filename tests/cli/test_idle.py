"""Options that would silently do nothing are refused or told of; defaults and what happens anyway are not."""

import warnings

import pytest

from rcnn_tutorial import cli
from rcnn_tutorial.cli import train
from rcnn_tutorial.errors import ConfigError


def requested(*options, data="voc:x"):
    words = ["train", "--data", data, "--out", "x", *map(str, options)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return train.requested(cli.build_parser().parse_args(words), {})


REFUSED = [
    ("--momentum 0.8 --optimizer adamw", "--momentum has no effect"),
    ("--momentum 0.9 --optimizer adamw", "--momentum has no effect"),  # also where it is the default
    ("--double-bias --optimizer adamw", "--double-bias has no effect"),
    ("--double-bias --optimizer muon", "--double-bias has no effect"),
    ("--step-at 0.5 --schedule cosine", "--step-at has no effect"),
    ("--step-at 0.5 --schedule constant", "--step-at has no effect"),
    ("--crop-max-pool --pooling align", "--crop-max-pool has no effect"),
    ("--crop-max-pool --pooling pool", "--crop-max-pool has no effect"),
    ("--no-detach-rois --pooling align", "--no-detach-rois has no effect"),
    ("--no-detach-rois --alternating", "--no-detach-rois has no effect"),
    ("--no-frozen-batch-norm --backbone vgg16", "--no-frozen-batch-norm has no effect"),
]


@pytest.mark.parametrize(("options", "complaint"), REFUSED)
def test_an_option_without_effect_is_refused(options, complaint):
    with pytest.raises(ConfigError, match=f"^{complaint}: .*; leave it away$"):
        requested(*options.split())


@pytest.mark.parametrize(
    ("options", "complaint"),
    [("--on-bad-file skip", "--on-bad-file has no effect"), ("--warmup 0.01 --steps 10", "--warmup has no effect")],
)
def test_an_option_that_comes_to_nothing_is_told_of(options, complaint):
    with pytest.raises(UserWarning, match=complaint):
        requested(*options.split(), data="toy")


@pytest.mark.parametrize("data", ["toy", "voc:x", "coco:x:y"])
@pytest.mark.parametrize(
    "options",
    [
        "",
        "--optimizer adamw",
        "--optimizer muon --momentum 0.8",
        "--no-double-bias --optimizer adamw",
        "--no-crop-max-pool --pooling align",
        "--detach-rois --pooling align",
        "--frozen-batch-norm --backbone vgg16",
        "--deterministic --amp",
        "--warmup 0 --steps 1",
        "--warmup 0.1 --steps 10",
        "--schedule step --step-at 0.5",
        "--tail-stride 1 --frozen-blocks 1",
    ],
)
def test_defaults_and_what_happens_anyway_are_not(options, data):
    requested(*options.split(), data=data)


def test_a_split_of_a_coco_file_is_refused(run, coco, weights, tmp_path, complaint):
    for command in (["train", "--out", tmp_path / "run"], ["evaluate", "--weights", weights]):
        assert run([*command, "--data", coco, "--split", "val"]) == 2
        assert "split 'val': coco:" in (text := complaint()) and "leave it away" in text
    assert not (tmp_path / "run").exists()


def test_a_score_below_the_detector_s_own_is_told_of(run, photos, tmp_path, capsys):
    options = ["detect", photos[0], "--weights", "toy", "--out", tmp_path / "out"]
    assert run([*options, "--score", 0.01]) == 0
    assert "warning: --score 0.01: the detector itself keeps only what is scored above 0.05" in capsys.readouterr().err
    assert run(options) == 0
    assert "warning" not in capsys.readouterr().err


@pytest.mark.parametrize("command", [["detect", "a.png"], ["handout", "x"], ["benchmark"], ["lab"]])
def test_processes_that_would_all_do_the_same_are_refused(command, run, monkeypatch, complaint):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "test")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    assert run(command) == 2
    assert f"{command[0]} does the same in each of 2 processes; call it without torchrun" in complaint()
