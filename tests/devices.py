"""A second device for machines that have none: tensors that are as strict as a GPU's about what lives where."""

import dataclasses

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

FREE_TO_MIX = (Tensor.__getitem__, Tensor.__setitem__, Tensor.copy_)  # a GPU takes indices and values from the CPU


class Elsewhere(Tensor):
    """The numbers lie on the CPU, but no operation takes them together with a CPU's, and numpy does not get them.

    What is computed from them is elsewhere too; only `cpu()` and `to("cpu")` bring it back.
    """

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func in (Tensor.numpy, Tensor.__array__):
            raise TypeError("can't convert a tensor that lives elsewhere to numpy; use Tensor.cpu() first")
        if func is Tensor.__format__:
            return format(args[0].item(), args[1])
        if func is Tensor.as_subclass:
            return args[0]
        given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        if any(type(tensor) is not cls and tensor.dim() for tensor in given) and func not in FREE_TO_MIX:
            raise RuntimeError(f"{func.__name__}: expected all tensors to be on the same device")
        result = super().__torch_function__(func, types, args, kwargs)
        to_the_cpu = func is Tensor.cpu or (func is Tensor.to and "cpu" in map(str, (*args[1:], *kwargs.values())))
        return result.detach().as_subclass_of_the_cpu() if to_the_cpu else result

    def as_subclass_of_the_cpu(self) -> Tensor:
        """The plain tensor of the same numbers."""
        with torch._C.DisableTorchFunctionSubclass():
            return self.as_subclass(Tensor)


def elsewhere(values):
    """A tensor, or a structure of tensors (lists, named tuples, mappings, a Trace), on the other device."""
    if dataclasses.is_dataclass(values):
        fields = {field.name: elsewhere(getattr(values, field.name)) for field in dataclasses.fields(values)}
        return dataclasses.replace(values, **fields)
    return tree_map(lambda leaf: leaf.as_subclass(Elsewhere) if isinstance(leaf, Tensor) else leaf, values)
