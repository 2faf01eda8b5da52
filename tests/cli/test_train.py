"""rcnn-tutorial train: options, file and defaults in their order, and what they cannot be."""

import json

import pytest

from rcnn_tutorial import cli
from rcnn_tutorial.cli import train
from rcnn_tutorial.config import Config, TrainingConfig, toy_config
from rcnn_tutorial.fields import choices_of, flags_of, from_dict, to_dict
from rcnn_tutorial.options import request_fields
from rcnn_tutorial.request import get, merge, nest


def settings_of(*arguments, data="voc:x"):
    words = ["train", *(["--data", data] if data else []), "--out", "x", *map(str, arguments)]
    return train.requested(cli.build_parser().parse_args(words), {})


def test_the_defaults_are_the_configs_own():
    settings = settings_of()
    assert from_dict(Config, settings["model"] | {"classes": Config().classes}) == Config()
    assert from_dict(TrainingConfig, settings["training"]) == TrainingConfig()
    toy = settings_of(data="toy")
    assert from_dict(Config, toy["model"] | {"classes": ("a",)}) == toy_config(("a",))


FLAGS = [(flag, name, field.type) for name, field in request_fields() for flag in flags_of(field)]


@pytest.mark.parametrize(("flag", "field", "annotation"), FLAGS)
def test_every_option_sets_its_field_and_no_other(flag, field, annotation):
    usual = get(settings_of(), field)
    given = another_value(usual, choices_of(annotation))
    if isinstance(usual, bool):
        changed = settings_of(flag if given else f"--no-{flag[2:]}")
    else:
        changed = settings_of(flag, *(given if isinstance(given, tuple) else (given,)))
    expected = merge(settings_of(), nest(field, given))
    assert json.dumps(changed) == json.dumps(expected) != json.dumps(settings_of())


def another_value(usual, choices):
    if choices:
        return next(value for value in choices if value != usual)
    if isinstance(usual, bool):
        return not usual
    if usual == ():  # the classes, which the data name
        return ("cat", "dog")
    if isinstance(usual, tuple):
        return tuple(float(value) * 2 for value in usual)
    return usual + 1 if isinstance(usual, int) else usual / 2 or 0.5


def test_options_go_before_the_file_and_the_file_before_the_defaults(tmp_path):
    path = tmp_path / "settings.json"
    path.write_text(
        json.dumps({"training": {"steps": 5, "batch_size": 6}, "model": {"rpn": {"channels": 32}}}), encoding="utf-8"
    )
    settings = settings_of("--config", path, "--steps", 7)
    assert settings["training"]["steps"] == 7 and settings["training"]["batch_size"] == 6
    assert settings["model"]["rpn"] == {**to_dict(Config())["rpn"], "channels": 32}


@pytest.mark.parametrize(
    ("content", "code", "complaint"),
    [
        (None, 1, "settings.json"),
        ("{", 1, "settings.json"),
        ("[" * 100_000, 1, "settings.json"),
        ("[]", 2, "settings.json"),
        ('{"data": {}}', 2, "data = {}"),
        ('{"training": 3}', 2, "training = 3"),
        ('{"training": {"steps": "ten"}}', 2, "steps = 'ten'"),
        ('{"training": {"amp": 1}}', 2, "amp = 1"),
        ('{"training": {"speed": 1}}', 2, "'speed'"),
        ('{"model": {"anchors": {"scales": ["a"]}}}', 2, "scales = ('a',)"),
        ('{"model": {"classes": "cat"}}', 2, "classes = 'cat'"),
        ('{"model": {"rpn": {"sigma": -1}}}', 2, "rpn.sigma"),
    ],
)
def test_bad_settings_files_are_named(run, content, code, complaint, capsys, tmp_path):
    path = tmp_path / "settings.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    assert run(["train", "--data", "toy", "--config", path, "--out", tmp_path / "run"]) == code
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and complaint in error
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({"dta": "toy"}, "unknown field 'dta'; did you mean 'data'?"),
        ({"model": {"backbone": 3}}, "backbone = 3: expected a mapping"),
        ({"training": {"optimiser": "sgd"}}, "unknown field 'optimiser'; did you mean 'optimizer'?"),
        ({"pretrained": 1}, "pretrained = 1: expected a text or null"),
        ({"model": {"backbone": {"name": ["resnet18"]}}}, "backbone.name = ('resnet18',): expected a text"),
        ({"data": "voc"}, "data 'voc': use toy, voc:DIR"),
    ],
)
def test_a_mistake_in_a_file_is_named_with_its_remedy(content, complaint, run, tmp_path, capsys):
    (tmp_path / "settings.json").write_text(json.dumps(content), encoding="utf-8")
    data = [] if "data" in content else ["--data", "toy"]
    assert run(["train", *data, "--config", tmp_path / "settings.json", "--out", tmp_path / "run"]) == 2
    assert complaint in capsys.readouterr().err


def test_a_file_may_begin_with_the_mark_that_windows_writes(tmp_path):
    (tmp_path / "settings.json").write_text(json.dumps({"training": {"steps": 5}}), encoding="utf-8-sig")
    assert settings_of("--config", tmp_path / "settings.json")["training"]["steps"] == 5


def test_the_file_names_data_and_the_command_line_replaces_all_that_belongs_to_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = {"data": "voc:photos", "split": "mine", "validation": "val", "pretrained": "weights.pth"}
    (tmp_path / "settings.json").write_text(json.dumps(content), encoding="utf-8")
    options = ["--config", tmp_path / "settings.json"]
    request = settings_of(*options, data=None)
    assert (request["split"], request["validation"]) == ("mine", "val")
    assert (request["data"], request["pretrained"]) == (f"voc:{tmp_path / 'photos'}", str(tmp_path / "weights.pth"))
    assert settings_of(*options, "--split", "all", data=None)["split"] == "all"
    other = settings_of(*options, data="coco:a:b.json")
    assert (other["split"], other["validation"], other["pretrained"]) == (None, None, str(tmp_path / "weights.pth"))


def test_vgg16_from_a_file_is_the_reference_s_vgg16(tmp_path):
    (tmp_path / "settings.json").write_text('{"model": {"backbone": {"name": "vgg16"}}}', encoding="utf-8")
    assert settings_of("--config", tmp_path / "settings.json")["model"]["crop_pooling"]["max_pool"] is True


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("toy", "toy"),
        ("voc:photos", "voc:{}/photos"),
        ("voc:./photos/", "voc:{}/photos"),
        ("voc:/photos", "voc:/photos"),
        ("coco:photos:a.json", "coco:{0}/photos:{0}/a.json"),
    ],
)
def test_data_mean_the_same_from_every_folder(spec, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert settings_of(data=spec)["data"] == expected.format(tmp_path)


def test_a_colon_in_the_folder_s_name_does_not_spoil_the_spec(tmp_path, monkeypatch):
    (tmp_path / "a:b").mkdir()
    monkeypatch.chdir(tmp_path / "a:b")
    assert settings_of(data="coco:photos:a.json")["data"] == "coco:photos:a.json"
