"""Who depends on whom in a spiking network, and how many steps later: order, loops, depths, projections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import networkx as nx
import scipy.sparse as sp

from snntoolbox.errors import GraphError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import LinearNode
from snntoolbox.ir.nodes import Delay, Input
from snntoolbox.ir.paths import Arrivals, between, later


@dataclass(frozen=True, eq=False, kw_only=True)
class Projection:
    """The linear map from one source (an input or a population) to one target (a population or a read-out).

    `map` is a graph of linear nodes with the source as its only input; parallel paths are part of the same map, so a
    pair of populations has exactly one projection for each `lag`, the steps by which the delays on the way hold its
    spikes back. On a target whose least delay is one step a spike has its effect `delay` steps later: the lag, and
    the difference of the depths. It is `latched` where its spikes are counted, to multiply those of others.
    """

    source: str
    target: str
    map: Graph
    lag: int
    delay: int
    latched: bool = False

    def synapses(self) -> sp.csr_array:
        """The map as one sparse matrix (target neurons x source neurons, both flattened in C order)."""
        composed: dict[str, sp.csr_array] = {self.source: sp.eye_array(self.map.size(self.source), format="csr")}
        for name, node in self.map.nodes.items():
            if isinstance(node, LinearNode):
                parts = node.synapses(*self.map.input_shapes(name))
                pairs = zip(parts, node.inputs, strict=True)
                composed[name] = sp.csr_array(sum(part @ composed[i] for part, i in pairs))
        return composed[self.map.outputs[0]]


@dataclass(frozen=True, eq=False, kw_only=True)
class Circuit:
    """The wiring, and the node that gives its current to each population and to each read-out.

    `inhibitory` names the node of what comes through negative weights, for populations that tell it apart, `latched`
    that of what is counted to multiply their current.
    """

    wiring: Graph
    inputs: tuple[str, ...]
    populations: Mapping[str, str]
    readouts: Mapping[str, str]
    inhibitory: Mapping[str, str] = field(default_factory=dict)
    latched: Mapping[str, str] = field(default_factory=dict)

    # -- order and loops ----------------------------------------------------------------------------------------

    @cached_property
    def delays(self) -> Mapping[str, int]:
        """The delays of the wiring and their steps."""
        return {name: node.steps for name, node in self.wiring.nodes.items() if isinstance(node, Delay)}

    @cached_property
    def looping(self) -> frozenset[str]:
        """The delays that lie in a loop: what they give in a step is known before it."""
        if not self.delays:
            return frozenset()
        loops = nx.strongly_connected_components(self._dependencies())
        return frozenset(n for loop in loops if len(loop) > 1 for n in loop if n in self.delays)

    @cached_property
    def order(self) -> tuple[str, ...]:
        """Wiring nodes and populations, each behind what it depends on within a step.

        A population stands at its input node's name, a delay in a loop before what it reads. GraphError where there
        is a loop without a delay, which has no such order.
        """
        rank = {name: i for i, name in enumerate(dict.fromkeys([*self.wiring.nodes, *self.populations]))}
        try:
            return tuple(nx.lexicographical_topological_sort(self._within_a_step, key=rank.__getitem__))
        except nx.NetworkXUnfeasible:
            told = f"the network is recurrent without a delay: {' -> '.join(self.cycle)}"
            raise GraphError(told, hint="put a Delay of at least one step into it") from None

    @cached_property
    def cycle(self) -> tuple[str, ...]:
        """The wiring nodes and populations of a loop without a delay, which has no meaning; empty if there is none."""
        digraph = self._within_a_step
        return () if nx.is_directed_acyclic_graph(digraph) else tuple(edge[0] for edge in nx.find_cycle(digraph))

    @cached_property
    def loop(self) -> tuple[str, ...]:
        """The wiring nodes and populations of a loop with a delay; empty if there is none."""
        if not self.looping:
            return ()
        start = min(self.looping, key=list(self.delays).index)
        return tuple(edge[0] for edge in nx.find_cycle(self._dependencies(), start))

    @cached_property
    def _within_a_step(self) -> nx.DiGraph:
        """The dependencies without those that a delay in a loop takes to a later step."""
        digraph = self._dependencies()
        digraph.remove_edges_from([(i, name) for name in self.looping for i in self.wiring.nodes[name].inputs])
        return digraph

    def _dependencies(self) -> nx.DiGraph:
        digraph = nx.DiGraph()
        digraph.add_nodes_from(self.wiring.nodes)
        digraph.add_edges_from((i, n.name) for n in self.wiring.nodes.values() for i in n.inputs)
        digraph.add_edges_from((current, name) for name, current in self.populations.items())
        digraph.add_edges_from((current, name) for name, current in self.inhibitory.items())
        digraph.add_edges_from((current, name) for name, current in self.latched.items())
        return digraph

    # -- what reaches what --------------------------------------------------------------------------------------

    @cached_property
    def targets(self) -> Mapping[str, str]:
        """For each population, in order, and each read-out the wiring node that gives its current."""
        return {**{n: self.populations[n] for n in self.order if n in self.populations}, **self.readouts}

    @cached_property
    def sources(self) -> Mapping[str, frozenset[str]]:
        """For each wiring node the inputs and populations that it depends on through linear nodes only."""
        found: dict[str, frozenset[str]] = {}
        for name, node in self.wiring.nodes.items():
            if len(node.inputs) == 1:
                found[name] = found[node.inputs[0]]
            else:
                own = [name] if isinstance(node, Input) else []
                found[name] = frozenset(own).union(*(found[i] for i in node.inputs))
        return found

    def fed_by(self, target: str) -> frozenset[str]:
        """The inputs and populations that reach a target, by its current or latched."""
        return frozenset().union(*(self.sources[name] for name in self._feeding(target)))

    def _feeding(self, target: str) -> tuple[str, ...]:
        """The wiring nodes that bring spikes to a target: its current, and what is latched."""
        current = self.targets[target]
        return (current, self.latched[target]) if target in self.latched else (current,)

    @cached_property
    def arrivals(self) -> Arrivals:
        """For each wiring node its sources, each with the steps by which its spikes come later on some way."""
        found: dict[str, Mapping[str, tuple[int, ...]]] = {}
        for name, node in self.wiring.nodes.items():
            steps = self.delays.get(name, 0)
            if isinstance(node, Input):
                found[name] = {name: (0,)}
            elif len(node.inputs) == 1 and not steps:
                found[name] = found[node.inputs[0]]
            else:
                found[name] = later([found[i] for i in node.inputs], steps)
        return found

    @cached_property
    def delayed(self) -> frozenset[str]:
        """The wiring nodes that some spikes reach later than in their step."""
        return frozenset(name for name, found in self.arrivals.items() if any(lags[-1] for lags in found.values()))

    # -- on a target where a spike takes a step -----------------------------------------------------------------

    @cached_property
    def depths(self) -> Mapping[str, int]:
        """For each input, population and read-out the step in which it can begin where each projection takes one.

        The longest path to it from an input, counted in projections; a delay on the way makes up for as many. Where
        `quick_loop` leaves no such step, loops are followed once.
        """
        return self._depths[0]

    @cached_property
    def quick_loop(self) -> tuple[str, ...]:
        """A loop through more projections than its delays have steps: none that takes a step each can be as fast."""
        return self._depths[1]

    @cached_property
    def _depths(self) -> tuple[Mapping[str, int], tuple[str, ...]]:
        depths = dict.fromkeys(self.inputs, 0) | dict.fromkeys(self.targets, 1)
        for _ in range(len(self.targets) + 1):
            before = dict(depths)
            for target in self.targets:
                arriving = [self.arrivals[name] for name in self._feeding(target)]
                ways = (depths[s] + 1 - lags[0] for found in arriving for s, lags in found.items())
                depths[target] = max((depths[target], *ways))
            if depths == before:
                return depths, ()
        return self._depths_once(), self._fastest_loop()

    def _depths_once(self) -> Mapping[str, int]:
        """The depths by ways that no delay is on: there are no loops then."""
        depths = dict.fromkeys(self.inputs, 0)
        for target in self.targets:
            arriving = [self.arrivals[name] for name in self._feeding(target)]
            at_once = (depths[s] for found in arriving for s, lags in found.items() if not lags[0])
            depths[target] = 1 + max(at_once, default=0)
        return depths

    def _fastest_loop(self) -> tuple[str, ...]:
        """Populations of a loop of more projections than steps."""
        digraph = nx.DiGraph()
        for target in self.populations:
            for source, lags in (pair for name in self._feeding(target) for pair in self.arrivals[name].items()):
                digraph.add_edge(source, target, weight=lags[0] - 1)
        for start in self.populations:
            try:
                return tuple(nx.find_negative_cycle(digraph, start))[:-1]
            except nx.NetworkXError:
                continue
        return ()

    # -- projections --------------------------------------------------------------------------------------------

    @cached_property
    def projections(self) -> tuple[Projection, ...]:
        """One projection for each source, target and lag that are joined, targets in order; others for the latched."""
        ends = [(t, name, bool(k)) for t in self.targets for k, name in enumerate(self._feeding(t))]
        return tuple(p for target, name, latched in ends for p in self._projections(target, name, latched))

    def _projections(self, target: str, current: str, latched: bool) -> Iterator[Projection]:
        arrivals = self.arrivals[current]
        ways = [(s, lag) for s in sorted(arrivals, key=self.wiring.rank.__getitem__) for lag in arrivals[s]]
        for source, lag in ways:
            delay = lag + self.depths[target] - self.depths[source]
            part = self.submap(source, current, lag)
            yield Projection(source=source, target=target, map=part, lag=lag, delay=delay, latched=latched)

    def submap(self, source: str, current: str, lag: int = 0) -> Graph:
        """The linear map from one source alone to a wiring node by ways of this lag: others are cut away as zeros."""
        nodes, end = between(self.wiring, source, current, lag, self.arrivals)
        return Graph(nodes, [end], name=f"{source}->{current}")
