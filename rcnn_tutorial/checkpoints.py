"""Checkpoints: one safetensors file that holds the tensors and, as JSON in its header, everything else.

The header carries the detector's config, so a file alone is enough to build the model it came from. Nothing is ever
unpickled: a checkpoint from a stranger cannot run code.

Tensor names start with the group they belong to. "model." is the model; a training checkpoint adds "optimizer." and,
where the training has them, "average." (running average of the weights) and "first." (the first of the two networks
of alternating training).
"""

from __future__ import annotations

import json
import reprlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from rcnn_tutorial.assets import asset_path
from rcnn_tutorial.atomic import write_atomically
from rcnn_tutorial.config import FREE, Config, TrainingConfig
from rcnn_tutorial.errors import ConfigError, DataError, TutorialError
from rcnn_tutorial.fields import differences, from_dict, to_dict
from rcnn_tutorial.model import FasterRCNN, build_model

FORMAT = 1  # raised when a file stops being readable by older versions of this package
BUNDLED = ("toy", "voc")  # names that stand for the checkpoints shipped with the package


class Checkpoint(NamedTuple):
    """What a checkpoint file holds: `info` is the JSON of its header, `tensors` all tensors under their full names."""

    path: Path
    info: dict
    tensors: dict[str, Tensor]

    def group(self, prefix: str) -> dict[str, Tensor]:
        """The tensors of one group ("model.", "optimizer.", ...), their names without the prefix."""
        return {name.removeprefix(prefix): t for name, t in self.tensors.items() if name.startswith(prefix)}


def save_model(path: str | Path, model: FasterRCNN, half: bool = False, extra: dict | None = None) -> None:
    """Write the weights and config of `model` to `path`, whole or not at all.

    half stores the weights as float16, half the size; `load_model` always gives float32 back.
    extra is JSON-ready information to keep beside them, for example how the model was trained and measured. Raises
    ConfigError for a model that is not what its config builds, such as the copy of `for_inference`.
    """
    _check_architecture(path, model)
    tensors = _grouped("model.", model.state_dict())
    if half:
        # Vectors stay float32: they are small, and a batch norm's variance can exceed what float16 can hold.
        tensors = {name: t.half() if t.is_floating_point() and t.ndim > 1 else t for name, t in tensors.items()}
    _write(path, tensors, {"config": to_dict(model.config), "extra": extra or {}})


def load_model(path_or_name: str | Path, device: str | torch.device = "cpu") -> FasterRCNN:
    """The detector of a checkpoint file, or of a bundled one ("toy", "voc"), in eval mode and float32.

    Raises DataError for a file that is missing, damaged, no checkpoint of this package, or of another architecture.
    """
    path = asset_path(f"{path_or_name}.safetensors") if path_or_name in BUNDLED else Path(path_or_name)
    checkpoint = read_checkpoint(path)
    prefix = str(checkpoint.info.get("detect_with", "model."))
    with torch.device("meta"):  # shapes alone: a config from a stranger may ask for more memory than there is
        check_tensors(_build(checkpoint), checkpoint, prefix)
    model = _build(checkpoint)
    load_weights(model, checkpoint, prefix)
    return model.to(device).eval()


def save_training(
    path: str | Path,
    config: Config,
    training: TrainingConfig,
    step: int,
    networks: dict[str, nn.Module],
    optimizers: Sequence[torch.optim.Optimizer],
    detect_with: str = "model.",
    data: dict | None = None,
) -> None:
    """Write everything that training goes on from after `step` steps; `load_model` reads the same file.

    networks: {prefix: network}, for example {"model.": ..., "average.": ...}.
    detect_with: prefix of the weights that `load_model` takes. data: what tells the training data from others.
    """
    tensors = _grouped("optimizer.", _optimizer_tensors(optimizers))
    for prefix, network in networks.items():
        tensors |= _grouped(prefix, network.state_dict())
    info = {"config": to_dict(config), "training": to_dict(training), "step": step, "detect_with": detect_with}
    info |= {"data": data or {}}
    _write(path, tensors, info)


def load_training(path: str | Path, config: Config, training: TrainingConfig) -> Checkpoint:
    """Read a training checkpoint that training with `config` and `training` may go on from.

    Raises DataError for a file that cannot be used; ConfigError, naming the field, where the run that wrote it had
    other settings (only those that leave the result as it is, such as `workers`, may differ).
    """
    checkpoint = read_checkpoint(path)
    if not {"step", "config", "training"} <= checkpoint.info.keys():
        raise DataError(f"{path}: holds a model but no state of a training to resume; load it with load_model")
    parts = {"config": config, "training": training}
    before = {name: to_dict(_decoded(checkpoint, type(part), name)) for name, part in parts.items()}
    now = {name: to_dict(part) for name, part in parts.items()}
    for field, old, new in differences(before, now):
        if field not in FREE:
            raise ConfigError(f"{path}: was written with {field} = {old!r}, not {new!r}; resume with the same value")
    step = checkpoint.info["step"]
    if type(step) is not int or not 0 <= step <= training.steps:
        raise DataError(f"{path}: step = {reprlib.repr(step)} of {training.steps}: no step to go on from; train anew")
    return checkpoint


