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
    pass over the network: each layer's maps run once over all steps, its neurons two to sixteen times on the same
    currents; so it takes about as long as simulating the samples twice. Memory is bounded: where it does not suffice,
    fewer samples are used.
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
        if not self.readouts:
            return bounded_anew(network.replaced(populations=self._populations(run, graph)))
        return self._corrected(run, graph)[0]

    def outcome(
        self,
        network: SpikingNetwork,
        graph: Graph,
        x: Sequence[Array],
        held: int,
        activations: dict[str, Array] | None = None,
    ) -> tuple[SpikingNetwork, list[tuple[Array, Array]]]:
        """The network, corrected on all but the last `held` samples, and for each read-out what it says on these.

        Beside that stands what the original says. Where memory holds fewer than all, the share held back is the same.
        `activations` are kept for others that ask the same graph, on the same samples.
        """
        from snntoolbox.engine.layerwise import Layerwise, capacity

        fitting = min(len(x[0]), capacity(network, self.steps))
        held = held * fitting // len(x[0])
        kept = np.r_[: fitting - held, len(x[0]) - held : len(x[0])]
        some = [a[kept] for a in x]
        run = Layerwise(network, graph, some, self.steps, device=self.device, held=held, activations=activations)
        corrected, fits = self._corrected(run, graph)
        return corrected, [(outputs[run.tried :], target[run.tried :]) for _, outputs, target in fits]

    def _corrected(
        self, run: Layerwise, graph: Graph
    ) -> tuple[SpikingNetwork, list[tuple[Readout, Array, Array]]]:
        """The corrected network, and what its read-outs say: see `_fits`."""
        changed = self._populations(run, graph)
        fits = list(self._fits(run, graph))
        return bounded_anew(run.network.replaced(populations=changed, readouts=[fit for fit, _, _ in fits])), fits

    def _populations(self, run: Layerwise, graph: Graph) -> list[Population]:
        """All populations, corrected, in the order of the network's."""
        order = [n for n in run.network.order if n in run.network.populations]
        layers = counted(f"Correcting layers: {self.layers}, {run.tried} samples", order)
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
