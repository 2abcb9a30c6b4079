"""QCFS training under the names that users of SC-NeuroCore know."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray
from torch import Tensor, nn

from snntoolbox.errors import Unsupported, UnsupportedError
from snntoolbox.training.checks import checked_levels
from snntoolbox.training.pytorch.qcfs import QCFS
from snntoolbox.training.pytorch.replacing import replace_relu


class QCFSActivation(QCFS):
    """`QCFS` whose levels are called `T`, the steps of the spiking network that it becomes."""

    def __init__(self, T: int = 8, threshold: float = 1.0, channels: int | None = None) -> None:
        super().__init__(T, threshold, channels)


def replace_relu_with_qcfs(model: nn.Module, T: int = 8, *samples: Tensor | NDArray[Any]) -> nn.Module:
    """The model itself, in which every `nn.ReLU` and `nn.ReLU6` is now `QCFSActivation(T)`, to be fine-tuned.

    With `samples`, a batch of each input, thresholds start where they fit the activations, see `replace_relu`; without
    they start at 1. UnsupportedError where there is nothing to replace, or the model is a rectifier itself.
    """
    T = checked_levels(T)
    if samples:
        fitted = dict(replace_relu(model, T, *samples).named_modules(remove_duplicate=False))
        layers = {n: m for n, m in fitted.items() if n and isinstance(m, QCFS)}
    else:
        rectifiers = {n: m for n, m in model.named_modules(remove_duplicate=False) if isinstance(m, nn.ReLU | nn.ReLU6)}
        of_each = {id(m): QCFSActivation(T) for m in rectifiers.values()}
        layers = {n: of_each[id(m)] for n, m in rectifiers.items() if n}
    if not layers:
        offenders = [Unsupported(type(model).__name__, "has no nn.ReLU or nn.ReLU6 inside")]
        hint = "write rectifiers as modules (nn.ReLU()), not as functions"
        raise UnsupportedError("replace_relu_with_qcfs", offenders, hint=hint)
    for name, layer in layers.items():
        model.set_submodule(name, layer)
    return model
