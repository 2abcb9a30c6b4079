"""Puts a spiking network on the integer grid, so that every target computes the same sums exactly.

Per output channel c the threshold becomes an integer theta_c and every incoming weight round(theta_c w). Choosing the
threshold first keeps it exact: theta_c = floor((2^(bits-1) - 1) / max|w|). Bias and start potential are rounded to the
same grid; pooling divisors are moved into the weights.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from snntoolbox.errors import ConversionError, Unsupported, UnsupportedError
from snntoolbox.ir.encodings import ConstantCurrent
from snntoolbox.ir.graph import Graph, needed
from snntoolbox.ir.network import Grid, Population, Readout, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array, LinearNode, Node
from snntoolbox.ir.nodes import Add, AveragePool, Conv, Dense, Input, Mean, Scale, Sparse
from snntoolbox.passes.distribute import distributed
from snntoolbox.passes.drop_identities import DropIdentities
from snntoolbox.passes.fold_scales import FoldScales
from snntoolbox.passes.raise_scales import raise_scales

log = logging.getLogger(__name__)

_LARGEST_THRESHOLD = 2**20
_LARGEST_MATRIX = 50_000_000


@dataclass(frozen=True)
class Quantize:
    """The pass: `weight_bits` from 2 to 16, sign included. Not exact: the rounded network is another network.

    Every path from a source to a target must carry exactly one set of weights; where two follow one another, or none
    stands on a path, the map is composed to one sparse matrix first.
    """

    weight_bits: int = 8

    @property
    def limit(self) -> int:
        """The largest weight, 2^(bits-1) - 1."""
        return int(2 ** (self.weight_bits - 1) - 1)

    def __call__(self, network: SpikingNetwork) -> SpikingNetwork:
        """The network on the grid."""
        return self.placed(self.fitting(network))

    def placed(self, network: SpikingNetwork) -> SpikingNetwork:
        """A network whose scales fit (`fitting`) on the grid."""
        nodes: dict[str, Node] = {n: network.wiring.nodes[n] for n in network.wiring.inputs}
        populations = [self._population(network, p, nodes) for p in network.populations.values()]
        readouts = [self._readout(network, r, nodes) for r in network.readouts]
        ends = [p.current for p in populations] + [r.current for r in readouts]
        wiring = Graph(nodes.values(), ends, name=network.name)
        placed = network.replaced(wiring=wiring, populations=populations, readouts=readouts)
        return bounded_anew(placed.replaced(grid=Grid(weight_bits=self.weight_bits, start=0, growth=0)))

    def fitting(self, network: SpikingNetwork) -> SpikingNetwork:
        """The network with higher scales where a weight is more thresholds than the largest integer: still exact.

        ConversionError or UnsupportedError for bits and neurons that have no grid. A channel that is raised is small
        beside those that feed it. It loses some of its resolution at few steps and becomes larger for those that it
        feeds, which come later and so are looked at later.
        """
        if not 2 <= self.weight_bits <= 16:
            raise ConversionError(f"weight_bits = {self.weight_bits} is not from 2 to 16")
        _check_neurons(network)
        raised: list[str] = []
        unbounded: list[str] = []
        for name in [n for n in network.order if n in network.populations]:
            population = network.populations[name]
            if not isinstance(population.neuron, IF):
                continue
            peaks = _channel_peaks(_Part(network, name, population.current))
            if np.any(peaks > self.limit):
                network = raise_scales(network, {name: np.maximum(peaks / self.limit, 1.0)})
                raised.append(f"{population.label} ({int((peaks > self.limit).sum())} of {peaks.size} channels)")
                if _above_bound(network.populations[name]):
                    unbounded.append(population.label)
        if raised:
            log.warning(
                "weights above %d thresholds: %s spike less often, so that they fit %d bits",
                self.limit,
                ", ".join(raised),
                self.weight_bits,
            )
        if unbounded:
            log.warning(
                "the upper bound of %s no longer holds where one spike per step stands for more: more bits keep it",
                ", ".join(unbounded),
            )
        return network

    def _population(self, network: SpikingNetwork, population: Population, nodes: dict[str, Node]) -> Population:
        if not isinstance(population.neuron, IF):
            return population
        part = _Part(network, population.name, population.current)
        channels = _channel_peaks(part)
        # Without incoming spikes only the rounding of the input current counts: a finer grid costs no weights.
        spare = float(2 ** (self.weight_bits + 2))
        with np.errstate(divide="ignore"):
            # A raised channel fits to within rounding.
            theta = np.where(channels > 0, np.floor(self.limit / channels * (1 + 1e-12)), spare)
        theta = np.minimum(theta, _LARGEST_THRESHOLD)
        current = part.scaled(theta, nodes)
        neuron = replace(
            population.neuron,
            threshold=theta,
            initial=np.rint(population.neuron.initial * theta),
            reset_potential=float(np.rint(population.neuron.reset_potential)),
        )
        bias = None if population.bias is None else np.rint(population.bias * theta)
        pulses = {step: np.rint(pulse * theta) for step, pulse in population.pulses.items()}
        return replace(population, neuron=neuron, current=current, bias=bias, pulses=pulses)

    def _readout(self, network: SpikingNetwork, readout: Readout, nodes: dict[str, Node]) -> Readout:
        part = _Part(network, readout.name, readout.current)
        peak = float(part.peak().max())
        factor = self.limit / peak if peak else float(2 ** (self.weight_bits + 2))
        current = part.scaled(np.full((1,) * len(readout.shape), factor), nodes)
        bias = None if readout.bias is None else np.rint(readout.bias * factor)
        return replace(readout, current=current, bias=bias, scale=readout.scale / factor)


def _channel_peaks(part: _Part) -> Array:
    """For each channel of the target the largest |weight| into it, of the target's rank."""
    peak = part.peak()
    return np.asarray(peak.max(axis=tuple(range(1, peak.ndim)), keepdims=True))


