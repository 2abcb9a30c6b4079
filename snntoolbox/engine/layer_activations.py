"""The activations of an analogue network on samples, layer by layer, as its spiking layers are run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from snntoolbox.engine.executor import Executor
from snntoolbox.engine.tensors import plain_arithmetic
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import Population, Readout, SpikingNetwork
from snntoolbox.ir.node import Array, LinearNode
from snntoolbox.ir.nodes import Input


class Activations:
    """The analogue graph, cut at its rectifiers: their values are kept while a later layer still reads them.

    Those that are `known` are not computed, and others are added to it.
    """

    def __init__(
        self,
        graph: Graph,
        x: Sequence[Array],
        network: SpikingNetwork,
        *,
        device: torch.device,
        known: dict[str, Array] | None = None,
    ) -> None:
        self.graph, self.known = graph, {} if known is None else known
        self._remembers = known is not None
        ends = {n.name: None for n in graph.nodes.values() if not isinstance(n, (Input, LinearNode))}
        cut = [Input(name=e, shape=graph.shapes[e]) for e in ends]
        read = {graph.nodes[e].inputs[0]: None for e in ends} | dict.fromkeys(graph.outputs)
        nodes = [n for n in graph.nodes.values() if n.name not in ends]
        self.executor = Executor(Graph([*cut, *nodes], list(read)), device=device)
        self.kept = {n: np.asarray(a, np.float32) for n, a in zip(graph.inputs, x, strict=True)}
        self.samples = len(x[0])
        self.last = self._uses(network)
        self._done = _turned(self.last)

    def _uses(self, network: SpikingNetwork) -> dict[str, str]:
        """For each rectifier (and input) the last target whose value is computed from it."""
        sources: dict[str, frozenset[str]] = {}
        for name, node in self.executor.graph.nodes.items():
            own = frozenset([name]) if isinstance(node, Input) else frozenset()
            sources[name] = own.union(*(sources[i] for i in node.inputs))
        uses = {}
        populations = {n: p.activation for n, p in network.populations.items()}
        outputs = dict(zip((r.name for r in network.readouts), dict.fromkeys(self.graph.outputs), strict=True))
        for target in network.targets:
            name = populations.get(target) or outputs[target]
            read = self.graph.nodes[name].inputs[0] if target in populations else name
            uses.update(dict.fromkeys(sources[read], target))
        return uses

    def values(self, target: Population | Readout, name: str) -> Array:
        """The values of a node, which `target` stands for, (samples, *shape)."""
        found = self.known[name] if name in self.known else self._found(name, isinstance(target, Population))
        if self._remembers:
            self.known[name] = found
        if isinstance(target, Population) and name in self.last:
            self.kept[name] = found
        return found

    def _found(self, name: str, rectified: bool) -> Array:
        """The values of a node; where it is `rectified`, those of what it reads cut at 0."""
        node = self.graph.nodes[name]
        read = node.inputs[0] if rectified else name
        parts = []
        for i in range(0, self.samples, 50):
            given = {n: a[i : i + 50] for n, a in self.kept.items()}
            parts.append(self._computed(given, read))
        found = np.concatenate(parts)
        return np.asarray(node.apply(found), np.float32) if rectified else found

    def _computed(self, given: dict[str, Array], name: str) -> Array:
        if name in given:
            return given[name]
        with plain_arithmetic():
            tensors = {n: self.executor.target.tensor(a) for n, a in given.items()}
            return np.asarray(self.executor.tensors(tensors, [name])[name].cpu().numpy())

    def done(self, target: str) -> None:
        """Forget what nobody reads behind this one."""
        for name in self._done.get(target, ()):
            self.kept.pop(name, None)


def _turned(last: Mapping[str, str]) -> dict[str, list[str]]:
    """For each target what nobody reads behind it."""
    done: dict[str, list[str]] = {}
    for source, target in last.items():
        done.setdefault(target, []).append(source)
    return done
