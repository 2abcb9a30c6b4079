"""Smooth activation functions, which have no exact spiking form: an approximation must be asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import erf, expit

from snntoolbox.ir.node import Array, Node, Shape
from snntoolbox.ir.ways_out import WINDOWS


def _gelu_tanh(x: Array) -> Array:
    return np.asarray(0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))))


def _softplus(x: Array) -> Array:
    return np.asarray(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))


def _elu(x: Array) -> Array:
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


FUNCTIONS: Mapping[str, Callable[[Array], Array]] = {
    "sigmoid": expit,
    "tanh": np.tanh,
    "erf": erf,
    "gelu": lambda x: 0.5 * x * (1 + erf(x / np.sqrt(2))),
    "gelu_tanh": _gelu_tanh,
    "silu": lambda x: x * expit(x),
    "mish": lambda x: x * np.tanh(_softplus(x)),
    "elu": _elu,
    "selu": lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0))),
    "softplus": _softplus,
    "hard_swish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
}
"""Each function by its name; on the left all are flat in the end, on the right flat or straight."""

EXPONENTIAL: Mapping[str, Callable[[Array], Array]] = {"exp": lambda x: np.exp(np.minimum(x, 80.0))}
"""What no line follows: it has tables alone, and beyond the largest float32 goes on flat."""

KINKS: Mapping[str, tuple[float, ...]] = {"selu": (0.0,), "hard_swish": (-3.0, 3.0)}
"""Where a function's slope jumps."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Elementwise(Node):
    """``f(x)`` for each value, f being one of `FUNCTIONS`, or the exponential one."""

    function: str

    @property
    def why_not_exact(self) -> str:
        """Why a conversion refuses it, and what allows it."""
        if self.function in EXPONENTIAL:
            return f"{self.function} has no exact spiking form; {WINDOWS} makes a table of it"
        hint = f"[conversion] approximate = {self.function} asks for line segments"
        return f"{self.function} has no exact spiking form; {hint}, {WINDOWS} makes a table of it"

    def output_shape(self, *shapes: Shape) -> Shape:
        """The input's shape."""
        if self.function not in {**FUNCTIONS, **EXPONENTIAL}:
            raise self.misfit(f"there is no function '{self.function}'")
        return self.one(shapes)

    def apply(self, *values: Array) -> Array:
        """The function of the batch, in its floating type."""
        (x,) = values
        function = EXPONENTIAL.get(self.function) or FUNCTIONS[self.function]
        return np.asarray(function(x)).astype(x.dtype, copy=False)
