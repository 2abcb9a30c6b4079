"""A parsed model against its original: their outputs, for the same samples."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import islice, product
from typing import Any

import numpy as np

from snntoolbox.conversion.lowering.mask_sources import LEAST
from snntoolbox.errors import GraphError
from snntoolbox.frontends.protocol import Doubtful, Frontend, Limits, TakesWholeNumbers
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Array
from snntoolbox.ir.nodes import Elementwise, Input, Softmax
from snntoolbox.ir.nodes.moving import MovingNode

log = logging.getLogger(__name__)

TOLERANCE = 1e-5
"""Largest difference allowed between a parsed graph and its framework, as a share of the output's scale."""

RANGES = ((0.0, 1.0), (-1.0, 1.0), (-10.0, 10.0), (0.0, 255.0))
"""Where random input lies: in the first of these in which outputs tell samples apart."""

MOST_SHARES = 16
"""How often truth values are drawn anew: masks may leave nothing of a row, so that the original gives no numbers."""

CANDIDATES = 64
"""How many samples are drawn of inputs with truth values, of which the first are taken whose masks leave some."""

_BYTE = 255

_TELLING = 100 * TOLERANCE
"""Samples have to be so far apart in an output, as a share of its scale, for its comparison to say much."""

_LEAST_OF_SIGMOIDS = 2.0**-22 / TOLERANCE
"""The scale that makes two roundings of 1 in float32 the difference that is allowed."""

_SAYS_LITTLE = (
    "random input hardly changes the outputs (by %.1g of their scale), whatever its range: that they are the "
    "original's says little of the layers before; compare them on samples of your own"
)


def check_on_random_input(graph: Graph, frontend: Frontend, model: Any, samples: int = 2) -> float:
    """Compare graph and framework on seeded random input; returns the largest difference.

    It lies in the first of `RANGES` in which outputs tell samples apart: rectifiers may all be silent, or a sigmoid 0
    all over, in one and not in another. A warning says where there is none. Inputs of whole numbers get such. Where
    the original gives no numbers, as exp does of large ones in float32, the range that tells next most is taken.
    """
    samples, least = max(samples, 16) if graph.jumps else samples, least_scales(graph)
    limits = _limits(graph, frontend, model)
    for shares in _shares(limits):
        x, outputs, originals = _tried(graph, frontend, model, samples, limits, shares, least)
        if all(np.all(np.isfinite(o)) for o in originals) and np.all(_leave_some(graph, x)):
            break
    values = graph.values(*x) if graph.jumps else {}
    rounded = [values[o] for o in graph.outputs if graph.jumps]
    return compare_outputs(outputs, originals, rounded, doubt_of(frontend), least)


def _tried(
    graph: Graph,
    frontend: Frontend,
    model: Any,
    samples: int,
    limits: Sequence[Limits],
    shares: Sequence[float],
    least: Sequence[float],
) -> tuple[list[Array], list[Array], tuple[Array, ...]]:
    """Random samples, truth values with these shares of ones, and what graph and original make of them."""
    tried: list[tuple[list[Array], list[Array]]] = []  # input and what the graph makes of it
    spread = list[float]()
    for low, high in RANGES:
        generator = np.random.default_rng(0)
        shapes = [(CANDIDATES if (0, 1) in limits else samples, *graph.shapes[i]) for i in graph.inputs]
        each = zip(shapes, limits, shares, strict=True)
        drawn = [_drawn(generator, shape, low, high, whole, share) for shape, whole, share in each]
        x = _chosen(graph, drawn, samples)
        values = graph.values(*(a.astype(np.float64) for a in x))
        tried.append((x, [values[o] for o in graph.outputs]))
        spread.append(_spread(tried[-1][1], least))
        if spread[-1] >= _TELLING:
            break
    else:
        log.warning(_SAYS_LITTLE, max(spread))
    for k in np.argsort(-np.nan_to_num(spread, nan=-1.0), kind="stable"):
        x, outputs = tried[int(k)]
        originals = frontend.predict(model, *x)
        if all(np.all(np.isfinite(o)) for o in originals):
            break
    return x, outputs, originals


