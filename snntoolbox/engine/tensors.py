"""Where and how tensors lie and are computed: device and type, memory layout, padding, sliding windows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from snntoolbox.errors import BackendError
from snntoolbox.ir.node import Array, Shape

Pads = tuple[tuple[int, int], ...]
_LAYOUTS = {4: torch.channels_last, 5: torch.channels_last_3d}


@dataclass(frozen=True)
class Target:
    """Where kernels run: the device and floating type of every tensor.

    `exact` asks for sums of products in the plain order of a matrix product: the fast convolutions of cuDNN
    (Winograd, FFT) multiply by fractions, so that sums of integers would no longer come out as integers.
    """

    device: torch.device
    dtype: torch.dtype = torch.float32
    exact: bool = False

    def tensor(self, array: Array | float) -> Tensor:
        """A copy of `array` on this device in this type."""
        array = np.asarray(array)
        if not array.dtype.isnative or array.dtype == np.longdouble:  # torch takes neither
            array = array.astype(np.float64)
        return torch.tensor(np.ascontiguousarray(array), dtype=self.dtype, device=self.device).reshape(array.shape)


def device_named(name: str) -> torch.device:
    """The device called cpu, cuda, or auto for cuda where there is one; BackendError where there is no such device."""
    if name == "cuda" and not torch.cuda.is_available():
        raise BackendError("there is no CUDA device", hint="device = cpu, or a PyTorch built for CUDA")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


@contextmanager
def plain_arithmetic() -> Iterator[None]:
    """Within it no gradients are kept and float32 products are not shortened (TF32, bfloat16)."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.inference_mode(), _plain_convolutions():
            yield
    finally:
        torch.set_float32_matmul_precision(before)


@contextmanager
def short_products() -> Iterator[None]:
    """Within it a GPU may shorten the factors of float32 matrix products to 11 bits (TF32); sums stay float32."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _plain_convolutions() -> AbstractContextManager[object]:
    """Setting cuDNN's flags takes as long as a small layer, so without it that is left out."""
    if not torch.cuda.is_available():
        return nullcontext()
    return torch.backends.cudnn.flags(enabled=True, allow_tf32=False)


def channels_inside(x: Tensor) -> Tensor:
    """The same tensor with the channels of one position side by side in memory.

    Convolution and pooling are several times faster so; shapes and axes do not change.
    """
    return x.contiguous(memory_format=_LAYOUTS.get(x.ndim, torch.contiguous_format))


def lies_inside(x: Tensor) -> bool:
    """Whether the channels of one position lie side by side in memory, those of other positions somewhere else."""
    layout = _LAYOUTS.get(x.ndim)
    return layout is not None and not x.is_contiguous() and x.is_contiguous(memory_format=layout)


def empty_inside(like: Tensor, samples: int) -> Tensor:
    """Memory for so many samples of the kind in `like`, laid out as by `channels_inside`."""
    layout = _LAYOUTS.get(like.ndim, torch.contiguous_format)
    return torch.empty((samples, *like.shape[1:]), dtype=like.dtype, device=like.device, memory_format=layout)


def padded(x: Tensor, pads: Pads, fill: float = 0.0) -> Tensor:
    """`x` with (before, after) values around its last axes."""
    if not any(map(any, pads)):
        return x
    return functional.pad(x, [n for pair in reversed(pads) for n in pair], value=fill)


def extract_windows(
    x: Tensor, kernel: Shape, stride: tuple[int, ...], padding: Pads, dilation: tuple[int, ...], fill: float = 0.0
) -> Tensor:
    """A view (batch, channels, *windows, *kernel) of `x` (batch, channels, *space) padded with `fill`."""
    x = padded(x, padding, fill)
    for axis, (k, s, d) in enumerate(zip(kernel, stride, dilation, strict=True), start=2):
        x = x.unfold(axis, d * (k - 1) + 1, s)
    taps: tuple[Any, ...] = (..., *(slice(None, None, d) for d in dilation))
    return x[taps]
