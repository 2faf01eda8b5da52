"""Where tensors live: what is done differently on a CPU, and how numbers get to a GPU without waiting for it.

A GPU works through a queue while Python already prepares what comes next. Reading a number from it, or writing one to
it the ordinary way, waits until the queue is empty. A training step does so in two places only: where non-maximum
suppression asks how many boxes are left, and where the losses are read, all in one transfer.
"""

import dataclasses
from collections.abc import Mapping
from functools import lru_cache
from typing import TypeVar

import torch
from torch import Tensor, nn

Model = TypeVar("Model", bound=nn.Module)


def on_cpu(where: Tensor | torch.device | str) -> bool:
    """Whether a tensor lives on the CPU (or a device is it): the one question behind all that a CPU does otherwise."""
    device = where.device if isinstance(where, Tensor) else torch.device(where)
    return device.type == "cpu"


def upload(values, device: torch.device, dtype: torch.dtype | None = None) -> Tensor:
    """Numbers, nested lists of them or a tensor on the CPU, as a tensor on `device` that nobody has to wait for."""
    # CUDA copies what lies in ordinary memory before it returns. Others may read it later, when it is gone.
    return torch.as_tensor(values, dtype=dtype).to(device, non_blocking=torch.device(device).type == "cuda")


@lru_cache(maxsize=1000)
def constant(values: tuple, device: torch.device, dtype: torch.dtype = torch.float32) -> Tensor:
    """A tensor of numbers that never change, made once on each device. Never write into it."""
    with torch.inference_mode(False):  # else the first caller would decide whether the others may have gradients
        return torch.tensor(values, dtype=dtype, device=device)


def to_cpu(value, single: bool = False):
    """The same value, its tensors on the CPU, without gradient and subclass: for pictures, explorers and figures.

    value: a tensor, or a mapping, list, tuple or record (a Trace) made of them; anything else is returned as it is.
    Floats in half precision, which NumPy does not know, become float32; with `single` those in double precision too.
    """
    if isinstance(value, Tensor):
        tensor = value.detach().as_subclass(Tensor).cpu()
        half = tensor.dtype in (torch.float16, torch.bfloat16)
        return tensor.float() if half or (single and tensor.is_floating_point()) else tensor
    if isinstance(value, Mapping):
        return {key: to_cpu(item, single) for key, item in value.items()}
    if isinstance(value, tuple | list):
        items = [to_cpu(item, single) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    if dataclasses.is_dataclass(value):
        changes = {field.name: to_cpu(getattr(value, field.name), single) for field in dataclasses.fields(value)}
        return dataclasses.replace(value, **changes)
    return value


def layout(conv: nn.Conv2d, device: torch.device) -> torch.memory_format:
    """How the weights of a convolution should lie in memory: channels last, but for depthwise ones on CUDA.

    There torch leaves a depthwise convolution to cuDNN only if it finds this layout, and cuDNN (from 9.10 on) spends
    seconds on a plan for each new size of the image. torch's own kernel, taken for the other layout, needs no plan.
    """
    depthwise_on_cuda = conv.groups > 1 and torch.device(device).type == "cuda"
    return torch.contiguous_format if depthwise_on_cuda else torch.channels_last


def without_cudnn_plan(conv: nn.Conv2d, inputs: tuple) -> tuple:
    """A depthwise convolution's forward pre-hook: its input in the layout of its weights, see `layout`."""
    return tuple(x.contiguous() if layout(conv, x.device) == torch.contiguous_format else x for x in inputs)


def place(model: Model, device: torch.device | str) -> Model:
    """Move a model to a device, with every convolution in the layout that is fastest there. Returns the model."""
    model.to(device)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.to(memory_format=layout(module, device))
    return model