def _chosen(graph: Graph, x: Sequence[Array], samples: int) -> list[Array]:
    """The first so many samples in which masks leave something of each row; the first ones where they are too few."""
    if len(x[0]) == samples:
        return list(x)
    kept = np.flatnonzero(_leave_some(graph, x))
    kept = kept[:samples] if len(kept) >= samples else np.arange(samples)
    return [a[kept] for a in x]


def _leave_some(graph: Graph, x: Sequence[Array]) -> Array:
    """In which samples each row of a softmax has something that no mask leaves out.

    Of other rows a framework says 0, or what float32 rounds to beside a large number.
    """
    rows = {n.inputs[0]: n.axis for n in graph.nodes.values() if isinstance(n, Softmax)}
    some = np.ones(len(x[0]), bool)
    for name, values in graph.values(*(a.astype(np.float64) for a in x), keep=rows).items():
        if name in rows:
            most = values.max(rows[name] % (values.ndim - 1) + 1)
            some &= np.all(most > -LEAST, axis=tuple(range(1, most.ndim)))
    return some


def _shares(limits: Sequence[Limits]) -> list[tuple[float, ...]]:
    """Which share of truth values is 1, for each input: a half, then most or few of each, in all combinations."""
    most = [(0.95, 0.05) if whole == (0, 1) else (0.5,) for whole in limits]
    return [(0.5,) * len(limits), *islice(product(*most), MOST_SHARES if (0, 1) in limits else 0)]


def _limits(graph: Graph, frontend: Frontend, model: Any) -> list[Limits]:
    """Which whole numbers each input takes; None for any numbers."""
    limits = frontend.limits(model) if isinstance(frontend, TakesWholeNumbers) else (None,) * len(graph.inputs)
    nodes = [graph.nodes[name] for name in graph.inputs]
    return [(0, 1) if isinstance(n, Input) and n.truths else told for n, told in zip(nodes, limits, strict=True)]


def _drawn(
    generator: np.random.Generator, shape: tuple[int, ...], low: float, high: float, whole: Limits, share: float
) -> Array:
    """Values of this shape from a range; whole numbers, up to what a byte holds, where only such can be given.

    Of truth values a share is 1.
    """
    if whole is None:
        return np.float32(low) + np.float32(high - low) * generator.random(shape, dtype=np.float32)
    if whole == (0, 1):
        return (generator.random(shape) < share).astype(np.float32)
    least, largest = max(whole[0], -_BYTE), min(whole[1], _BYTE)
    return generator.integers(least, largest, shape, endpoint=True).astype(np.float32)


def _spread(outputs: Sequence[Array], least: Sequence[float]) -> float:
    """How far samples are apart in the output where they are least, as a share of its scale."""
    scales = [max(float(np.abs(o).max(initial=0.0)), floor) or 1.0 for o, floor in zip(outputs, least, strict=True)]
    return min(float(np.ptp(o, axis=0).max(initial=0.0)) / s for o, s in zip(outputs, scales, strict=True))


def least_scales(graph: Graph) -> list[float]:
    """For each output what its scale is at least: a sigmoid is computed to a rounding of 1, however small it is."""
    return [_LEAST_OF_SIGMOIDS if _is_sigmoid(graph, name) else 0.0 for name in graph.outputs]


def _is_sigmoid(graph: Graph, name: str) -> bool:
    node = graph.nodes[name]
    while isinstance(node, MovingNode) and len(node.inputs) == 1:
        node = graph.nodes[node.inputs[0]]
    return isinstance(node, Elementwise) and node.function == "sigmoid"


DEFECT = "this is a defect of snntoolbox: please report the model; nothing was converted"


def doubt_of(frontend: Frontend | None) -> str:
    """What to think where a graph differs from the original that a frontend has."""
    return frontend.doubt if isinstance(frontend, Doubtful) else DEFECT


