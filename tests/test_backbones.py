"""Backbones: cut where they should be, equal to the networks they come from, loaded from files, frozen as told."""

import logging
from dataclasses import replace
from urllib.error import URLError

import pytest
import safetensors.torch
import torch
import torchvision
from torch import nn

from rcnn_tutorial.backbones import (
    BACKBONES,
    FrozenBatchNorm2d,
    build_backbone,
    split_mobilenet,
    split_resnet,
    split_vgg,
)
from rcnn_tutorial.config import BackboneConfig
from rcnn_tutorial.errors import ConfigError, DataError
from rcnn_tutorial.pretrained import torchvision_weights

RESNET18 = BackboneConfig(name="resnet18", tail_stride=2)
FACTS = {  # stride, channels of the features, length of fc7
    "resnet18": (16, 256, 512),
    "resnet34": (16, 256, 512),
    "resnet50": (16, 1024, 2048),
    "resnet101": (16, 1024, 2048),
    "vgg16": (16, 512, 4096),
    "mobilenet_v2": (16, 96, 1280),
    "small": (8, 64, 128),
}


def network(name: str) -> nn.Module:
    """torchvision's network with random weights and, in its batch norms, random statistics."""
    torch.manual_seed(0)
    whole = torchvision.models.get_model(name, weights=None).eval()
    for norm in (module for module in whole.modules() if isinstance(module, nn.BatchNorm2d)):
        norm.running_mean.normal_(std=0.1)
        for positive in (norm.running_var, norm.weight.data):
            positive.uniform_(0.7, 1.3)
        norm.bias.data.normal_(std=0.1)
    return whole


@pytest.fixture(scope="module")
def resnet18():
    return network("resnet18")


@pytest.fixture
def weights(resnet18, tmp_path):
    """A function that writes a state dict, resnet18's own unless another is given, and returns the file's path."""

    def write(suffix: str = ".safetensors", state: dict | None = None) -> str:
        path = tmp_path / f"weights{suffix}"
        save = safetensors.torch.save_file if suffix == ".safetensors" else torch.save
        save(resnet18.state_dict() if state is None else state, path)
        return str(path)

    return write


def same_as_resnet18(backbone, resnet18) -> bool:
    """Whether head and tail compute what the whole network computes in front of its last layer."""
    image = torch.rand(1, 3, 64, 64)
    resnet18.fc, last = nn.Identity(), resnet18.fc
    expected, resnet18.fc = resnet18(image), last
    return torch.allclose(backbone.tail.eval()(backbone.head.eval()(image)), expected, rtol=1e-4, atol=1e-4)


def test_every_name_is_tested():
    assert set(FACTS) == set(BACKBONES)


