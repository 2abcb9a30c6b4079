"""Replaces the rectifiers of a trained PyTorch model by quantised ones, whose thresholds fit its activations."""

from __future__ import annotations

import copy
import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from snntoolbox.errors import DataError, Unsupported, UnsupportedError
from snntoolbox.training.checks import checked_levels, checked_samples
from snntoolbox.training.pytorch.qcfs import QCFS, quantized

log = logging.getLogger(__name__)

_LOWER = {"relu": None, "relu6": None, "clamp": 1, "clamp_min": 1, "hardtanh": 1, "threshold": 1}
"""Operations that rectify where the argument of this number is zero; None is always."""

_SAMPLES = 20_000
"""About how many values of a layer its threshold is chosen from."""


def replace_relu(model: nn.Module, levels: int, *samples: Tensor | NDArray[Any]) -> nn.Module:
    """A copy of `model` with every `nn.ReLU` and `nn.ReLU6` replaced by `QCFS(levels)`, to be fine-tuned.

    `samples` are a batch of each input; arrays are taken to the model's device and, if they are no integers, to its
    precision. Each threshold starts where the mean squared error of quantising the layer's
    activations on them is least. UnsupportedError lists every rectifier that is called as a function (``torch.relu``,
    ``x.clamp(min=0)``): there is no module to replace. ConversionError
    where `levels` is no integer >= 1, DataError where samples are missing, NaN or infinite. A model without rectifiers
    is copied, with a warning in the log.
    """
    levels, tensors = checked_levels(levels), _tensors(model, samples)
    copied = copy.deepcopy(model)
    paths = {name: module for name, module in copied.named_modules(remove_duplicate=False) if _is_relu(module)}
    seen = _observed(copied, tensors)
    if not paths:
        log.warning("replace_relu: %s has no nn.ReLU or nn.ReLU6, nothing was replaced", type(model).__name__)
    replacements: dict[int, QCFS] = {}
    for name, module in paths.items():
        if id(module) not in replacements:
            device = next((p.device for p in copied.parameters()), torch.device("cpu"))
            replacements[id(module)] = QCFS(levels, _threshold(module, seen.get(module, []), levels)).to(device)
        if not name:
            return replacements[id(module)]
        copied.set_submodule(name, replacements[id(module)])
    return copied


def _tensors(model: nn.Module, samples: Sequence[Tensor | NDArray[Any]]) -> list[Tensor]:
    """The samples as the model takes them; DataError where there are none or where they are no finite numbers."""
    if not samples:
        raise DataError("replace_relu needs samples: a batch of each input")
    arrays = [checked_samples(_values(x), number) for number, x in enumerate(samples, 1)]
    first = next((p for p in model.parameters() if p.is_floating_point()), torch.zeros(()))
    return [x if isinstance(x, Tensor) else _like(first, a) for x, a in zip(samples, arrays, strict=True)]


def _values(samples: Tensor | NDArray[Any]) -> NDArray[Any]:
    """The values of a tensor, whatever its type and device, or the array as it is."""
    if not isinstance(samples, Tensor):
        return samples
    there = samples.detach().cpu()
    return (there.double() if there.is_floating_point() else there).numpy()


def _like(parameter: Tensor, array: NDArray[Any]) -> Tensor:
    """An array as a tensor on a parameter's device, integers as they are and others in its precision."""
    if array.dtype.kind == "f":
        return torch.tensor(array.astype(np.float64)).to(parameter)
    return torch.tensor(array.astype(array.dtype.newbyteorder("="))).to(parameter.device)


def _is_relu(module: nn.Module) -> bool:
    return type(module) in (nn.ReLU, nn.ReLU6)


def _threshold(module: nn.Module, values: Sequence[Tensor], levels: int) -> float:
    """The threshold of least squared error among tenths to wholes of the maximum; 1 where nothing is positive."""
    seen = torch.cat([*values]) if values else torch.zeros(1)
    largest = float(seen.max())
    if not largest > 0:
        return 1.0
    candidates = largest * torch.linspace(0.1, 1, 91)
    errors = torch.stack([(quantized(seen, c, levels) - seen).square().mean() for c in candidates])
    chosen = float(candidates[errors.argmin()])
    return min(chosen, 6.0) if isinstance(module, nn.ReLU6) else chosen


def _observed(model: nn.Module, samples: Sequence[Tensor]) -> dict[nn.Module, list[Tensor]]:
    """The activations of each rectifier on the samples; UnsupportedError where some have no module."""
    watch, handles = _Watch(), []
    seen: dict[nn.Module, list[Tensor]] = {}
    for name, module in model.named_modules():
        handles.append(module.register_forward_pre_hook(lambda m, _, n=name: watch.enter(m, n)))
        handles.append(module.register_forward_hook(lambda m, *_: watch.leave(), always_call=True))
        if _is_relu(module):
            handles.append(module.register_forward_hook(lambda m, _, y: seen.setdefault(m, []).append(_thinned(y))))
    modes = {module: module.training for module in model.modules()}
    try:
        with torch.no_grad(), watch:
            model.eval()(*samples)
    finally:
        for module, training in modes.items():
            module.training = training
        for handle in handles:
            handle.remove()
    if watch.outside:
        raise UnsupportedError(
            "replace_relu",
            [Unsupported(label, f"calls {kind} as a function") for label, kind in watch.outside],
            hint="make it a module: self.relu = nn.ReLU() in __init__, self.relu(x) in forward()",
        )
    return seen


def _thinned(values: Tensor) -> Tensor:
    flat = values.detach().float().flatten().cpu()
    return flat[:: max(1, len(flat) // _SAMPLES)].clone()


class _Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes rectifiers that run outside the modules that would be replaced."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.stack: list[tuple[nn.Module, str]] = []
        self.outside: list[tuple[str, str]] = []

    def enter(self, module: nn.Module, name: str) -> None:
        """A module's forward() begins."""
        self.stack.append((module, name))

    def leave(self) -> None:
        """It ends."""
        self.stack.pop()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kind = func._schema.name.partition("::")[2].rstrip("_")
        module, name = self.stack[-1] if self.stack else (None, "")
        if _rectifies(kind, args) and not isinstance(module, (nn.ReLU, nn.ReLU6, nn.Hardtanh)):
            label = f"{name or 'the model'} ({type(module).__name__})"
            if (label, kind) not in self.outside:
                self.outside.append((label, kind))
        return func(*args, **(kwargs or {}))


def _rectifies(kind: str, args: Any) -> bool:
    """Whether an operation is a rectifier: its lower bound is the number zero."""
    if kind not in _LOWER:
        return False
    place = _LOWER[kind]
    return place is None or (len(args) > place and isinstance(args[place], (int, float)) and args[place] == 0)