def compare_outputs(
    outputs: Sequence[Array],
    originals: Sequence[Array],
    rounded: Sequence[Array] = (),
    doubt: str = DEFECT,
    least: Sequence[float] = (),
) -> float:
    """The largest difference as a share of each output's scale (its largest absolute value); GraphError above 1e-5.

    `least` is what these scales are at least, see `least_scales`.

    GraphError also where the original itself gives what is no finite number.

    In a quantised network (`Graph.jumps`) a rounding error of float32 can change a value by a whole level. There
    `rounded` is what the graph gives in float32, and it is enough that the better quarter of the samples differs by
    at most 1e-5, or by four times what that rounding changes in three of four; that difference is returned.
    """
    comparison = Comparison(doubt, least)
    comparison.add(outputs, originals, rounded)
    return comparison.difference()


class Comparison:
    """The outputs of a parsed model against the original's, batch by batch; see `compare_outputs`.

    Of the samples it keeps nothing, but where there are rounded outputs how far each one is apart. `least` is what
    the scale of each output is at least, see `least_scales`.
    """

    def __init__(self, doubt: str = DEFECT, least: Sequence[float] = ()) -> None:
        self.doubt, self.least = doubt, least
        self._scales: list[float] = []
        self._largest: list[float] = []
        self._apart: list[list[Array]] = []
        self._by_rounding: list[list[Array]] = []

    def add(self, outputs: Sequence[Array], originals: Sequence[Array], rounded: Sequence[Array] = ()) -> None:
        """Take in a batch; GraphError where outputs cannot be compared."""
        if len(outputs) != len(originals):
            raise GraphError(f"the parsed model has {len(outputs)} outputs, the original {len(originals)}")
        for kept, empty in ((self._scales, 0.0), (self._largest, 0.0)):
            kept.extend([empty] * (len(outputs) - len(kept)))
        for i, (ours, theirs) in enumerate(zip(outputs, originals, strict=True)):
            if ours.size != theirs.size:
                raise GraphError(f"the parsed model's output has shape {ours.shape}, the original's {theirs.shape}")
            if not np.all(np.isfinite(theirs)):
                raise GraphError(
                    "the original model gives NaN or infinite outputs for these samples",
                    hint="sums of such data are beyond its float32's range: scale the data down, as it was trained",
                )
            apart = _distances(ours, theirs)
            self._scales[i] = max(self._scales[i], float(np.abs(theirs).max(initial=0.0)))
            self._largest[i] = float(np.maximum(self._largest[i], apart.max(initial=0.0)))  # keeps NaN
            if rounded:
                self._keep(i, apart, _distances(ours, rounded[i]))

    def _keep(self, output: int, apart: Array, by_rounding: Array) -> None:
        for kept, values in ((self._apart, apart), (self._by_rounding, by_rounding)):
            if output == len(kept):
                kept.append([])
            kept[output].append(values)

    def difference(self) -> float:
        """The largest of all batches so far; GraphError where it is too large."""
        worst = 0.0
        for i, largest in enumerate(self._largest):
            scale = max(self._scales[i], self.least[i] if self.least else 0.0) or 1.0
            difference, allowed = largest / scale, TOLERANCE
            if self._apart and difference > TOLERANCE:
                apart, by_rounding = (np.concatenate(kept[i]) for kept in (self._apart, self._by_rounding))
                difference = float(np.quantile(apart, 0.25)) / scale
                allowed = max(TOLERANCE, 4 * float(np.quantile(by_rounding, 0.75)) / scale)
            if not difference <= allowed:  # NaN is no agreement
                raise GraphError(
                    f"the parsed model differs from the original by {difference:.2g} of the output's scale",
                    hint=self.doubt,
                )
            worst = max(worst, difference)
        return worst


def _distances(ours: Array, theirs: Array) -> Array:
    """The largest difference of two outputs, for each sample."""
    return np.asarray(np.abs(ours.reshape(theirs.shape) - theirs).reshape(len(theirs), -1).max(axis=1))
