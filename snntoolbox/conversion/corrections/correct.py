"""Corrects a network on calibration samples, layer by layer, each on the spikes of the corrected ones before it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from snntoolbox.conversion.corrections.correct_layers import CORRECTIONS
from snntoolbox.conversion.corrections.correct_readouts import at_end, fitted
from snntoolbox.conversion.spiking.quantize import bounded_anew
from snntoolbox.ir.encodings import SpikeTimes
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import Population, Readout, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array
from snntoolbox.ir.nodes import ReLU
from snntoolbox.ir.progress import counted

if TYPE_CHECKING:
    from snntoolbox.engine.layerwise import Layerwise

log = logging.getLogger(__name__)

FEWEST = 16
"""Below so many samples means say too little, and the layers are left alone."""


@dataclass(frozen=True, kw_only=True)
class Correct:
    """The pass, for runs of `steps` steps.

    `layers` names what is done to each population (see `CORRECTIONS`); `readouts` whether read-outs are fitted.
    Networks with a schedule and most rectifiers with levels (see `correctable`) are exact: they are left alone. One
    pass over the network: each layer's maps run once over all steps, its neurons two to sixteen times; so it takes
    about as long as simulating the samples two to five times. Memory is bounded: where it does not suffice, fewer
    samples are used.
    """

    steps: int
    layers: str = "search"
    readouts: bool = True
    device: str = "cpu"

    def __call__(self, network: SpikingNetwork, graph: Graph, x: Sequence[Array]) -> SpikingNetwork:
        """The corrected network, where `graph` is the analogue network and `x` samples for each of its inputs."""
        if timed(network) or not len(x[0]):
            return network
        from snntoolbox.engine.layerwise import Layerwise

        run = Layerwise(network, graph, x, self.steps, device=self.device)
        if run.samples < len(x[0]):
            log.info("corrections use %d of %d samples, as many as memory holds", run.samples, len(x[0]))
        changed = self._populations(run, graph)
        readouts = list(network.readouts)
        if self.readouts:
            readouts = [fit for fit, _, _ in self._fits(run, graph)]
        return bounded_anew(network.replaced(populations=changed, readouts=readouts))

    def outputs(
        self, network: SpikingNetwork, graph: Graph, x: Sequence[Array], held: int
    ) -> list[tuple[Array, Array]]:
        """For each read-out what the corrected network says on the last `held` samples, and what the original says.

        The corrections do not see those samples. Where memory holds fewer than all, the share held back is the same.
        """
        from snntoolbox.engine.layerwise import Layerwise, capacity

        fitting = min(len(x[0]), capacity(network, self.steps))
        held = held * fitting // len(x[0])
        kept = np.r_[: fitting - held, len(x[0]) - held : len(x[0])]
        run = Layerwise(network, graph, [a[kept] for a in x], self.steps, device=self.device, held=held)
        self._populations(run, graph)
        return [(outputs[run.tried :], target[run.tried :]) for _, outputs, target in self._fits(run, graph)]

    def _populations(self, run: Layerwise, graph: Graph) -> list[Population]:
        """All populations, corrected, in the order of the network's."""
        order = [n for n in run.network.order if n in run.network.populations]
        layers = counted("Correcting layers", order)
        changed = {n: self._population(run, graph, run.network.populations[n]) for n in layers}
        return [changed[name] for name in run.network.populations]

    def _population(self, run: Layerwise, graph: Graph, population: Population) -> Population:
        target = run.activation(population, population.activation) / np.asarray(population.scale, np.float32)
        if correctable(run.network, graph, population) and run.tried >= FEWEST:
            population = CORRECTIONS[self.layers](run, population, target[: run.tried], self.steps // 2)
        run.keep(population)
        return population

    def _fits(self, run: Layerwise, graph: Graph) -> Iterator[tuple[Readout, Array, Array]]:
        """Each read-out, fitted if asked, with what it says at the end on every sample and what it should say."""
        kind = {"grid": run.network.grid is not None, "whole": run.network.schedule is not None}
        for readout, output in zip(run.network.readouts, dict.fromkeys(graph.outputs), strict=True):
            target = run.activation(readout, output)
            values = run.values(readout)
            fit = fitted(readout, values[:, : run.tried], target[: run.tried], **kind) if self.readouts else readout
            yield fit, at_end(fit, readout, values), target


def timed(network: SpikingNetwork) -> bool:
    """Whether spike times go in: analogue samples are no trains, so nothing can be learnt from them."""
    return any(isinstance(e, SpikeTimes) for e in network.encodings.values())


def correctable(network: SpikingNetwork, graph: Graph, population: Population) -> bool:
    """Whether a population is rectifiers that fire all the time.

    Those with levels (QCFS) are exact as they are, unless a refractory period takes input from them.
    """
    node, neuron = graph.nodes[population.activation], population.neuron
    if network.schedule is not None or not isinstance(neuron, IF) or not isinstance(node, ReLU):
        return False
    return node.levels is None or neuron.parts.pause is not None