def _above_bound(population: Population) -> bool:
    """Whether a neuron can say more than the upper bound of the rectifier that it stands for."""
    return population.bound is not None and bool(np.any(population.scale > population.bound * (1 + 1e-9)))


def bounded_anew(network: SpikingNetwork) -> SpikingNetwork:
    """A network with the bounds of its potentials on the grid found anew, after biases or start potentials changed."""
    if network.grid is None:
        return network
    populations = network.populations.values()
    start = max((_apart_from_steps(p) for p in populations if isinstance(p.neuron, IF)), default=0)
    growth = max((float(g.max()) for g in _growth(network)), default=0.0)
    return network.replaced(grid=replace(network.grid, start=int(start), growth=int(np.ceil(growth))))


def _if(population: Population) -> IF:
    assert isinstance(population.neuron, IF)
    return population.neuron


def _apart_from_steps(population: Population) -> float:
    """The largest |V| that the start and all pulses make together."""
    pulses = sum(float(np.abs(pulse).max()) for pulse in population.pulses.values())
    return float(np.abs(_if(population).initial).max()) + pulses


def _check_neurons(network: SpikingNetwork) -> None:
    offenders = []
    for population in network.populations.values():
        neuron = population.neuron
        if isinstance(neuron, IF) and neuron.leak != 1:
            offenders.append(Unsupported(population.label, "a leak, which leaves the integer grid"))
        if isinstance(neuron, IF) and neuron.reset_potential != 0:
            offenders.append(Unsupported(population.label, "a reset potential other than 0"))
        if isinstance(neuron, IF) and neuron.saturation is not None:
            offenders.append(Unsupported(population.label, "potentials that saturate, which may come after it alone"))
        if isinstance(neuron, IF) and any(level != int(level) for level in neuron.levels):
            offenders.append(Unsupported(population.label, "spikes that carry fractions of a threshold"))
    if offenders:
        hint = "weight_bits = 0, or leak = False, v_reset = 0, and whole levels"
        raise UnsupportedError("quantisation", offenders, hint=hint)


