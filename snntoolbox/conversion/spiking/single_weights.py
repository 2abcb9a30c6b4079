"""The wiring of one target with exactly one set of weights on every path, so that rounding these rounds the map."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from snntoolbox.conversion.exact.drop_identities import DropIdentities
from snntoolbox.conversion.exact.fold_scales import FoldScales
from snntoolbox.conversion.spiking.own_grids import own_steps
from snntoolbox.errors import ConversionError
from snntoolbox.ir.circuit import Circuit, Projection
from snntoolbox.ir.encodings import ConstantCurrent
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array, LinearNode, Node
from snntoolbox.ir.nodes import Add, AveragePool, Conv, Delay, Dense, Input, Mean, Scale, Sparse
from snntoolbox.ir.paths import paths


def distributed(projections: Sequence[Projection], name: str) -> Graph | None:
    """The sum of projections, named so, as a sum of paths without branches; None where they are too many."""
    nodes: dict[str, Node] = {}
    ends: list[str] = []
    for projection in projections:
        apart = paths(_undivided(projection.map))
        if apart is None:
            return None
        begin = _begin(projection, nodes)
        for path in apart:
            last = begin
            for node in path.nodes:
                moved = node.renamed(f"{node.name}/{name}{len(ends)}").with_inputs(last)
                nodes[moved.name], last = moved, moved.name
            ends.append(last)
    return Graph([*nodes.values(), Add(name=name, inputs=tuple(ends))], [name])


def _begin(projection: Projection, nodes: dict[str, Node]) -> str:
    """The name of a projection's spikes when they arrive: its source or a delay behind it, which `nodes` gets."""
    source, lag = projection.source, projection.lag
    nodes[source] = Input(name=source, shape=projection.map.shapes[source])
    if not lag:
        return source
    name = f"{source}>{lag}"
    nodes[name] = Delay(name=name, inputs=(source,), steps=lag)
    return name


_LARGEST_MATRIX = 50_000_000


