"""Makes a spiking network of what a NIR file holds, exactly, or refuses it by node."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np

from snntoolbox.backends.nir.graph_file import NirFile, Record, read_file
from snntoolbox.backends.nir.linear_nodes import LINEAR, linear_node
from snntoolbox.backends.nir.neuron_nodes import KINDS, MOST_SPIKES, ReadNeuron, Rules, read_neuron
from snntoolbox.backends.nir.notes import Notes, read_notes
from snntoolbox.errors import ArgumentError, DataError, SNNToolboxError, Unsupported, UnsupportedError
from snntoolbox.ir.encodings import ConstantCurrent, Encoding, SpikeTimes
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import Population, Readout, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array, LinearNode, Node, Origin, Shape
from snntoolbox.ir.nodes import Add, Delay, Input, Reshape, Scale

log = logging.getLogger(__name__)

ROCKPOOL = "of a file that Rockpool wrote: library='rockpool', with the dt of its modules"
MOST_VALUES = 2**31
"""Of a layer: more than any machine holds."""


def read_nir(path: Path, rules: Rules | None = None, encoding: Encoding | None = None) -> SpikingNetwork:
    """The network in a NIR file; DataError where it is damaged, UnsupportedError and DataError name nodes.

    What NIR does not say comes from the notes of who wrote it with snntoolbox, else from `rules` and `encoding` (by
    default inputs are given spikes); ArgumentError where both say it.
    """
    file, name = read_file(path), f"'{path.name}'"
    notes = read_notes(file.notes, name)
    chosen = [*vars(rules or Rules()).items(), ("encoding", encoding)]
    if notes and (told := [field for field, value in chosen if value is not None]):
        raise ArgumentError(f"{', '.join(told)} is for NIR files of others, and {name} says it itself")
    rules = Rules(dt=1.0) if notes else rules or Rules()
    if rules.library:
        log.warning("a neuron fires up to %d times in a step here; what is above that waits", MOST_SPIKES)
    try:
        return _Reading(file, notes, rules, encoding or SpikeTimes(), path.stem).network()
    except DataError as error:
        hint = error.hint or (ROCKPOOL if not rules.library and _batch_of_one(file) else None)
        raise DataError(f"{name}: {error.message}", layer=error.layer, hint=hint) from error


def _batch_of_one(file: NirFile) -> bool:
    """Whether inputs have an axis of samples too, as Rockpool writes them."""
    shapes = [np.asarray(r.values["shape"]).reshape(-1) for r in file.nodes.values() if r.kind == "Input"]
    return all(len(shape) > 1 and shape[0] == 1 for shape in shapes)


@dataclass(eq=False)
class _Reading:
    """A file on its way into a network: what stands for each of its nodes, node by node."""

    file: NirFile
    notes: Notes | None
    rules: Rules
    encoding: Encoding
    stem: str
    nodes: list[Node] = field(default_factory=list)
    ends: dict[str, str] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)
    constant: dict[str, Array] = field(default_factory=dict)
    neurons: dict[str, ReadNeuron] = field(default_factory=dict)
    told: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.sources: dict[str, list[str]] = {name: [] for name in self.file.nodes}
        for source, target in self.file.edges:
            self.sources[target].append(source)
        self.noted: dict[str, Any] = {}
        if self.notes:
            self.noted = {**self.notes.inputs, **self.notes.neurons, **self.notes.outputs}
        # HDF5 sorts the names of nodes: whose inputs and outputs come first stands in the notes alone.
        others = (n for n in self.file.nodes if n not in self.noted)
        self.ordered = [*(n for n in self.noted if n in self.file.nodes), *others]
        self.taken = {self._name(name) for name in self.file.nodes if self._is_end(name)}

    # -- names ------------------------------------------------------------------------------------------------------

    def _is_end(self, name: str) -> bool:
        """Whether a node is an input, neurons or an output."""
        return self.file.nodes[name].kind in ("Input", "Output", *KINDS)

    def _name(self, name: str) -> str:
        """What a node is called in the network."""
        return self.noted[name].name if name in self.noted else name

    def _new(self, wanted: str) -> str:
        """A name that nothing has."""
        name, number = wanted, 2
        while name in self.taken:
            name, number = f"{wanted}_{number}", number + 1
        self.taken.add(name)
        return name

    # -- the network --------------------------------------------------------------------------------------------------

    def network(self) -> SpikingNetwork:
        """All of it."""
        self._check_edges()
        self._check_synapses()
        delayed = self._delayed_edges()
        for name in self._order(delayed):
            self._add(name, self.file.nodes[name], delayed)
        populations = [self._population(name, delayed) for name in self.ordered if self.file.nodes[name].kind in KINDS]
        readouts = [self._readout(name) for name in self.ordered if self.file.nodes[name].kind == "Output"]
        currents = [*(p.current for p in populations), *(r.current for r in readouts)]
        encodings = {
            self._name(name): self.noted[name].encoding if name in self.noted else self.encoding
            for name in self.ordered
            if self.file.nodes[name].kind == "Input"
        }
        notes = self.notes
        return SpikingNetwork(
            Graph(self.nodes, list(dict.fromkeys(currents)), name=notes.name if notes else self.stem),
            encodings,
            populations,
            readouts,
            dt=notes.dt if notes else 1.0,
            grid=notes.grid if notes else None,
        )

    def _check_edges(self) -> None:
        wrong = [n for n, sources in self.sources.items() if bool(sources) == (self.file.nodes[n].kind == "Input")]
        if wrong:
            raise DataError(f"nothing leads to a node, or something to an input: {', '.join(map(repr, wrong))}")
        if not any(r.kind == "Input" for r in self.file.nodes.values()):
            raise DataError("the graph has no input")
        if not any(r.kind == "Output" for r in self.file.nodes.values()):
            raise DataError("the graph has no output")
        if after := [a for a, _ in self.file.edges if self.file.nodes[a].kind == "Output"]:
            raise DataError(f"something reads the output {after[0]!r}")

    def _check_synapses(self) -> None:
        """UnsupportedError for data that are currents and go through synapses: here only spikes do."""
        linear = nx.DiGraph((a, b) for a, b in self.file.edges if self.file.nodes[a].kind not in KINDS)
        inputs = {n for n, r in self.file.nodes.items() if r.kind == "Input" and not self._spikes_come(n)}
        reached = {n for i in inputs if i in linear for n in nx.descendants(linear, i)}
        offenders = [
            Unsupported(f"{n} (nir {r.kind})", "data that are constant currents go through its synapses")
            for n, r in self.file.nodes.items()
            if n in reached and r.kind == "CubaLIF" and np.any(np.asarray(r.values["tau_syn"]) != self.rules.dt)
        ]
        if offenders:
            hint = "encoding=SpikeTimes() or Poisson(): data that are spikes"
            raise UnsupportedError("the reader of NIR", offenders, hint=hint)

    def _spikes_come(self, name: str) -> bool:
        """Whether data of an input are given, or coded, as spikes."""
        encoding = self.noted[name].encoding if name in self.noted else self.encoding
        return not isinstance(encoding, ConstantCurrent)

    def _delayed_edges(self) -> set[tuple[str, str]]:
        """The edges from neurons back to themselves, on which a spike takes a step: NIR does not say it, all do it.

        DataError for a loop of several layers of neurons, of which NIR does not say who comes first, or of none.
        """
        graph = nx.DiGraph(self.file.edges)
        graph.remove_nodes_from([n for n, r in self.file.nodes.items() if r.kind == "Delay"])
        found: set[tuple[str, str]] = set()
        for loop in nx.strongly_connected_components(graph):
            if len(loop) == 1 and not graph.has_edge(*loop, *loop):
                continue
            spiking = [n for n in loop if self.file.nodes[n].kind in KINDS]
            if len(spiking) != 1:
                told = f"the nodes {', '.join(sorted(map(repr, loop)))} form a loop without a Delay"
                raise DataError(told, hint="a Delay of at least one step says which comes first")
            found |= {(spiking[0], target) for target in graph.successors(spiking[0]) if target in loop}
        return found

    def _order(self, delayed: set[tuple[str, str]]) -> list[str]:
        """The nodes, each behind those it reads; neurons need none, if the file tells their shape."""
        graph = nx.DiGraph()
        graph.add_nodes_from(self.file.nodes)
        looping = {source for source, _ in delayed}
        for name, record in self.file.nodes.items():
            if record.kind in KINDS:
                noted = self.notes.neurons.get(name) if self.notes else None
                self.neurons[name] = read_neuron(record, name, self.rules, noted)
        told = {n for n, read in self.neurons.items() if not read.single or (n in looping and read.shape)}
        self.told = frozenset(told)
        # Also what reads them a step later asks for their shape.
        graph.add_edges_from((a, b) for a, b in self.file.edges if b not in told)
        try:
            return list(nx.lexicographical_topological_sort(graph))
        except nx.NetworkXUnfeasible:
            loop = [edge[0] for edge in nx.find_cycle(graph)]
            raise DataError(f"the nodes {', '.join(map(repr, loop))} form a loop that no shape is told of") from None

    # -- node by node -------------------------------------------------------------------------------------------------

    def _add(self, name: str, record: Record, delayed: set[tuple[str, str]]) -> None:
        if record.kind == "Input":
            shape = tuple(int(n) for n in np.asarray(record.values["shape"]).reshape(-1))
            # Rockpool writes its batch of one too.
            self._add_source(name, shape[1:] if self.rules.library and shape[:1] == (1,) and len(shape) > 1 else shape)
        elif record.kind in KINDS:
            shape = self.neurons[name].shape if name in self.told else self.shapes[self.sources[name][0]]
            self._add_source(name, shape)
        elif record.kind in LINEAR:
            source = self._joined(name, delayed)
            shape = self._shape_of(source)
            node = linear_node(record, self._new(name), source, shape, self.rules.dt)
            self._append(name, node, shape)

    def _add_source(self, name: str, shape: Shape) -> None:
        """Values that come from outside: an input, or the spikes of neurons; in their own shape where it is noted."""
        self._bounded(name, shape)
        called = self._name(name)
        own = self.noted[name].shape if name in self.noted else shape
        if math.prod(own) != math.prod(shape):
            raise DataError(f"{name!r} has shape {shape}, and {own} in the notes")
        self.nodes.append(Input(name=called, shape=own))
        end = called
        if own != shape:
            end = self._new(f"{name}.shape")
            self.nodes.append(Reshape(name=end, inputs=(called,), shape=shape))
        self.ends[name], self.shapes[name], self.shapes[end] = end, shape, shape

    def _append(self, name: str, node: LinearNode, shape: Shape) -> None:
        """A linear node, and what it adds to all that follows where its inputs are 0."""
        try:
            out = node.output_shape(shape)
        except SNNToolboxError as error:
            raise DataError(f"{name!r} (nir {self.file.nodes[name].kind}) {error.message}") from error
        self._bounded(name, out)
        before = self.constant.get(node.inputs[0])
        value = None if before is None else node.linear(before)
        if value is not None and isinstance(node, Delay):
            raise DataError(f"{name!r} (nir Delay) delays a bias, which has no steps")
        if node.bias is not None and np.any(node.bias):
            value = np.broadcast_to(node.bias, (1, *out)) + (0.0 if value is None else value)
        if value is not None:
            self.constant[node.name] = value
        self.nodes.append(node.with_bias(None))
        self.ends[name], self.shapes[node.name] = node.name, out

    def _joined(self, name: str, delayed: set[tuple[str, str]]) -> str:
        """The node that gives the sum of all that a node reads."""
        inputs = []
        for source in self.sources[name]:
            end = self.ends[source]
            if (source, name) in delayed:
                end = self._new(f"{source}.before")
                self.nodes.append(Delay(name=end, inputs=(self.ends[source],), steps=1))
                self.shapes[end] = self._shape_of(self.ends[source])
            inputs.append(end)
        if len(inputs) == 1:
            return inputs[0]
        shapes = {self._shape_of(i) for i in inputs}
        if len(shapes) != 1:
            raise DataError(f"{name!r} reads the sum of values of shapes {', '.join(map(str, sorted(shapes)))}")
        added = self._new(f"{name}.sum")
        self.nodes.append(Add(name=added, inputs=tuple(inputs)))
        self.shapes[added] = shapes.pop()
        if constants := [self.constant[i] for i in inputs if i in self.constant]:
            self.constant[added] = np.sum(constants, axis=0)
        return added

    def _shape_of(self, end: str) -> Shape:
        return self.shapes[end]

    def _bounded(self, name: str, shape: Shape) -> None:
        if min(shape, default=1) < 1 or math.prod(shape) > MOST_VALUES:
            raise DataError(
                f"{name!r} claims {math.prod(shape):,} values of shape {shape}, at most {MOST_VALUES:,} can be"
            )

    # -- what the graph is for ----------------------------------------------------------------------------------------

    def _reshaped(self, name: str, end: str, own: Shape) -> str:
        """A current in the shape that it is noted to have."""
        if self._shape_of(end) == own:
            return end
        called = self._new(f"{name}.shape")
        node = Reshape(name=called, inputs=(end,), shape=own)
        if math.prod(own) != math.prod(self._shape_of(end)):
            raise DataError(f"{name!r} gets values of shape {self._shape_of(end)}, and has shape {own}")
        self.nodes.append(node)
        self.shapes[called] = own
        if end in self.constant:
            self.constant[called] = self.constant[end].reshape(1, *own)
        return called

    def _population(self, name: str, delayed: set[tuple[str, str]]) -> Population:
        read, noted = self.neurons[name], self.notes.neurons.get(name) if self.notes else None
        end = self._joined(name, delayed)
        shape = self.shapes[name]
        if self._shape_of(end) != shape:
            raise DataError(f"{name!r} has shape {shape}, and gets values of shape {self._shape_of(end)}")
        own, constant = noted.shape if noted else shape, self.constant.get(end, np.zeros(1))
        if read.gain is not None:
            gain = np.broadcast_to(read.gain, shape)
            scaled = self._new(f"{name}.r")
            self.nodes.append(Scale(name=scaled, inputs=(end,), gain=gain))
            end, self.shapes[scaled], constant = scaled, shape, constant * gain
        bias = constant + (0.0 if read.bias is None else np.broadcast_to(read.bias, shape))
        slow = {step: pulse.reshape(own) for step, pulse in read.pulses(np.broadcast_to(constant, (1, *shape))).items()}
        end = self._reshaped(name, end, own)
        return Population(
            name=self._name(name),
            shape=own,
            neuron=read.neuron if own == shape else _in_shape(read.neuron, own),
            current=end,
            bias=np.broadcast_to(bias, (1, *shape)).reshape(own) if np.any(bias) else None,
            pulses=slow,
            scale=np.ones((1,) * len(own)) if read.scale is None else read.scale,
            activation=noted.activation if noted else name,
            origin=noted.origin if noted else Origin("nir", self.file.nodes[name].kind, name),
        )

    def _readout(self, name: str) -> Readout:
        noted = self.notes.outputs.get(name) if self.notes else None
        end = self._joined(name, set())
        own = noted.shape if noted else self._shape_of(end)
        end = self._reshaped(name, end, own)
        constant = self.constant.get(end)
        bias = None if constant is None or not np.any(constant) else constant[0]
        if noted:
            return Readout(
                name=noted.name,
                current=end,
                shape=own,
                bias=bias,
                scale=noted.scale,
                start=noted.start,
                head=noted.head,
            )
        return Readout(name=name, current=end, shape=own, bias=bias)


def _in_shape(neuron: IF, shape: Shape) -> IF:
    """The neuron with its arrays in another shape."""
    arrays = {"threshold": neuron.threshold, "initial": neuron.initial}
    return replace(neuron, **{k: np.reshape(v, shape) for k, v in arrays.items() if np.size(v) > 1})  # type: ignore[arg-type]
