"""A GPU that there is not: tensors that say they live on one, and behave so as far as Python can see.

They are ordinary tensors of another class. Whoever mixes them with tensors of the CPU, asks for their numpy array, or
(on Apple's) wants float64, gets an error as on a GPU. Whatever would make Python wait for a GPU is noted.
"""

import contextlib

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

READS = {Tensor.tolist: "tolist", Tensor.item: "item", Tensor.cpu: "cpu", Tensor.nonzero: "nonzero"}
READS |= {torch.nonzero: "nonzero", torch.equal: "equal", torch.masked_select: "masked_select"}
READS |= {getattr(Tensor, f"__{name}__"): name for name in ("bool", "int", "float", "index")}
DEVICES = {Tensor.device.__get__, Tensor.is_cuda.__get__, Tensor.is_cpu.__get__, Tensor.is_mps.__get__}


class OnGPU(Tensor):
    """A tensor of the pretended GPU."""

    gpu = None  # the one in use

    def as_subclass(self, kind: type) -> Tensor:
        """Stay here when asked for a plain tensor."""
        return self if kind is Tensor else super().as_subclass(kind)

    def __deepcopy__(self, memo: dict) -> Tensor:
        other = self.detach().clone().requires_grad_(self.requires_grad)
        return nn.Parameter(other, self.requires_grad) if isinstance(self, nn.Parameter) else other

    def __format__(self, form: str) -> str:
        return format(self.item(), form) if self.ndim == 0 else super().__format__(form)

    @classmethod
    def __torch_function__(cls, function, types, arguments=(), options=None):
        return cls.gpu.run(function, arguments, options or {})


class PretendedGPU(TorchFunctionMode):
    """Within its context, `device` exists."""

    def __init__(self, device: str):
        super().__init__()
        self.device = torch.device(device, 0)
        self.waits: list[str] = []  # one entry for each time that Python would wait for the GPU
        self.convolutions: list[tuple[Tensor, Tensor]] = []  # (input, weight) of the grouped ones

    def __torch_function__(self, function, types, arguments=(), options=None):
        return self.run(function, arguments, options or {})

    def run(self, function, arguments: tuple, options: dict):
        """Any function of torch."""
        tensors = list(_tensors([arguments, options]))
        here = [tensor for tensor in tensors if isinstance(tensor, OnGPU)]
        with torch._C.DisableTorchFunction():
            if function in DEVICES:
                return self.told(function, arguments[0])
            if function is torch._has_compatible_shallow_copy_type:  # asked by Module.to
                return isinstance(arguments[0], OnGPU) == isinstance(arguments[1], OnGPU)
            target = _device_in(arguments, options)
            if function in (Tensor.to, torch.as_tensor, torch.tensor) and (target or function is not Tensor.to):
                return self.move(function, arguments, options, target)
            if function in (Tensor.numpy, Tensor.__array__) and here:
                raise TypeError(f"can't convert {self.device} device type tensor to numpy. Use Tensor.cpu()")
            if here and function is not Tensor.copy_ and function not in (Tensor.__getitem__, Tensor.__setitem__):
                if not all(tensor.ndim == 0 or isinstance(tensor, OnGPU) for tensor in tensors):
                    raise RuntimeError(
                        f"Expected all tensors to be on the same device: {function}, {self.device} and cpu"
                    )
            if here:
                self.note(function, arguments, options)
            result = function(*arguments, **{name: _really(value) for name, value in options.items()})
        stays = bool(here or _is_ours(target, self.device)) and function is not Tensor.cpu
        return self.wrap(result) if stays else _map(result, _base)

    def told(self, function, tensor: Tensor):
        """What a tensor says of its place."""
        if not isinstance(tensor, OnGPU):
            return function(tensor)
        if function is Tensor.device.__get__ or getattr(function, "__self__", None) is Tensor.device:
            return self.device
        return getattr(function, "__self__", None) is getattr(Tensor, f"is_{self.device.type}")

    def move(self, function, arguments: tuple, options: dict, target):
        """To another device or type, from numbers or from another tensor."""
        was_here = isinstance(arguments[0], OnGPU)
        result = function(*map(_really, arguments), **{name: _really(value) for name, value in options.items()})
        if _is_ours(target, self.device) or (target is None and was_here):
            if not was_here and not options.get("non_blocking"):
                self.waits.append("upload")
            return self.wrap(result)
        if was_here:
            self.waits.append("download")
        return _map(result, _base)

    def note(self, function, arguments: tuple, options: dict) -> None:
        """Write down what would wait, and the convolutions in groups."""
        if function in READS:
            self.waits.append(READS[function])
        if function in (Tensor.new_tensor,):
            self.waits.append("upload")
        if function in (Tensor.__getitem__, Tensor.__setitem__) and _is_slow_index(arguments):
            self.waits.append("index")
        if "torchvision::nms" in str(function) or "torchvision.nms" in str(function):
            self.waits.append("nms")
        if function is nn.functional.conv2d and arguments[6:7] != (1,) and len(arguments) > 6:
            self.convolutions.append((arguments[0], arguments[1]))

    def wrap(self, result):
        """Every tensor of a result as one of this GPU's."""

        def one(tensor: Tensor) -> Tensor:
            if self.device.type == "mps" and tensor.dtype == torch.float64:
                raise TypeError("Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support it")
            return tensor if isinstance(tensor, OnGPU) else tensor.as_subclass(OnGPU)

        with torch._C.DisableTorchFunction():
            return _map(result, one)


def _really(value):
    """The CPU for any device."""
    return torch.device("cpu") if isinstance(value, torch.device) else value


def _base(tensor: Tensor) -> Tensor:
    return Tensor.as_subclass(tensor, Tensor)


def _tensors(value):
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _tensors(item)


def _map(value, change):
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, tuple | list):
        items = [_map(item, change) for item in value]
        return items if isinstance(value, list) else type(value)(items)
    return value


def _device_in(arguments: tuple, options: dict):
    """The device that a call names."""
    found = [value for value in (*arguments[1:], options.get("device")) if isinstance(value, torch.device)]
    with contextlib.suppress(RuntimeError):
        return torch.device(found[0]) if found else None


def _is_ours(target, device: torch.device) -> bool:
    return target is not None and target.type == device.type


def _is_slow_index(arguments: tuple) -> bool:
    """Whether an index would be read from the GPU (a mask that selects) or copied to it (a list)."""
    index = arguments[1] if isinstance(arguments[1], tuple) else (arguments[1],)
    selects = any(isinstance(item, Tensor) and item.dtype == torch.bool for item in index)
    fills = len(arguments) == 3 and not isinstance(arguments[2], Tensor)  # torch takes masked_fill_ then
    given = any(isinstance(item, list) or (isinstance(item, Tensor) and not isinstance(item, OnGPU)) for item in index)
    return (selects and not fills) or given


@pytest.fixture(params=["cuda", "mps"])
def gpu(request, monkeypatch):
    """A pretended GPU, in use."""
    gpu = PretendedGPU(request.param)
    real = torch.Generator
    monkeypatch.setattr(torch, "Generator", lambda device=None: real())
    monkeypatch.setattr(torch.random, "fork_rng", lambda *_, **__: contextlib.nullcontext())
    monkeypatch.setattr(OnGPU, "gpu", gpu)
    with gpu:
        yield gpu