class SingleWeights:
    """The wiring of one target alone; where paths have several sets of weights, or none, they are composed.

    The spikes of sources in `gains` stand for so much more.
    """

    def __init__(
        self, network: SpikingNetwork, target: str, current: str, gains: Mapping[str, Array] | None = None
    ) -> None:
        self.network = network
        self.target = target
        self.alone = _alone(network.wiring, current, gains or {})
        self.graph = self._simplified(_undivided(self.alone))
        if not _one_weight_per_path(self.graph):
            self.graph = self._distributed() or self._composed()

    @staticmethod
    def _simplified(graph: Graph) -> Graph:
        return DropIdentities()(FoldScales()(graph))

    def _projections(self) -> Sequence[Projection]:
        """Those to this target, by the wiring of it alone."""
        end = {self.target: self.alone.outputs[0]}
        return Circuit(wiring=self.alone, inputs=self.alone.inputs, populations={}, readouts=end).projections

    def _distributed(self) -> Graph | None:
        """Each path with its own weights, a convolution staying one; None where that is not one set a path."""
        graph = distributed(self._projections(), f"{self.target}<")
        graph = None if graph is None else self._simplified(graph)
        return graph if graph is not None and _one_weight_per_path(graph) else None

    def _composed(self) -> Graph:
        """One sparse matrix per source, summed."""
        projections = self._projections()
        nodes: dict[str, Node] = {}
        for projection in projections:
            source, shape = projection.source, projection.map.shapes[projection.map.outputs[0]]
            matrix = projection.synapses()
            if matrix.nnz > _LARGEST_MATRIX:
                raise ConversionError(
                    f"its linear maps in a row make {matrix.nnz:,} synapses, too many to quantise",
                    layer=self.target,
                    hint="put a rectifier between the layers, or weight_bits = 0",
                )
            begin = _begin(projection, nodes)
            name = f"{self.target}<{begin}"
            shapes = (projection.map.shapes[source], shape)
            nodes[name] = Sparse(name=name, inputs=(begin,), matrix=matrix, shape_in=shapes[0], shape_out=shapes[1])
        total = Add(name=f"{self.target}<", inputs=tuple(n.name for n in nodes.values() if isinstance(n, Sparse)))
        return DropIdentities()(Graph([*nodes.values(), total], [total.name]))

    def analogue(self, graph: Graph) -> set[str]:
        """Nodes that only inputs coded as constant current reach: the host computes them, unrounded."""
        constant = {n for n, e in self.network.encodings.items() if isinstance(e, ConstantCurrent)}
        analogue: set[str] = set()
        for name, node in graph.nodes.items():
            if name in constant or (node.inputs and all(i in analogue for i in node.inputs)):
                analogue.add(name)
        return analogue

    def peak(self) -> Array:
        """For each of the target's neurons the largest |weight| of its incoming synapses, full shape."""
        analogue, peaks = self.analogue(self.graph), dict[str, Array | None]()
        for name, node in self.graph.nodes.items():
            incoming = [peaks[i] for i in node.inputs]
            if name in analogue or isinstance(node, Input):
                peaks[name] = None
            elif isinstance(node, LinearNode) and node.weights is not None:
                peaks[name] = np.broadcast_to(_row_peaks(node), self.graph.shapes[name])
            else:
                peaks[name] = _carried(node, incoming, self.graph.input_shapes(name))
        end = self.graph.outputs[0]
        peak = peaks[end]
        return np.zeros(self.graph.shapes[end]) if peak is None else peak

    def channel_peaks(self) -> Array:
        """For each channel of the target the largest |weight| into it, of the target's rank."""
        return _by_channel(self.peak())

    def own_steps(self, largest: int) -> Array:
        """For each channel of the target the step of the grid that its weights lie on as they are, of its rank; else 0.

        They are whole numbers of such steps, up to `largest`, and no weight lies beside those of spikes.
        """
        end, analogue = self.graph.outputs[0], self.analogue(self.graph)
        shape = (*self.graph.shapes[end][:1], *[1] * (len(self.graph.shapes[end]) - 1))
        if analogue:
            return np.zeros(shape)
        # Of all that is added up in a channel the largest step and the smallest, by its inverse: they must be one.
        carried: list[dict[str, Array | None]] = [{}, {}]
        for name, node in self.graph.nodes.items():
            for inverse, values in enumerate(carried):
                if isinstance(node, Input):
                    values[name] = None
                elif isinstance(node, LinearNode) and node.weights is not None:
                    steps = own_steps(node, largest)
                    used = steps > 0
                    steps = np.divide(1.0, steps, out=np.zeros_like(steps), where=used) if inverse else steps
                    values[name] = np.broadcast_to(steps, self.graph.shapes[name])
                else:
                    values[name] = _carried(node, [values[i] for i in node.inputs], self.graph.input_shapes(name))
        most, inverses = (np.zeros(shape) if (v := values[end]) is None else _by_channel(v) for values in carried)
        with np.errstate(invalid="ignore"):
            alike = np.isfinite(most) & (most * inverses <= 1 + 1e-6)
        return np.where(alike, most, 0.0)

    def scaled(self, factor: Array, nodes: dict[str, Node]) -> str:
        """Add the part to `nodes` with its weights times `factor`, rounded; returns the end's name."""
        end = self.graph.outputs[0]
        final = Scale(name=f"{self.target}<grid", inputs=(end,), gain=factor)
        graph = FoldScales()(self.graph.edited([final], outputs=[final.name]))
        if not _one_weight_per_path(graph):
            if any(isinstance(n, Sparse) for n in self.graph.nodes.values()):
                raise ConversionError("its thresholds cannot be folded into its weights", layer=self.target)
            self.graph = self._composed()
            return self.scaled(factor, nodes)
        analogue = self.analogue(graph)
        names = {n: n if isinstance(node, Input) else f"{n}@{self.target}" for n, node in graph.nodes.items()}
        for name, node in graph.nodes.items():
            if isinstance(node, Input):
                continue
            rounded = node if name in analogue else _rounded(node)
            nodes[names[name]] = rounded.renamed(names[name]).with_inputs(*(names[i] for i in node.inputs))
        return names[graph.outputs[0]]


def _by_channel(values: Array) -> Array:
    """The largest of each channel."""
    return np.asarray(values.max(axis=tuple(range(1, values.ndim)), keepdims=True))


def _alone(wiring: Graph, current: str, gains: Mapping[str, Array]) -> Graph:
    """The part of the wiring that one current depends on, with gains behind its sources."""
    alone = Graph([wiring.nodes[name] for name in wiring.above([current])], [current])
    raised = [Scale(name=f"{name}*", inputs=(name,), gain=gains[name]) for name in alone.inputs if name in gains]
    return alone.edited(raised, redirect={s.inputs[0]: s.name for s in raised}) if raised else alone


