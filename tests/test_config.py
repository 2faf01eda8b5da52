"""Options: the reference's defaults, the way through JSON, and what is refused."""

import dataclasses
import json

import pytest

from rcnn_tutorial.config import (
    VOC_CLASSES,
    Config,
    TrainingConfig,
    reference_config,
    toy_config,
)
from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.fields import differences, from_dict, to_dict


def changed(path: str, value) -> Config:
    section, name = path.split(".")
    part = dataclasses.replace(getattr(Config(), section), **{name: value})
    return dataclasses.replace(Config(), **{section: part})


@pytest.mark.parametrize("config", [Config(), toy_config(("a", "b")), changed("anchors.scales", (4, 8, 16, 32))])
def test_a_config_survives_json(config):
    assert from_dict(Config, json.loads(json.dumps(to_dict(config)))) == config


def test_a_training_config_survives_json():
    training = TrainingConfig(steps=4, scale_jitter=(0.5, 2.0), alternating=True)
    assert from_dict(TrainingConfig, json.loads(json.dumps(to_dict(training)))) == training


def test_missing_fields_take_their_defaults():
    assert from_dict(Config, {"rpn": {"channels": 64}}) == changed("rpn.channels", 64)


def test_defaults_are_the_reference_s():
    config = Config()
    assert len(config.classes) == len(VOC_CLASSES) == 20
    assert (config.preprocessing.target_size, config.preprocessing.max_size) == (600, 1000)
    assert (config.anchors.scales, config.anchors.ratios) == ((8, 16, 32), (0.5, 1, 2))
    assert config.proposals.top_n(training=True) == (12000, 2000)
    assert config.proposals.top_n(training=False) == (6000, 300)
    assert (config.anchor_targets.positive_overlap, config.anchor_targets.negative_overlap) == (0.7, 0.3)
    assert (config.anchor_targets.batch_size, config.proposal_targets.batch_size) == (256, 128)
    assert (config.rpn.sigma, config.classification.sigma) == (3.0, 1.0)
    assert (config.inference.nms_threshold, config.inference.max_detections) == (0.3, 100)
    training = TrainingConfig()
    assert (training.learning_rate, training.momentum, training.weight_decay) == (0.001, 0.9, 1e-4)
    assert round(training.steps * training.step_at) == 50_000


def test_a_config_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().rpn.sigma = 1.0


@pytest.mark.parametrize(
    "kind, values, message",
    [
        (Config, {"rpm": {}}, "Config: unknown field 'rpm'"),
        (Config, {"rpn": {"sigmo": 3}}, "RPNConfig: unknown field 'sigmo'"),
        (Config, {"rpn": 3}, "RPNConfig: expected a mapping"),
        (TrainingConfig, {"step": 3}, "TrainingConfig: unknown field 'step'"),
        (TrainingConfig, [1], "TrainingConfig: expected a mapping"),
    ],
)
def test_unknown_fields_are_named(kind, values, message):
    with pytest.raises(ConfigError) as error:
        from_dict(kind, values)
    assert str(error.value).startswith(message) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "path, value",
    [
        ("preprocessing.target_size", 15),
        ("preprocessing.max_size", 599),
        ("preprocessing.mean", ()),
        ("preprocessing.std", (1.0, 1.0, float("inf"))),
        ("backbone.tail_stride", 3),
        ("anchors.base_size", 0),
        ("anchors.scales", ()),
        ("anchors.scales", (8, -1)),
        ("anchors.scales", (8, float("inf"))),
        ("anchors.ratios", ()),
        ("anchors.ratios", (0.0, 1.0)),
        ("rpn.sigma", 0.0),
        ("classification.sigma", -1.0),
        ("proposals.nms_threshold", 1.1),
        ("proposals.train_pre_nms_top_n", 0),
        ("proposals.train_post_nms_top_n", 0),
        ("proposals.test_pre_nms_top_n", 0),
        ("proposals.test_post_nms_top_n", 0),
        ("anchor_targets.positive_overlap", 1.01),
        ("anchor_targets.negative_overlap", 0.71),
        ("anchor_targets.batch_size", 0),
        ("anchor_targets.foreground_fraction", -0.1),
        ("proposal_targets.background_high", 0.6),
        ("proposal_targets.background_high", 0.05),
        ("proposal_targets.batch_size", 0),
        ("proposal_targets.foreground_fraction", 1.5),
        ("proposal_targets.target_stds", (0.1, 0.1, 0.2, 0.0)),
        ("proposal_targets.target_stds", (0.1, 0.1)),
        ("proposal_targets.target_means", (0.0,)),
        ("crop_pooling.method", "warp"),
        ("crop_pooling.size", 0),
        ("crop_pooling.size", 2**31),
        ("inference.nms_threshold", -0.1),
        ("inference.max_detections", 0),
    ],
)
def test_impossible_values_are_named_with_a_remedy(path, value):
    with pytest.raises(ConfigError) as error:
        changed(path, value)
    assert str(error.value).startswith(f"{path} = {value!r}: ") and "\n" not in str(error.value)


