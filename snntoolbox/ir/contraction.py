"""Which values of two maps are multiplied and summed: a product of two stacks of matrices."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

from snntoolbox.ir.node import Shape


@dataclass(frozen=True)
class Contraction:
    """``y[s, a, b] = sum_k c[s, a, k] o[s, b, k]``, c and o the two factors of a product.

    So y is ``stack`` products ``c o^T`` of ``rows`` by ``columns`` values, each a sum of ``terms``. Its shape is
    (stack * rows, columns): the rows are its channels. Those are the rows of the second factor, or with `first` those
    of the first; the columns are the rows of the other one. Factors have the shapes (stack * rows, terms) and
    (stack * columns, terms).
    """

    stack: int
    rows: int
    columns: int
    terms: int
    first: bool = False

    def __post_init__(self) -> None:
        if min(self.stack, self.rows, self.columns, self.terms) < 1:
            raise ValueError(f"sums of {self.terms} products in {self.stack} x {self.rows} x {self.columns}")

    @property
    def shape(self) -> Shape:
        """The shape of the sums."""
        return (self.stack * self.rows, self.columns)

    @property
    def factors(self) -> tuple[Shape, Shape]:
        """The shapes of the two factors."""
        own, other = (self.stack * self.rows, self.terms), (self.stack * self.columns, self.terms)
        return (own, other) if self.first else (other, own)

    @property
    def swapped(self) -> Self:
        """The same sums of factors that come the other way round."""
        return replace(self, first=not self.first)

    def of(self, one: Any, other: Any) -> Any:
        """The sums (samples, *shape) of factors (samples, *factors), arrays or tensors."""
        own, second = (one, other) if self.first else (other, one)
        left = own.reshape(-1, self.stack, self.rows, self.terms)
        right = second.reshape(-1, self.stack, self.columns, self.terms).swapaxes(-1, -2)
        return (left @ right).reshape(-1, *self.shape)

    def channels_of(self, factor: int) -> bool:
        """Whether the channels of the sums are the rows of the first (0) or the second (1) factor."""
        return self.first == (factor == 0)
