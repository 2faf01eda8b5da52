"""Weights of a classifier for the backbone: from torchvision by name, or from a file, however it was saved.

A file may hold the state dict alone or inside another dict ({"state_dict": ...}), with or without a prefix in front of
every key ("module." of DataParallel), and with a last layer of any number of classes, which detection does not use.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path

import safetensors.torch
import torch
import torchvision
from safetensors import SafetensorError
from torch import Tensor, nn

from rcnn_tutorial.config import BACKBONES
from rcnn_tutorial.errors import ConfigError, DataError, is_out_of_memory

log = logging.getLogger(__name__)

SUFFIXES = (".pth", ".pt", ".safetensors")
NESTED = ("state_dict", "model_state_dict", "model", "network", "net", "weights")  # where trainings put the weights
UNUSED = {"vgg16": "classifier.6.", "mobilenet_v2": "classifier."}  # what detection cuts off; of a ResNet: fc
BEGINNINGS = (b"PK\x03\x04", b"\x80")  # of what torch.save writes: a zip archive, once a pickle
UNUSABLE = re.compile(r"(?:GLOBAL|Unsupported class|Unsupported global:) *(?:GLOBAL )?`?([\w.]+)")


def load_pretrained(network: nn.Module, name: str, pretrained: str) -> None:
    """Load ImageNet weights into a whole torchvision network, from torchvision by name or from a local file.

    A file may lack the tail, wholly or in part, which is logged then. Tensors of another shape or name, or a file
    without any tensor of the head, raise DataError.
    """
    path = Path(pretrained)
    if pretrained not in torchvision.models.get_model_weights(name).__members__ and _names_file(path):
        state = read_state(path)
    else:
        state = download_state(torchvision_weights(name, pretrained))
    own = used(network.state_dict(), name)
    state = used(without_prefix(state, own), name)
    head = {key for key in own if not key.startswith(("classifier.", "layer4."))}
    if not head & state.keys():
        raise DataError(f"{pretrained}: holds no tensor of {name}; {_instead(state, name)}")
    for key, value in state.items():
        if key not in own or own[key].shape != value.shape:
            raise DataError(
                f"{pretrained}: tensor {key} {tuple(value.shape)} does not fit {name}; {_instead(state, name)}"
            )
    lacking = sorted({key.split(".")[0] for key in own if key not in state})
    if lacking:
        log.warning("%s holds no weights for %s of %s: they start at random", pretrained, ", ".join(lacking), name)
    network.load_state_dict(state, strict=False)


def _names_file(path: Path) -> bool:
    return path.suffix in SUFFIXES or path.is_file() or len(path.parts) > 1


def used(state: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    """The tensors that the detector takes over: not the last layer, and no counters of training batches."""
    unused = UNUSED.get(name, "fc.")
    return {k: v for k, v in state.items() if not k.startswith(unused) and not k.endswith("num_batches_tracked")}


def without_prefix(state: dict[str, Tensor], own: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors below the prefix under which most of the keys of `own` are found, without it."""
    first = next(iter(own))
    prefixes = sorted({key.removesuffix(first) for key in state if key.endswith(f".{first}")} | {""})
    found = {prefix: sum(prefix + key in state for key in own) for prefix in prefixes}
    prefix = max(prefixes, key=found.get)
    if found[prefix] < len(own) / 4:  # a few names in common are no network
        return state
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


def _instead(state: dict[str, Tensor], name: str) -> str:
    """The remedy for weights that do not fit: the backbone that they are of, if it is one of ours."""
    if any(key.startswith(("model.rpn.", "rpn.")) for key in state):
        return "it is a detector's; give the weights of a classifier"
    for other in BACKBONES:
        if other not in (name, "small") and _fits(state, other):
            return f"they are of {other}: use --backbone {other}"
    return f"use weights of {name}, with torchvision's keys"


def _fits(state: dict[str, Tensor], name: str) -> bool:
    with torch.device("meta"):
        own = used(torchvision.models.get_model(name, weights=None).state_dict(), name)
    given = used(state, name)
    return bool(given) and all(key in own and own[key].shape == value.shape for key, value in given.items())


def torchvision_weights(name: str, weights: str):
    """The entry for a backbone's weights in torchvision, by name. Raises ConfigError listing the names there are."""
    known = torchvision.models.get_model_weights(name)
    try:
        return known[weights]
    except KeyError:
        names = ", ".join(known.__members__)
        message = f"pretrained {weights!r}: no such weights for {name}; use {names}, or a .pth or .safetensors file"
        raise ConfigError(message) from None


def download_state(weights) -> dict[str, Tensor]:
    """The tensors of a torchvision weights entry, from its cache or its server."""
    try:
        return weights.get_state_dict(progress=True, check_hash=True)
    except (OSError, RuntimeError) as error:  # no network or no room; a hash that does not fit
        message = f"{weights}: not downloaded ({error}); pass a .pth or .safetensors file of these weights instead"
        raise DataError(message) from error


def read_state(path: Path) -> dict[str, Tensor]:
    """The state dict in a .safetensors file or in one of torch.save, of which nothing but tensors is unpickled."""
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        _check_beginning(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; give the path of a weights file") from None
    except DataError:
        raise
    except Exception as error:  # torch and safetensors raise half a dozen types for a damaged file
        if is_out_of_memory(error):
            raise
        raise DataError(f"{path}: {_reason(error)}") from error
    return _state_in(content, path)


def _check_beginning(path: Path) -> None:
    with open(path, "rb") as file:
        start = file.read(16)
    if not start.startswith(BEGINNINGS):
        shown = start.split(b"\n")[0].decode("ascii", "backslashreplace")
        found = f"it begins with {shown!r}" if start else "it is empty"
        remedy = "download the file itself, not a page about it or a pointer to it"
        raise DataError(f"{path}: not a weights file ({found}); {remedy}")


def _reason(error: Exception) -> str:
    """Why a file cannot be read, and what to do, without torch's own advice (which is to trust the file)."""
    text = " ".join(str(error).split())
    if isinstance(error, OSError):
        return f"cannot be read ({error.strerror or text}); name another file"
    if kind := UNUSABLE.search(text):
        return f"holds a pickled object ({kind[1]}), which is not opened; save the network's state_dict() alone"
    cause = text.split(". ")[0][:100] if isinstance(error, SafetensorError) else "its content is cut off or changed"
    return f"not a readable weights file, damaged ({cause}); download or save it again"


def _state_in(content, path: Path) -> dict[str, Tensor]:
    """The tensors of a state dict, or of the one inside a training's dict. Raises DataError without one."""
    inner = content if isinstance(content, dict) else {}
    for candidate in (content, *(inner.get(name) for name in NESTED)):
        if _is_state(candidate):
            return dict(candidate)
    raise DataError(f"{path}: holds no plain dict of tensors; save the network's state_dict() alone")


def _is_state(value) -> bool:
    tensors = isinstance(value, dict) and all(isinstance(item, Tensor) for item in value.values())
    return tensors and all(isinstance(key, str) for key in value)