@pytest.mark.parametrize(
    "name, tail_stride", [(name, s) for name in FACTS for s in (1, 2) if name != "vgg16" or s == 1]
)
def test_strides_channels_and_features(name, tail_stride):
    with torch.device("meta"):  # shapes alone: no weights are made
        backbone = build_backbone(BackboneConfig(name, tail_stride))
        features = backbone.head(torch.empty(2, 3, 100, 130))
        fc7 = backbone.tail(torch.empty(5, backbone.channels, 7, 7))
    assert (backbone.stride, backbone.channels, backbone.features) == FACTS[name]
    cells = [100 / backbone.stride, 130 / backbone.stride]
    rows, columns = (int(side) if name == "vgg16" else -int(-side // 1) for side in cells)  # vgg16 rounds down
    assert features.shape == (2, backbone.channels, rows, columns)
    assert fc7.shape == (5, backbone.features)


@pytest.mark.parametrize(
    "name, split", [("resnet18", split_resnet), ("resnet50", split_resnet), ("mobilenet_v2", split_mobilenet)]
)
def test_head_and_tail_make_up_the_whole_network(name, split):
    whole, image = network(name), torch.rand(1, 3, 64, 96)
    setattr(whole, "fc" if name != "mobilenet_v2" else "classifier", nn.Identity())
    expected = whole(image)
    whole.fc = nn.Linear(expected.shape[1], 1)  # the split reads its width
    backbone = split(whole, tail_stride=2)
    torch.testing.assert_close(backbone.tail(backbone.head(image)), expected, rtol=1e-4, atol=1e-4)


def test_head_and_tail_make_up_the_whole_vgg16():
    with torch.device("meta"):
        whole = torchvision.models.vgg16().eval()
    for parameter in whole.features.to_empty(device="cpu").parameters():
        nn.init.uniform_(parameter, -0.1, 0.1)
    image = torch.rand(1, 3, 64, 64)
    expected = whole.features(image)
    backbone = split_vgg(whole, 1)
    torch.testing.assert_close(nn.functional.max_pool2d(backbone.head(image), 2), expected)
    assert list(backbone.tail)[1:] == list(whole.classifier)[:-1]  # fc6 and fc7, with what lies between and behind


@pytest.mark.parametrize("tail_stride, expected", [(1, (7, 7)), (2, (4, 4))])
@pytest.mark.parametrize("name", ["resnet18", "resnet50", "mobilenet_v2", "small"])
def test_the_tail_s_stride_is_the_config_s(name, tail_stride, expected):
    with torch.device("meta"):
        backbone = build_backbone(BackboneConfig(name, tail_stride))
        assert backbone.tail[0](torch.empty(1, backbone.channels, 7, 7)).shape[2:] == expected


@pytest.mark.parametrize("name", ["resnet50", "vgg16", "mobilenet_v2", "small"])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_first_blocks_are_frozen_and_no_others(name, count):
    with torch.device("meta"):
        backbone = build_backbone(BackboneConfig(name, frozen_blocks=count))
    frozen, trained = list(backbone.head)[:count], [*list(backbone.head)[count:], backbone.tail]
    assert not any(p.requires_grad for block in frozen for p in block.parameters())
    assert all(p.requires_grad for block in trained for p in block.parameters())
    assert all(list(block.parameters()) for block in trained)


@pytest.mark.parametrize("frozen", [True, False])
def test_batch_norm_is_the_config_s(frozen):
    with torch.device("meta"):
        backbone = build_backbone(BackboneConfig("resnet18", frozen_batch_norm=frozen))
    kinds = {type(module) for module in backbone.tail.modules() if "BatchNorm" in type(module).__name__}
    assert kinds == {FrozenBatchNorm2d if frozen else nn.BatchNorm2d}


def test_frozen_batch_norm_is_torchvision_s():
    state = {name: torch.rand(6) + 0.1 for name in ("weight", "bias", "running_mean", "running_var")}
    ours, theirs = FrozenBatchNorm2d(6), torchvision.ops.FrozenBatchNorm2d(6)
    ours.load_state_dict(state), theirs.load_state_dict(state)
    x = torch.rand(2, 6, 4, 5)
    torch.testing.assert_close(ours(x), theirs(x))
    assert ours(x.bfloat16()).dtype == torch.bfloat16 and not list(ours.parameters())


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("frozen_blocks", [0, 2, 4])
def test_weights_come_from_a_file(weights, resnet18, suffix, frozen_blocks):
    config = replace(RESNET18, frozen_blocks=frozen_blocks)
    assert same_as_resnet18(build_backbone(config, weights(suffix)), resnet18)
    assert not same_as_resnet18(build_backbone(config), resnet18)


def test_weights_come_from_torchvision_by_name(resnet18, monkeypatch):
    asked = []

    def download(weights, *_, progress, **__):
        asked.append((weights.url, progress))
        return resnet18.state_dict()

    monkeypatch.setattr(torchvision.models.WeightsEnum, "get_state_dict", download)
    assert same_as_resnet18(build_backbone(RESNET18, "IMAGENET1K_V1"), resnet18)
    assert asked == [(torchvision.models.ResNet18_Weights.IMAGENET1K_V1.url, True)]
    assert torchvision_weights("resnet50", "DEFAULT") is torchvision.models.ResNet50_Weights.IMAGENET1K_V2


def test_what_a_file_lacks_is_logged(weights, resnet18, caplog):
    state = {key: value for key, value in resnet18.state_dict().items() if not key.startswith(("layer4", "fc"))}
    with caplog.at_level(logging.WARNING):
        backbone = build_backbone(RESNET18, weights(state=state))
    assert "holds no weights for layer4 of resnet18" in caplog.text
    expected = resnet18.layer1[0].conv1.weight
    assert not torch.equal(backbone.tail[0][0].conv1.weight, resnet18.layer4[0].conv1.weight)
    assert torch.equal(backbone.head.layer3[0].conv1.weight, resnet18.layer3[0].conv1.weight)
    assert backbone.head.layer1[0].conv1.weight.shape == expected.shape


@pytest.mark.parametrize(
    "state, message",
    [
        ({"conv1.weight": torch.zeros(64, 3, 3, 3)}, "tensor conv1.weight (64, 3, 3, 3) does not fit resnet18"),
        ({"features.0.weight": torch.zeros(1)}, "holds no tensor of resnet18"),
        ({}, "holds no tensor of resnet18"),
        ({"fc.weight": torch.zeros(1000, 512), "fc.bias": torch.zeros(1000)}, "holds no tensor of resnet18"),
    ],
)
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_weights_of_others_are_refused(weights, suffix, state, message):
    path = weights(suffix, state)
    with pytest.raises(DataError) as error:
        build_backbone(RESNET18, path)
    assert str(error.value).startswith(path) and message in str(error.value)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("damage", ["missing", "cut", "nonsense"])
def test_unreadable_files_are_named(weights, tmp_path, suffix, damage):
    path = tmp_path / f"weights{suffix}"
    content = {"nonsense": b"no weights at all", "cut": b""}
    if damage == "cut":
        content["cut"] = open(weights(suffix), "rb").read()[:-1000]
    path.unlink(missing_ok=True)
    if damage != "missing":
        path.write_bytes(content[damage])
    with pytest.raises(DataError) as error:
        build_backbone(RESNET18, str(path))
    assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)


@pytest.mark.parametrize("content", [{"epoch": 3, "state_dict": 1}, torch.zeros(3), [1], {"state_dict": {"a": [1]}}])
def test_other_kinds_of_pth_files_are_refused(weights, content):
    path = weights(".pth", content)
    with pytest.raises(DataError) as error:
        build_backbone(RESNET18, path)
    assert str(error.value) == f"{path}: holds no plain dict of tensors; save the network's state_dict() alone"


def test_pickled_objects_are_refused(tmp_path):
    torch.save({"conv1.weight": nn.Linear(1, 1)}, tmp_path / "weights.pth")
    with pytest.raises(DataError, match="holds a pickled object .torch.nn.modules.linear.Linear.*state_dict"):
        build_backbone(RESNET18, str(tmp_path / "weights.pth"))


def test_weights_that_cannot_be_downloaded_are_named(monkeypatch):
    def unreachable(*_, **__):
        raise URLError("no network")

    monkeypatch.setattr(torchvision.models.WeightsEnum, "get_state_dict", unreachable)
    with pytest.raises(DataError, match=r"ResNet18_Weights.*not downloaded .*no network.*pass a \.pth"):
        build_backbone(RESNET18, "DEFAULT")


@pytest.mark.parametrize(
    "config, pretrained, message",
    [
        (BackboneConfig("resnet19"), None, "backbone 'resnet19': unknown; choose one of resnet18, "),
        (BackboneConfig("small"), "DEFAULT", "pretrained 'DEFAULT': backbone 'small' has no pretrained weights"),
        (RESNET18, "IMAGENET1K_V9", "pretrained 'IMAGENET1K_V9': no such weights for resnet18; use IMAGENET1K_V1"),
        (BackboneConfig("vgg16", tail_stride=2), None, "backbone.tail_stride = 2: vgg16's tail has no convolution"),
        (replace(RESNET18, frozen_blocks=5), None, "backbone.frozen_blocks = 5: this head has 4 blocks"),
        (replace(RESNET18, frozen_blocks=-1), None, "backbone.frozen_blocks = -1: this head has 4 blocks"),
    ],
)
def test_requests_that_cannot_work_are_refused(config, pretrained, message):
    with pytest.raises(ConfigError) as error, torch.device("meta"):
        build_backbone(config, pretrained)
    assert str(error.value).startswith(message)
