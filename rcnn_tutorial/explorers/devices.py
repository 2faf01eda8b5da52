"""Where explorers compute: on the CPU, in float32, wherever the detector lives and whatever it computes in.

A step of a slider is small work, figures are drawn on the CPU anyway, and a random draw is the same there everywhere.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import torch
from torch import Tensor


def to_cpu(values):
    """The same values with every tensor on the CPU, floats as float32, without gradient and without subclass.

    values: a tensor, or tuples, named tuples, lists, mappings and dataclasses (a Trace) of tensors; all else stays.
    """
    if isinstance(values, Tensor):
        plain = values.detach().as_subclass(Tensor)
        return plain.to("cpu", torch.float32) if plain.is_floating_point() else plain.cpu()
    if dataclasses.is_dataclass(values):
        fields = {field.name: to_cpu(getattr(values, field.name)) for field in dataclasses.fields(values)}
        return dataclasses.replace(values, **fields)
    if isinstance(values, Mapping):
        return {name: to_cpu(value) for name, value in values.items()}
    if isinstance(values, tuple) and hasattr(values, "_make"):
        return values._make(map(to_cpu, values))
    if isinstance(values, list | tuple):
        return type(values)(map(to_cpu, values))
    return values