@pytest.mark.parametrize("classes", [(), ("cat", "dog", "cat")])
def test_classes_need_names_each_its_own(classes):
    with pytest.raises(ConfigError, match="^classes = "):
        Config(classes=classes)


def test_the_toy_detector_is_possible():
    config = toy_config(["circle", "square"])
    assert config.classes == ("circle", "square") and config.backbone.name == "small"


@pytest.mark.parametrize("backbone", ["resnet50", "vgg16"])
def test_the_reference_pools_only_vgg16_s_crops(backbone):
    config = reference_config(backbone)
    assert config.backbone.name == backbone and config.crop_pooling.max_pool == (backbone == "vgg16")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("optimizer", "lion"),
        ("warmup", 1.0),
        ("learning_rate", 0.0),
        ("learning_rate", float("inf")),
        ("weight_decay", float("nan")),
        ("scale_jitter", (2.0, 1.0)),
        ("scale_jitter", (0.0, 1.0)),
        ("color_jitter", 2.0),
        ("seed", 2**63),
    ],
)
def test_impossible_training_is_named_with_a_remedy(field, value):
    with pytest.raises(ConfigError) as error:
        TrainingConfig(**{field: value})
    assert str(error.value).startswith(f"{field} = {value!r}: ") and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        (TrainingConfig, {"amp": "no"}, "amp = 'no': expected true or false"),
        (TrainingConfig, {"amp": 1}, "amp = 1: expected true or false"),
        (TrainingConfig, {"steps": 2.5}, "steps = 2.5: expected a whole number"),
        (TrainingConfig, {"steps": True}, "steps = True: expected a whole number"),
        (TrainingConfig, {"steps": None}, "steps = None: expected a whole number"),
        (TrainingConfig, {"learning_rate": "0.1"}, "learning_rate = '0.1': expected a number"),
        (TrainingConfig, {"learning_rate": float("nan")}, "learning_rate = nan: expected a number"),
        (TrainingConfig, {"weight_decay": 10**400}, "weight_decay = "),
        (TrainingConfig, {"optimizer": ["sgd"]}, "optimizer = ('sgd',): expected a text"),
        (TrainingConfig, {"scale_jitter": 1.0}, "scale_jitter = 1.0: expected a list of numbers"),
        (TrainingConfig, {"scale_jitter": ["a", "b"]}, "scale_jitter = ('a', 'b'): expected a list of numbers"),
        (Config, {"classes": "cat"}, "classes = 'cat': expected a list of names"),
        (Config, {"classes": [1, 2]}, "classes = (1, 2): expected a list of names"),
        (Config, {"anchors": {"scales": 8}}, "anchors.scales = 8: expected a list of numbers"),
        (Config, {"rpn": {"channels": "64"}}, "rpn.channels = '64': expected a whole number"),
        (Config, {"rpn": {"class_loss_weight": -1}}, "rpn.class_loss_weight = -1: use 0 or more"),
        (Config, {"backbone": {"frozen_batch_norm": "false"}}, "backbone.frozen_batch_norm = 'false': expected true"),
        (
            Config,
            {"inference": {"score_threshold": float("nan")}},
            "inference.score_threshold = nan: expected a number",
        ),
    ],
)
def test_a_value_of_another_type_is_named_from_json_and_in_python_alike(kind, values, message):
    with pytest.raises(ConfigError) as error:
        from_dict(kind, values)
    assert str(error.value).startswith(message) and "\n" not in str(error.value) and len(str(error.value)) < 200


def test_python_s_own_calls_are_checked_too():
    with pytest.raises(ConfigError, match="^amp = 'no': expected true or false$"):
        TrainingConfig(amp="no")
    with pytest.raises(ConfigError, match="^classes = 'cat': expected a list of names$"):
        Config(classes="cat")
    with pytest.raises(ConfigError, match="^rpn = 3: expected a RPNConfig$"):
        Config(rpn=3)
    with pytest.raises(ConfigError, match="^rpn.sigma = 'x': expected a number$"):
        changed("rpn.sigma", "x")


def test_a_whole_number_may_stand_for_a_float():
    assert TrainingConfig(learning_rate=1).learning_rate == 1
    assert Config(classes=["a", "b"]).classes == ["a", "b"]


def test_alternating_training_needs_a_step_for_each_phase():
    with pytest.raises(ConfigError, match="steps = 3: alternating training has 4 phases"):
        TrainingConfig(steps=3, alternating=True)


def test_a_misspelt_field_is_answered_with_the_one_that_it_resembles():
    with pytest.raises(ConfigError, match="unknown field 'learning_rat'; did you mean 'learning_rate'.$"):
        from_dict(TrainingConfig, {"learning_rat": 1})
    with pytest.raises(ConfigError, match="unknown field 'xyz'; known are steps, batch_size"):
        from_dict(TrainingConfig, {"xyz": 1})


def test_differences_name_the_field_and_take_lists_for_tuples():
    old, new = to_dict(Config()), to_dict(changed("rpn.sigma", 2.0))
    assert list(differences(old, new)) == [("rpn.sigma", 3.0, 2.0)]
    assert list(differences(old, json.loads(json.dumps(old)))) == []
