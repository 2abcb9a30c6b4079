"""Several tables in the place of one, for values that many products have in common: they are finer than its levels."""

from __future__ import annotations

from collections.abc import Iterator

from snntoolbox.ir.editing import Editing
from snntoolbox.ir.node import Node, Origin
from snntoolbox.ir.nodes import Add, Tabulated

COMMON = 4
"""How many tables share the factor of a row."""


def finer(
    editing: Editing,
    name: str,
    source: str,
    function: str,
    copies: int,
    origin: Origin | None,
    most: float | None = None,
) -> Iterator[Node]:
    """The mean of several tables of a function, which round at places of their own; all of them are one function."""
    tables: list[str] = []
    for k in range(copies):
        tables.append(editing.fresh(f"{name}.{k + 1}"))
        shift = (k + 0.5) / copies - 0.5
        yield Tabulated(
            name=tables[-1], inputs=(source,), function=function, shift=shift, most=most, origin=origin
        )
    yield Add(name=name, inputs=tuple(tables), coefficients=(1 / copies,) * copies, origin=origin)
