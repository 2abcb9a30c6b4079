"""Corrects a network on calibration samples, layer by layer, each on the spikes of the corrected ones before it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from snntoolbox.ir.encodings import SpikeTimes
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import Population, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array
from snntoolbox.ir.nodes import ReLU
from snntoolbox.passes.correct_layers import CORRECTIONS
from snntoolbox.passes.correct_readouts import fitted
from snntoolbox.passes.quantize import bounded_anew

if TYPE_CHECKING:
    from snntoolbox.engine.layerwise import Layerwise

log = logging.getLogger(__name__)

FEWEST = 16
"""Below so many samples means say too little, and the layers are left alone."""


@dataclass(frozen=True, kw_only=True)
class Correct:
    """The pass, for runs of `steps` steps.

    `layers` names what is done to each population (see `CORRECTIONS`), None for nothing; `readouts` whether read-outs
    are fitted. Rectifiers with levels (QCFS) and networks with a schedule are exact as they are: their layers are left
    alone. One pass over the network: each layer's maps run once over all steps, its neurons two to sixteen times; so
    it takes about as long as simulating the samples two to five times. Memory is bounded: where it does not suffice,
    fewer samples are used.
    """

    steps: int
    layers: str | None = "search"
    readouts: bool = True
    device: str = "cpu"

    def __call__(self, network: SpikingNetwork, graph: Graph, x: Sequence[Array]) -> SpikingNetwork:
        """The corrected network, where `graph` is the analogue network and `x` samples for each of its inputs."""
        nothing = self.layers is None and not self.readouts
        timed = any(isinstance(e, SpikeTimes) for e in network.encodings.values())  # analogue samples are no trains
        if nothing or timed or not len(x[0]):
            return network
        from snntoolbox.engine.layerwise import Layerwise

        run = Layerwise(network, graph, x, self.steps, device=self.device)
        if run.samples < len(x[0]):
            log.info("corrections use %d of %d samples, as many as memory holds", run.samples, len(x[0]))
        order = [n for n in network.order if n in network.populations]
        changed = {n: self._population(run, graph, network.populations[n]) for n in order}
        readouts = list(network.readouts)
        if self.readouts:
            for i, output in enumerate(dict.fromkeys(graph.outputs)):
                target = run.activation(readouts[i], output)
                kind = {"grid": network.grid is not None, "whole": network.schedule is not None}
                readouts[i] = fitted(readouts[i], run.values(readouts[i]), target, **kind)
        ordered = [changed[name] for name in network.populations]
        return bounded_anew(network.replaced(populations=ordered, readouts=readouts))

    def _population(self, run: Layerwise, graph: Graph, population: Population) -> Population:
        node = graph.nodes[population.activation]
        wanted = run.activation(population, population.activation) / np.asarray(population.scale, np.float32)
        able = isinstance(population.neuron, IF) and isinstance(node, ReLU) and node.levels is None
        able = able and run.network.schedule is None
        if self.layers is not None and able and run.samples >= FEWEST:
            population = CORRECTIONS[self.layers](run, population, wanted, self.steps // 2)
        run.keep(population)
        return population