class _Part:
    """The wiring of one target alone, with one set of weights on every path."""

    def __init__(self, network: SpikingNetwork, target: str, current: str) -> None:
        self.network = network
        self.target = target
        self.graph = self._simplified(_undivided(_alone(network.wiring, current)))
        if not _one_weight_per_path(self.graph):
            self.graph = self._distributed() or self._composed()

    @staticmethod
    def _simplified(graph: Graph) -> Graph:
        return DropIdentities()(FoldScales()(graph))

    def _distributed(self) -> Graph | None:
        """Each path with its own weights, a convolution staying one; None where that is not one set a path."""
        maps = [_undivided(p.map) for p in self.network.projections if p.target == self.target]
        graph = distributed(maps, f"{self.target}<")
        graph = None if graph is None else self._simplified(graph)
        return graph if graph is not None and _one_weight_per_path(graph) else None

    def _composed(self) -> Graph:
        """One sparse matrix per source, summed."""
        projections = [p for p in self.network.projections if p.target == self.target]
        nodes: list[Node] = []
        for projection in projections:
            source, shape = projection.source, projection.map.shapes[projection.map.outputs[0]]
            matrix = projection.synapses()
            if matrix.nnz > _LARGEST_MATRIX:
                raise ConversionError(
                    f"its linear maps in a row make {matrix.nnz:,} synapses, too many to quantise",
                    layer=self.target,
                    hint="put a rectifier between the layers, or weight_bits = 0",
                )
            nodes.append(Input(name=source, shape=projection.map.shapes[source]))
            name = f"{self.target}<{source}"
            shapes = (projection.map.shapes[source], shape)
            nodes.append(Sparse(name=name, inputs=(source,), matrix=matrix, shape_in=shapes[0], shape_out=shapes[1]))
        total = Add(name=f"{self.target}<", inputs=tuple(n.name for n in nodes if isinstance(n, Sparse)))
        return DropIdentities()(Graph([*nodes, total], [total.name]))

    def analogue(self, graph: Graph) -> set[str]:
        """Nodes that only inputs coded as constant current reach: the host computes them, unrounded."""
        constant = {n for n, e in self.network.encodings.items() if isinstance(e, ConstantCurrent)}
        found: set[str] = set()
        for name, node in graph.nodes.items():
            if name in constant or (node.inputs and all(i in found for i in node.inputs)):
                found.add(name)
        return found

    def peak(self) -> Array:
        """For each of the target's neurons the largest |weight| of its incoming synapses, full shape."""
        analogue, peaks = self.analogue(self.graph), dict[str, Array | None]()
        for name, node in self.graph.nodes.items():
            given = [peaks[i] for i in node.inputs]
            if name in analogue or isinstance(node, Input):
                peaks[name] = None
            elif isinstance(node, LinearNode) and node.weights is not None:
                peaks[name] = np.broadcast_to(_row_peaks(node), self.graph.shapes[name])
            else:
                peaks[name] = _carried(node, given, self.graph.input_shapes(name))
        end = self.graph.outputs[0]
        found = peaks[end]
        return np.zeros(self.graph.shapes[end]) if found is None else found

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


def _alone(wiring: Graph, current: str) -> Graph:
    """The part of the wiring that one current depends on."""
    kept = needed(wiring.nodes, [current])
    wanted = {i for n in kept for i in n.inputs} | {current}
    return Graph([n for n in kept if n.name in wanted], [current])


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


def _growth(network: SpikingNetwork) -> Iterable[Array]:
    """Per target the sum of |weight| over all incoming spikes plus |bias|: what one step can add to any |V|.

    A spike counts with the largest value that it may carry.
    """
    constant = {n for n, e in network.encodings.items() if isinstance(e, ConstantCurrent)}
    absolute = network.wiring.edited([_absolute(n) for n in network.wiring.nodes.values()])
    largest = {n: max(p.neuron.levels) for n, p in network.populations.items() if isinstance(p.neuron, IF)}
    sent = {i: 0.0 if i in constant else largest.get(i, 1.0) for i in absolute.inputs}
    spikes = [np.full((1, *absolute.shapes[i]), value) for i, value in sent.items()]
    values: Mapping[str, Array] = absolute.values(*spikes, keep=absolute.outputs)
    targets: list[Population | Readout] = [*network.populations.values(), *network.readouts]
    for target in targets:
        yield values[target.current][0] + (0.0 if target.bias is None else np.abs(target.bias))


def _absolute(node: Node) -> Node:
    if isinstance(node, (Conv, Dense)):
        return replace(node, weight=np.abs(node.weight))
    if isinstance(node, Scale):
        return replace(node, gain=np.abs(node.gain))
    return replace(node, matrix=abs(node.matrix)) if isinstance(node, Sparse) else node