def load_optimizers(optimizers: Sequence[torch.optim.Optimizer], checkpoint: Checkpoint) -> None:
    """Restore what the optimizers remember of earlier steps (momentum, moments), exactly as it was.

    Raises DataError that names the first tensor that is missing, unknown or of another shape: the fused optimizers
    would read and write beyond its end.
    """
    given, known = checkpoint.group("optimizer."), set()
    for number, (optimizer, parameter) in enumerate(_parameters(optimizers)):
        adam = isinstance(optimizer, torch.optim.AdamW)
        keys = ("step", "exp_avg", "exp_avg_sq") if adam else ("momentum_buffer",)
        names = {f"{number}.{key}": key for key in keys}
        known |= names.keys()
        if given.keys().isdisjoint(names):
            continue  # a parameter that no step has moved yet
        for name, key in names.items():
            # Written into a tensor laid out like the parameter's own: the fused optimizers walk both in memory order.
            like = parameter.new_empty(()) if key == "step" else torch.empty_like(parameter)
            if name not in given or given[name].shape != like.shape:
                raise DataError(f"{checkpoint.path}: 'optimizer.{name}' is missing or of another shape; train anew")
            optimizer.state[parameter][key] = like.copy_(given[name])
    for name in given.keys() - known:
        raise DataError(f"{checkpoint.path}: unexpected tensor {f'optimizer.{name}'!r}; it belongs to another training")


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read any checkpoint of this package. Raises DataError for what is not one."""
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such checkpoint file; give the path of a .safetensors file, or one of {BUNDLED}")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            # Copies, since a file that is mapped into memory cannot be replaced on Windows, as a resumed run does.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 (it is no dict)
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path}: damaged, or not a safetensors file ({error}); fetch or train it again") from None
    try:
        info = json.loads(header["rcnn_tutorial"])
        version = int(info["format"])
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError):
        raise DataError(f"{path}: not a checkpoint of rcnn_tutorial; save one with save_model") from None
    if version > FORMAT:
        raise DataError(f"{path}: format {version} is newer than the {FORMAT} known here; update rcnn_tutorial")
    return Checkpoint(path, info, tensors)


def load_weights(model: nn.Module, checkpoint: Checkpoint, prefix: str = "model.") -> None:
    """Copy one group of weights into `model`. Raises DataError that names the first tensor that does not fit."""
    check_tensors(model, checkpoint, prefix)
    model.load_state_dict(checkpoint.group(prefix))


def check_tensors(model: nn.Module, checkpoint: Checkpoint, prefix: str = "model.") -> None:
    """Raise DataError that names the first tensor of a group that is missing, unknown or of another shape."""
    given, wanted = checkpoint.group(prefix), model.state_dict()
    for name in [*wanted, *given]:
        if name not in given:
            raise DataError(f"{checkpoint.path}: has no tensor {name!r}; it belongs to another architecture")
        if name not in wanted:
            raise DataError(f"{checkpoint.path}: unexpected tensor {name!r}; it belongs to another architecture")
        if given[name].shape != wanted[name].shape:
            shapes = f"{tuple(given[name].shape)}, not {tuple(wanted[name].shape)}"
            raise DataError(f"{checkpoint.path}: {name} has shape {shapes}; it belongs to another architecture")


def _build(checkpoint: Checkpoint) -> FasterRCNN:
    config = _decoded(checkpoint, Config, "config")
    try:
        return build_model(config)
    except (TutorialError, TypeError, ValueError, ArithmeticError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{checkpoint.path}: its config is not usable ({reason}); update rcnn_tutorial") from None


def _decoded(checkpoint: Checkpoint, kind: type, name: str):
    """A config of the checkpoint's header, with defaults for what an older version of the package did not know."""
    try:
        return from_dict(kind, checkpoint.info.get(name))
    except TutorialError as error:
        raise DataError(f"{checkpoint.path}: its {name} is not usable ({error}); update rcnn_tutorial") from None


def _check_architecture(path: str | Path, model: FasterRCNN) -> None:
    with torch.device("meta"):
        wanted = build_model(model.config).state_dict()
    given = model.state_dict()
    for name in [*wanted, *given]:
        if name not in given or name not in wanted or given[name].shape != wanted[name].shape:
            raise ConfigError(
                f"{path}: not written: {name!r} of the model is not what its config builds; save the model itself, as "
                "trained or loaded, not a changed copy such as for_inference()"
            )


def _write(path: str | Path, tensors: dict[str, Tensor], info: dict) -> None:
    header = {"rcnn_tutorial": json.dumps({"format": FORMAT, **info})}
    write_atomically(path, save(tensors, header))


def _grouped(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    # safetensors stores plain row-major memory, so tensors in channels_last order are rearranged.
    return {prefix + name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _optimizer_tensors(optimizers: Sequence[torch.optim.Optimizer]) -> dict[str, Tensor]:
    """{"<parameter's number>.<name>": tensor}; the numbers and the hyperparameters follow from the TrainingConfig."""
    states = [optimizer.state.get(parameter, {}) for optimizer, parameter in _parameters(optimizers)]
    return {f"{number}.{key}": value for number, state in enumerate(states) for key, value in state.items()}


def _parameters(optimizers: Sequence[torch.optim.Optimizer]) -> list[tuple[torch.optim.Optimizer, Tensor]]:
    """Every parameter with its optimizer, in the order of optimizers and groups: its number in a checkpoint."""
    return [(one, parameter) for one in optimizers for group in one.param_groups for parameter in group["params"]]
