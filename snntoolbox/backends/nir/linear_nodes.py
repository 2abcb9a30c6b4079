"""What linear nodes of NIR are in a graph of ours: a line for each kind."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from snntoolbox.backends.nir.graph_file import Record
from snntoolbox.errors import DataError
from snntoolbox.ir.node import Array, LinearNode, Shape
from snntoolbox.ir.nodes import AveragePool, Conv, Delay, Dense, Reshape, Scale

LARGEST = 2**24
"""Of a kernel, a stride, a dilation or a padding along an axis."""


def linear_node(record: Record, name: str, source: str, shape: Shape, dt: float | None) -> LinearNode:
    """The node called `name` that reads `source` of this shape; its bias is that of the record. DataError."""
    try:
        return LINEAR[record.kind](record.values, name, source, shape, dt)
    except DataError as error:
        raise DataError(f"'{name}' (nir {record.kind}) {error.message}", hint=error.hint) from error
    except (TypeError, ValueError, IndexError, OverflowError) as error:
        raise DataError(f"'{name}' (nir {record.kind}) has values of wrong types or shapes: {error}") from error


def _dense(values: Mapping[str, Any], name: str, source: str, shape: Shape, dt: float | None) -> Dense:
    weight = values["weight"]
    if weight.ndim != 2 or len(shape) != 1:
        raise DataError(f"has a weight of shape {weight.shape} for values of shape {shape}, no matrix for a vector")
    bias = values.get("bias")
    if bias is not None and bias.shape != weight.shape[:1]:
        raise DataError(f"has a bias of shape {bias.shape} for {weight.shape[0]} values")
    return Dense(name=name, inputs=(source,), weight=_floats(weight), bias=None if bias is None else _floats(bias))


def _conv(values: Mapping[str, Any], name: str, source: str, shape: Shape, dt: float | None) -> Conv:
    weight = _floats(values["weight"])
    rank = weight.ndim - 2
    if rank not in (1, 2) or weight.size == 0:
        raise DataError(f"has a weight of shape {weight.shape}")
    stride, dilation = (_each(values[key], rank) for key in ("stride", "dilation"))
    bias = _floats(values["bias"])
    if bias.shape != weight.shape[:1]:
        raise DataError(f"has a bias of shape {bias.shape} for {weight.shape[0]} channels")
    return Conv(
        name=name,
        inputs=(source,),
        weight=weight,
        bias=bias.reshape(-1, *[1] * rank),
        stride=stride,
        padding=_padding(values["padding"], weight.shape[2:], dilation),
        dilation=dilation,
        groups=int(_one(values["groups"])),
    )


def _padding(value: Any, kernel: Shape, dilation: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    if isinstance(value, str):
        if value not in ("same", "valid"):
            raise DataError(f"has a padding of '{value}'")
        whole = [d * (k - 1) if value == "same" else 0 for k, d in zip(kernel, dilation, strict=True)]
        return tuple((n // 2, n - n // 2) for n in whole)
    return tuple((n, n) for n in _each(value, len(kernel)))


def _pool(values: Mapping[str, Any], name: str, source: str, shape: Shape, summed: bool) -> AveragePool:
    kernel, stride, padding = (_each(values[key], 2) for key in ("kernel_size", "stride", "padding"))
    pads = tuple((n, n) for n in padding)
    return AveragePool(
        name=name, inputs=(source,), kernel=kernel, stride=stride, padding=pads, count_padding=True, summed=summed
    )


def _scale(values: Mapping[str, Any], name: str, source: str, shape: Shape, dt: float | None) -> Scale:
    gain = _floats(values["scale"])
    if gain.size == 1:
        gain = gain.reshape((1,) * len(shape))
    if gain.shape != shape and gain.size != 1:
        raise DataError(f"has {gain.shape} factors for values of shape {shape}")
    return Scale(name=name, inputs=(source,), gain=gain)


def _flatten(values: Mapping[str, Any], name: str, source: str, shape: Shape, dt: float | None) -> Reshape:
    first, last = int(_one(values["start_dim"])), int(_one(values["end_dim"]))
    first, last = (n + len(shape) if n < 0 else n for n in (first, last))
    if not 0 <= first <= last < len(shape):
        raise DataError(f"flattens axes {first} to {last} of values of shape {shape}")
    flat = (*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :])
    return Reshape(name=name, inputs=(source,), shape=flat)


def _delay(values: Mapping[str, Any], name: str, source: str, shape: Shape, dt: float | None) -> LinearNode:
    times = np.unique(values["delay"])
    if len(times) != 1 or times[0] < 0:
        raise DataError(f"delays each value by a time of its own, from {times.min():g} to {times.max():g}")
    if dt is None:
        raise DataError(f"delays by {times[0]:g}, and nothing says how long a step is", hint="dt=1e-4, for instance")
    steps = round(float(times[0]) / dt)
    if not math.isclose(steps * dt, times[0], rel_tol=1e-6, abs_tol=1e-12) or steps >= 2**20:
        raise DataError(f"delays by {times[0]:g}, which is no number of steps of {dt:g}")
    if steps == 0:
        return Reshape(name=name, inputs=(source,), shape=shape)
    return Delay(name=name, inputs=(source,), steps=steps)


def _floats(value: Any) -> Array:
    return np.asarray(value, np.float64)


def _one(value: Any) -> Any:
    return np.asarray(value).reshape(-1)[0]


def _each(value: Any, rank: int) -> tuple[int, ...]:
    """A whole number for each axis; one alone is for all of them."""
    numbers = np.asarray(value).reshape(-1)
    if len(numbers) not in (1, rank) or np.any(numbers != np.floor(numbers)):
        raise DataError(f"has {numbers.tolist()} for {rank} axes")
    if np.any(numbers > LARGEST):
        raise DataError(f"has {numbers.tolist()}, more than any axis is long")
    return tuple(int(n) for n in np.broadcast_to(numbers, rank))


LINEAR: Mapping[str, Callable[[Mapping[str, Any], str, str, Shape, float | None], LinearNode]] = {
    "Affine": _dense,
    "Linear": _dense,
    "Conv1d": _conv,
    "Conv2d": _conv,
    "SumPool2d": lambda values, name, source, shape, dt: _pool(values, name, source, shape, True),
    "AvgPool2d": lambda values, name, source, shape, dt: _pool(values, name, source, shape, False),
    "Scale": _scale,
    "Flatten": _flatten,
    "Delay": _delay,
}
