"""Turns a graph of rectifiers and linear maps into a spiking network of integrate-and-fire neurons.

A rectifier with scale s becomes a population whose rate r stands for the activation s r: its input current is the
rectifier's input over s, and its spikes enter the following maps times s (Rueckauer et al. 2017, eq. 5 and 7). Both
factors and the thresholds are folded into the weights, so every target sees threshold 1 and binary spikes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np

from snntoolbox.conversion.exact.drop_identities import DropIdentities
from snntoolbox.conversion.exact.fold_scales import FoldScales
from snntoolbox.conversion.spiking.tables import largest_sum, tabulated
from snntoolbox.conversion.thresholds.thresholds import Scales
from snntoolbox.errors import ConversionError, Unsupported, UnsupportedError
from snntoolbox.ir.encodings import ConstantCurrent, Encoding, Spiking
from snntoolbox.ir.gating import Estimate
from snntoolbox.ir.graph import Graph, first_free
from snntoolbox.ir.network import Population, Readout, SpikingNetwork
from snntoolbox.ir.neurons import IF, MaxGate, Neuron
from snntoolbox.ir.node import Array, LinearNode, Node, uniform_along
from snntoolbox.ir.nodes import Add, Elementwise, Input, MatrixProduct, MaxPool, ReLU, Scale, Softmax, Tabulated
from snntoolbox.ir.nodes.multiplying import PRODUCTS
from snntoolbox.ir.tabulating import Table
from snntoolbox.ir.ways_out import WINDOWS

_HINTS = {
    "Softmax": "softmax between layers has no spiking form, nor where something is computed from it; only one that "
    f"ends an output is dropped or rectified; {WINDOWS} makes tables and products of others",
    "LogSoftmax": "the logarithm of softmax has a spiking form only where it ends an output and is dropped; let the "
    "model go on from what it reads, or from softmax itself",
    "Floor": "floor has a spiking form only in clip(floor(x + 1/2), 0, L), the quantised rectifier of QCFS training",
    "Normalise": f"normalisation by the sample's own values has no spiking form at rates; {WINDOWS} makes tables and "
    "products of it",
    "RootMeanSquare": "a root of mean squares has a spiking form only where what it is of is divided by it",
    "MaxPool": "max pooling by a gate needs the spikes of one population; use maxpool_type = relu_tree",
}


_PRODUCT = "a product of two activations has a spiking form only behind rectifiers, which `lower` gives it"

EACH_LINE = "each line says what its layer needs"


@dataclass(frozen=True)
class Convert:
    """Graph and scales to a spiking network; exact in the sense that rates approach activations as steps grow.

    `neuron` is the model of every population (its `initial` potential in units of the threshold); `encoding` is the
    input coding; bias b becomes a current of b / scale each step. An upper bound of a rectifier, over the largest rate
    of the neuron, bounds its scale, whatever was chosen; one with `levels` has it as scale and starts at half a
    threshold.

    A step takes `per_step` of an activation as its current, so that one spike per step stands for scale / per_step;
    what a spike does is the same, whatever that share. `gate` is the estimate of rates that opens gates of max pooling.
    `levels` is the most that a window tells, which tables of smooth functions are made for. A rectifier that has `own`
    levels is chosen a scale for these: as every spike counts the same part of its population's scale, 1 / `levels`,
    that is as much smaller or larger as it has more or fewer.

    A rectifier of several `neurons` becomes as many populations of the same current, whose start potentials are parts
    of a threshold apart (`ReLU.shifts`); what follows reads their mean.
    """

    neuron: IF = IF(initial=0.5)  # noqa: RUF009 - frozen
    encoding: Encoding = ConstantCurrent()  # noqa: RUF009 - frozen
    dt: float = 1.0
    per_step: float = 1.0
    gate: Estimate = Estimate.AVERAGE
    levels: int | None = None
    own: Mapping[str, int] = field(default_factory=dict)

    def __call__(self, graph: Graph, scales: Scales) -> SpikingNetwork:
        """The network; UnsupportedError lists every node that has no spiking form."""
        _check_convertible(graph)
        shares = {n: most / self.levels for n, most in self.own.items()} if self.levels is not None else {}
        rates = {n: self.neuron.largest_rate * shares.get(n, 1.0) for n in scales}
        wiring = _Wiring(graph, scales, self.encoding, rates, self.per_step, self.levels, shares)
        folded, biases = wiring.folded()
        ends = dict(zip(wiring.ends, folded.outputs, strict=True))
        currents = {target: ends[end] for target, end in wiring.currents.items()}
        populations = []
        for (name, of), shift in wiring.said_by.items():
            node, latched, table = graph.nodes[of], currents.get(f"{of}/latched"), wiring.tables.get(name)
            population = Population(
                name=name,
                shape=graph.shapes[of],
                neuron=neuron_of(node, self.neuron, self.gate, _read_by(graph, node), table, shift),
                current=currents[name],
                latched=latched,
                bias=biases[name],
                scale=wiring.scales[of] / self.per_step,
                activation=of,
                origin=node.origin,
                bound=np.asarray(node.max_value) if isinstance(node, ReLU) and node.max_value is not None else None,
            )
            populations.append(population)
        readouts = [
            Readout(
                # An output that spikes (or is an input) has given its name away.
                name=f"{o}/output" if o in wiring.scales or o in graph.inputs else o,
                current=currents[f"{o}/output"],
                shape=graph.shapes[o],
                bias=biases[f"{o}/output"],
                scale=1 / self.per_step,
                head=head,
            )
            for o, head in zip(graph.outputs, graph.heads, strict=True)
        ]
        encodings = dict.fromkeys(graph.inputs, self.encoding)
        return SpikingNetwork(folded, encodings, populations, readouts, dt=self.dt)


def _read_by(graph: Graph, node: Node) -> Node | None:
    return graph.nodes[node.inputs[0]] if node.inputs else None


def neuron_of(
    node: Node,
    model: IF,
    gate: Estimate = Estimate.AVERAGE,
    product: Node | None = None,
    table: Table | None = None,
    shift: float = 0.0,
) -> Neuron:
    """The neurons of a max pool or rectifier; a quantised one rounds to nearest by starting at half a threshold.

    Those of a `product` are latched. Those with a `table` start there too, all others `shift` thresholds higher.
    """
    if isinstance(product, PRODUCTS):
        sums = product.contraction if isinstance(product, MatrixProduct) else None
        model = replace(model, latched=True, contraction=sums)
    if isinstance(node, MaxPool):
        window = {name: getattr(node, name) for name in ("kernel", "stride", "padding", "dilation")}
        return MaxGate(**window, estimate=gate)
    if isinstance(node, ReLU) and (node.levels is not None or table is not None):
        model = replace(model, table=table, initial=model.threshold / 2)
    return model if table is not None else replace(model, initial=model.initial + shift * model.threshold)


def gateable(graph: Graph, pool: MaxPool) -> bool:
    """Whether a gate on spike counts can do a max pool: it reads the spikes of one population."""
    return isinstance(graph.nodes[pool.inputs[0]], (ReLU, MaxPool))


def unsupported_nodes(graph: Graph, reasons: Mapping[str, str] = MappingProxyType({})) -> list[Unsupported]:
    """Every node that has no spiking form, with the reason: by its name in `reasons`, else by its kind."""
    offenders = []
    for node in graph.nodes.values():
        if isinstance(node, MaxPool):
            if not gateable(graph, node):
                offenders.append(Unsupported(node.label, _HINTS["MaxPool"]))
        elif isinstance(node, PRODUCTS):
            readers = [graph.nodes[reader] for reader in graph.consumers[node.name]]
            if not all(isinstance(reader, ReLU) and reader.of_input for reader in readers):
                offenders.append(Unsupported(node.label, _PRODUCT))
        elif isinstance(node, Elementwise):
            offenders.append(Unsupported(node.label, node.why_not_exact))
        elif not isinstance(node, (Input, LinearNode, ReLU)):
            kind = "LogSoftmax" if isinstance(node, Softmax) and node.log else node.kind
            usual = _HINTS.get(kind, f"{node.kind} has no spiking form")
            offenders.append(Unsupported(node.label, reasons.get(node.name, usual)))
    return offenders


def _check_convertible(graph: Graph) -> None:
    if offenders := unsupported_nodes(graph):
        raise UnsupportedError("the conversion", offenders, hint=EACH_LINE)


class _Wiring:
    """Builds the linear wiring: scales on every edge, then folded and freed of biases."""

    def __init__(
        self,
        graph: Graph,
        scales: Scales,
        encoding: Encoding,
        largest_rates: Mapping[str, float],
        per_step: float,
        levels: int | None,
        shares: Mapping[str, float],
    ) -> None:
        self.graph, self.levels, self._shares = graph, levels, shares
        self.tables: dict[str, Table] = {}
        self.said_by: dict[tuple[str, str], float] = {}
        self._largest_rates = largest_rates
        self.nodes: dict[str, Node] = {}
        self.currents: dict[str, str] = {}
        self.scales: dict[str, Array] = {}
        self._given = scales
        self._per_step = per_step
        self._amplitude = per_step * (encoding.amplitude if isinstance(encoding, Spiking) else 1.0)
        for name, node in graph.nodes.items():
            self._place(name, node)
        for output in dict.fromkeys(graph.outputs):
            self.currents[f"{output}/output"] = self._read(f"{output}/output", output)

    def _place(self, name: str, node: Node) -> None:
        if isinstance(node, Input):
            self.nodes[name] = node
        elif isinstance(node, ReLU):
            self._rectifier(node)
        elif isinstance(node, PRODUCTS):
            pass  # a part of the population that reads it
        elif isinstance(node, MaxPool):
            self.scales[name] = self._gate_scale(node)
            self.said_by[name, name] = 0.0
            self.currents[name] = node.inputs[0]
            self.nodes[name] = Input(name=name, shape=self.graph.shapes[name], origin=node.origin)
        else:
            self.nodes[name] = node.with_inputs(*(self._read(f"{name}<{k}", i) for k, i in enumerate(node.inputs)))

    def _rectifier(self, node: ReLU) -> None:
        """The populations that say its values, in place of several their sum, and what they read."""
        name, source, shifts = node.name, self.graph.nodes[node.inputs[0]], node.shifts
        self.scales[name] = self._scale(name)
        read = source.inputs[0] if isinstance(source, PRODUCTS) else source.name
        own: list[str] = []
        for k, shift in enumerate(shifts):
            own.append(name if len(shifts) == 1 else first_free(f"{name}.{k + 1}", self.graph.nodes, self.nodes))
            self.said_by[own[-1], name] = shift
            if isinstance(node, Tabulated):
                self.tables[own[-1]] = self._table(node, shift)
            if k and own[-1] not in self.tables:  # tables may be read in steps of their own
                self.currents[own[-1]] = self.currents[own[0]]
            else:
                gain = self._factor(name, source, self._per_threshold(name, own[-1]))
                self.currents[own[-1]] = self._divided(name, own[-1], read, gain)
            self.nodes[own[-1]] = Input(name=own[-1], shape=self.graph.shapes[name], origin=node.origin)
        if len(own) > 1:
            self.nodes[name] = Add(name=name, inputs=tuple(own), origin=node.origin)

    def _factor(self, name: str, source: Node, gain: Array) -> Array:
        """The gain of what a rectifier reads, once the factor of a product has what is common to a row of it."""
        if not isinstance(source, PRODUCTS):
            return gain
        shared = isinstance(source, MatrixProduct) and not source.contraction.first
        self.currents[f"{name}/latched"] = self._counted(name, source.inputs[1], gain if shared else None)
        return np.ones((1,) * gain.ndim) if shared else gain

    @property
    def ends(self) -> dict[str, None]:
        """The wiring nodes that somebody takes a current from, in order."""
        return dict.fromkeys(self.currents.values())

    def _scale(self, name: str) -> Array:
        node, scale = self.graph.nodes[name], np.asarray(self._given[name], np.float64) / self._shares.get(name, 1.0)
        scale = node.bounded(scale, self._largest_rates[name]) if isinstance(node, ReLU) else scale
        if np.any(scale <= 0) or not np.all(np.isfinite(scale)):
            raise ConversionError("its scale is not positive and finite", layer=self.graph.nodes[name].label)
        return scale

    def _table(self, node: Tabulated, shift: float) -> Table:
        if self.levels is None:
            hint = "tables are made for the steps of a window: T = 6, [simulation] duration = 6, for instance"
            raise ConversionError("a smooth function needs a table of levels", layer=node.label, hint=hint)
        tops = {n: scale * self._shares.get(n, 1.0) for n, scale in self.scales.items()}
        return tabulated(node, self.scales[node.name], self.levels, largest_sum(node, tops, self.graph), shift)

    def _gate_scale(self, pool: MaxPool) -> Array:
        """The scale of the gated population, which must be the same all over each window."""
        scale = self.scales[pool.inputs[0]]
        if not uniform_along(scale, tuple(range(1, scale.ndim))):
            raise ConversionError("its inputs have different scales", layer=pool.label, hint=_HINTS["MaxPool"])
        return scale

    def _read(self, name: str, source: str) -> str:
        """A node with the value of `source` in the user's units; each reader gets its own, so that it can fold."""
        node = self.graph.nodes[source]
        if source in self.scales:
            gain = self.scales[source] / (node.neurons if isinstance(node, ReLU) else 1)
        elif isinstance(node, Input) and self._amplitude != 1:
            gain = np.full((1,) * len(node.shape), self._amplitude)
        else:
            return source
        self.nodes[name] = Scale(name=name, inputs=(source,), gain=gain, origin=node.origin)
        return name

    def _per_threshold(self, of: str, name: str) -> Array:
        """What a current in the user's units is in thresholds of a population that says values of a rectifier."""
        table, scale = self.tables.get(name), self.scales[of]
        return np.asarray(1 / (scale if table is None else table.input_scale(scale.ndim)))

    def _divided(self, of: str, name: str, source: str, gain: Array) -> str:
        current = f"{name}/current"
        read = self._read(f"{name}<0", source)
        self.nodes[current] = Scale(name=current, inputs=(read,), gain=gain, origin=self.graph.nodes[of].origin)
        return current

    def _counted(self, name: str, source: str, gain: Array | None) -> str:
        """A node with the value of `source`, times a gain, whatever share of it a step takes: a factor."""
        read, latched = self._read(f"{name}<1", source), f"{name}/latched"
        whole = np.full((1,) * len(self.graph.shapes[source]), 1 / self._per_step)
        gain = whole if gain is None else whole * gain
        self.nodes[latched] = Scale(name=latched, inputs=(read,), gain=gain, origin=self.graph.nodes[name].origin)
        return latched

    def folded(self) -> tuple[Graph, dict[str, Array | None]]:
        """The bias-free wiring with scales folded, and the bias of each target (per channel where uniform)."""
        full = Graph(self.nodes.values(), list(self.ends), name=self.graph.name)
        zeros = [np.zeros((1, *full.shapes[i])) for i in full.inputs]
        values = full.values(*zeros, keep=self.currents.values())
        biases = {target: _compact(self._per_step * values[current][0]) for target, current in self.currents.items()}
        bare = full.edited([n.with_bias(None) for n in full.nodes.values() if isinstance(n, LinearNode)])
        return simplified_wiring(bare), biases


def with_channels(neuron: Neuron) -> int:
    """Which of the currents of neurons has their channels: of sums of products the factor whose rows these are."""
    sums = neuron.contraction if isinstance(neuron, IF) else None
    return int(sums is not None and not sums.first)


def simplified_wiring(wiring: Graph) -> Graph:
    """The same linear maps with scales folded and identities dropped; outputs keep their order."""
    return DropIdentities()(FoldScales()(wiring))


def _compact(bias: Array) -> Array | None:
    """A bias with axes of length one where it does not vary; None where it is zero."""
    if not np.any(bias):
        return None
    for axis in range(1, bias.ndim):
        if uniform_along(bias, (axis,)):
            bias = bias.take([0], axis=axis)
    return bias
