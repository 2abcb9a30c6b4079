"""The rectified value of a smooth function, which neurons with a table send."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from snntoolbox.ir.node import Array, Shape
from snntoolbox.ir.nodes.elementwise import EXPONENTIAL, FUNCTIONS
from snntoolbox.ir.nodes.nonlinear import ReLU

SMALLEST = 1e-30
"""Far below the mean square of any values that matter, and a float32."""

TABULATED: Mapping[str, Callable[[Array], Array]] = {
    **FUNCTIONS,
    **EXPONENTIAL,
    "inverse": lambda x: 1 / np.maximum(x, 1.0),
    "square": lambda x: x * x,
    "inverse_root": lambda x: 1 / np.sqrt(np.maximum(x, SMALLEST)),
}
"""The functions that tables have: the smooth ones, and what softmax and normalisation are made of.

The inverse is that from 1 on, the inverse of the root that from `SMALLEST` on.
"""


@dataclass(frozen=True, eq=False, kw_only=True)
class Tabulated(ReLU):
    """``max(f(x), 0)`` for each value, f being one of `TABULATED`, or ``max(-f(x), 0)`` where `sign` is -1.

    No input is above `most`, but for rounding. Its neurons round to the nearest level; where several say a value
    together, each in a table of its own that is shifted by a part of a level.
    """

    function: str
    sign: int = 1
    most: float | None = None

    @property
    def of_input(self) -> bool:
        """It rectifies the function."""
        return False

    @property
    def of_own_size(self) -> bool:
        """Whether its values are large or small whatever size others have: squares, and what divides by a root."""
        return self.function in ("square", "inverse_root")

    def output_shape(self, *shapes: Shape) -> Shape:
        """The input's shape."""
        if self.function not in TABULATED:
            raise self.misfit(f"there is no function '{self.function}'")
        if self.sign not in (1, -1):
            raise self.misfit(f"its sign {self.sign} is neither 1 nor -1")
        return super().output_shape(*shapes)

    def apply(self, *values: Array) -> Array:
        """The rectified function of the batch, in its floating type."""
        (x,) = values
        found = np.asarray(TABULATED[self.function](x))
        return super().apply(self.sign * found.astype(np.result_type(x.dtype, np.float32), copy=False))

    def bounds(self, low: Array, high: Array) -> tuple[Array, Array]:
        """The least and largest value for inputs between; no function turns more than once."""
        ends = self.apply(low), self.apply(high)
        turn = self.apply(np.clip(lowest(self.function), low, high))
        return np.minimum.reduce([*ends, turn]), np.maximum.reduce([*ends, turn])


@cache
def lowest(function: str) -> float:
    """Where a function is least, as far as it is not flat."""
    x = np.linspace(-12, 12, 24001)
    return float(x[np.argmin(TABULATED[function](x))])