def _undivided(graph: Graph) -> Graph:
    """Averages as sums with the divisor in a scale behind them, and coefficients of sums in scales before them."""
    changed: list[Node] = []
    redirect: dict[str, str] = {}

    def behind(node: Node, gain: Array) -> None:
        scale = Scale(name=f"{node.name}/divided", inputs=(node.name,), gain=gain, origin=node.origin)
        changed.extend((node, scale))
        redirect[node.name] = scale.name

    for name, node in graph.nodes.items():
        rank = len(graph.shapes[name])
        if isinstance(node, AveragePool) and not node.summed:
            divisor = node.divisor(graph.input_shapes(name)[0][1:])[None]
            same = divisor.min() == divisor.max()
            behind(replace(node, summed=True), 1 / (np.full((1,) * rank, divisor.min()) if same else divisor))
        elif isinstance(node, Mean) and not node.summed:
            behind(replace(node, summed=True), np.full((1,) * rank, 1 / node.divisor(graph.input_shapes(name)[0])))
        elif isinstance(node, Add) and any(f != 1 for f in node.factors):
            sources = []
            for k, (source, factor) in enumerate(zip(node.inputs, node.factors, strict=True)):
                scale = Scale(name=f"{name}<<{k}", inputs=(source,), gain=np.full((1,) * rank, factor))
                changed.append(scale)
                sources.append(scale.name)
            changed.append(replace(node, inputs=tuple(sources), coefficients=None))
    if not changed:
        return graph
    # `edited` leaves the changed nodes' inputs alone: those that read a divided node are pointed to its scale here.
    scales = set(redirect.values())
    pointed = [n if n.name in scales else n.with_inputs(*(redirect.get(i, i) for i in n.inputs)) for n in changed]
    return graph.edited(pointed, redirect=redirect)


def _one_weight_per_path(graph: Graph) -> bool:
    """Whether every path from an input to the output passes exactly one node with weights."""
    counts: dict[str, set[int]] = {}
    for name, node in graph.nodes.items():
        own = int(isinstance(node, LinearNode) and node.weights is not None)
        counts[name] = {own + c for i in node.inputs for c in counts[i]} if node.inputs else {0}
    return counts[graph.outputs[0]] == {1}


def _row_peaks(node: LinearNode) -> Array:
    """The largest |weight| into each output, in a shape that broadcasts to the output's."""
    if isinstance(node, Conv):
        peaks = np.abs(node.weight).max(axis=tuple(range(1, node.weight.ndim)))
        return np.asarray(peaks.reshape(-1, *[1] * (node.weight.ndim - 2)))
    if isinstance(node, Dense):
        rows = np.abs(node.weight).max(axis=1)
        return rows if node.axis == -1 else np.asarray(rows.max())
    if isinstance(node, Scale):
        return np.abs(node.gain)
    assert isinstance(node, Sparse)
    return np.asarray(abs(node.matrix).max(axis=1).toarray()).reshape(node.shape_out)


def _carried(node: Node, peaks: Iterable[Array | None], shapes: Iterable[tuple[int, ...]]) -> Array | None:
    """Peaks behind a node without weights: moved like the values, the largest where values are summed."""
    assert isinstance(node, LinearNode)
    arrays = [np.zeros(s) if p is None else p for p, s in zip(peaks, shapes, strict=True)]
    if not any(np.any(a) for a in arrays):
        return None
    if isinstance(node, Add):
        return np.asarray(np.maximum.reduce(arrays))
    carried = np.asarray(node.linear(*(a[None] for a in arrays))[0])
    if isinstance(node, (AveragePool, Mean)):
        carried = np.full_like(carried, max(a.max() for a in arrays))
    return carried


def _rounded(node: Node) -> Node:
    if isinstance(node, (Conv, Dense)):
        return replace(node, weight=np.rint(node.weight))
    if isinstance(node, Scale):
        return replace(node, gain=np.rint(node.gain))
    if isinstance(node, Sparse):
        matrix = node.matrix.copy()
        matrix.data = np.rint(matrix.data)
        matrix.eliminate_zeros()
        return replace(node, matrix=matrix)
    return node
