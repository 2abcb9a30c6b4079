"""Lowers max pooling to rectifiers and linear maps: ``max(a, b) = b + relu(a - b)``, as a balanced tree per axis."""

from __future__ import annotations

from dataclasses import dataclass

from snntoolbox.ir.editing import Editing
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Node
from snntoolbox.ir.nodes import Add, MaxPool, ReLU, Take

FEW = 4
"""Of the taps of one window along an axis: more are compared as halves, a layer of rectifiers for each level."""


@dataclass(frozen=True)
class MaxPoolTree:
    """Every `MaxPool` becomes a tree of comparisons; exact, for values of any sign.

    A maximum over a window is a maximum over rows of maxima over columns. Along one axis the taps of all windows are
    strided slices, or where there is one window halves of it; a tap on padding repeats the nearest valid tap of its
    window, which leaves the maximum as it is. Put in before calibration, so that each comparing rectifier gets its own
    threshold. `only` names the pools to lower; None is all.
    """

    only: frozenset[str] | None = None

    def __call__(self, graph: Graph) -> Graph:
        """The same function without `MaxPool`."""
        editing = Editing(graph)
        for name in list(editing.nodes):
            pool = editing.nodes[name]
            if isinstance(pool, MaxPool) and self._lowers(pool):
                tree = _Tree(editing, pool)
                result = tree.build()
                editing.edit(tree.nodes.values(), redirect={name: result})
        return editing.graph()

    def _lowers(self, pool: MaxPool) -> bool:
        return self.only is None or pool.name in self.only


class _Tree:
    """The nodes that replace one pool."""

    def __init__(self, graph: Editing, pool: MaxPool) -> None:
        self.graph = graph
        self.pool = pool
        self.nodes: dict[str, Node] = {}

    def build(self) -> str:
        """The name of the node that has the pooled value."""
        value = self.pool.inputs[0]
        space = self.graph.shapes[value][1:]
        windows = self.graph.shapes[self.pool.name][1:]
        for i in reversed(range(len(space))):
            taps = self._taps(i, space[i], windows[i])
            if windows[i] == 1 and len(taps) > FEW:
                value = self._halved(value, i + 1, [place for (place,) in taps])
                continue
            level = [self._add(Take, "tap", (value,), axis=i + 1, indices=t) for t in taps]
            while len(level) > 1:
                pairs = [self._larger(*level[j : j + 2]) for j in range(0, len(level) - 1, 2)]
                level = pairs + level[len(pairs) * 2 :]
            value = level[0]
        return value

    def _halved(self, value: str, axis: int, places: list[int]) -> str:
        """The maximum of these places of an axis: of its halves, value by value, until one is left.

        Where their number is odd the one in the middle is in both halves.
        """
        while len(places) > 1:
            half = -(-len(places) // 2)
            one, other = (
                self._add(Take, "half", (value,), axis=axis, indices=tuple(part))
                for part in (places[:half], places[-half:])
            )
            value, places = self._larger(one, other), list(range(half))
        return value

    def _taps(self, i: int, size: int, windows: int) -> list[tuple[int, ...]]:
        """For each tap of the kernel along spatial axis i its position in every window; repeated taps left out."""
        k, s, d = self.pool.kernel[i], self.pool.stride[i], self.pool.dilation[i]
        before = self.pool.padding[i][0]
        columns = []
        for w in range(windows):
            inside = [p for p in (w * s - before + t * d for t in range(k)) if 0 <= p < size]
            if not inside:
                raise self.pool.misfit("a window lies on padding alone, which has no maximum")
            # A tap in front of the input takes the first one inside, one behind it the last.
            early = sum(1 for t in range(k) if w * s - before + t * d < 0)
            late = k - early - len(inside)
            columns.append([inside[0]] * early + inside + [inside[-1]] * late)
        rows = [tuple(column[t] for column in columns) for t in range(k)]
        return list(dict.fromkeys(rows))

    def _larger(self, a: str, b: str) -> str:
        """``b + relu(a - b)``."""
        difference = self._add(Add, "difference", (a, b), coefficients=(1.0, -1.0))
        excess = self._add(ReLU, "larger", (difference,))
        return self._add(Add, "max", (b, excess))

    def _add(self, kind: type[Node], stem: str, inputs: tuple[str, ...], **fields: object) -> str:
        name = self.graph.fresh(f"{self.pool.name}.{stem}", self.nodes)
        self.nodes[name] = kind(name=name, inputs=inputs, origin=self.pool.origin, **fields)
        return name
