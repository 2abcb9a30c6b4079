"""Puts a spiking network on the integer grid, so that every target computes the same sums exactly.

Per output channel c the threshold becomes an integer theta_c and every incoming weight round(theta_c w). Choosing the
threshold first keeps it exact: theta_c = floor((2^(bits-1) - 1) / max|w|). Bias and start potential are rounded to the
same grid; pooling divisors are moved into the weights.

Where the weights of a channel lie on a grid of their own, w = k_c q with integers q that fit the bits, they become q,
and it is the threshold that is rounded: theta_c = round(1 / k_c). While no |w| is above 1 that is no further from any
weight than the other rounding may be, half a unit. What is read out has no threshold, so that nothing is rounded there.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from snntoolbox.conversion.spiking.grid_bounds import LARGEST_THRESHOLD, bounded_anew
from snntoolbox.conversion.spiking.raise_scales import raise_scales
from snntoolbox.conversion.spiking.single_weights import SingleWeights
from snntoolbox.errors import ConversionError, Unsupported, UnsupportedError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import Grid, Population, Readout, SpikingNetwork
from snntoolbox.ir.neurons import IF, Reset
from snntoolbox.ir.node import Array, Node

__all__ = ["Quantize", "bounded_anew"]

log = logging.getLogger(__name__)

@dataclass(frozen=True)
class Quantize:
    """The pass: `weight_bits` from 2 to 16, sign included. Not exact: the rounded network is another network.

    With a `threshold` that is the one of all neurons, and not the largest that a channel's weights allow.

    Every path from a source to a target must carry exactly one set of weights; where two follow one another, or none
    stands on a path, the map is composed to one sparse matrix first.
    """

    weight_bits: int = 8
    threshold: int | None = None

    @property
    def most(self) -> float:
        """The largest weight in thresholds."""
        return self.limit / (self.threshold or 1)

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
        ends = [end for p in populations for end in p.currents] + [r.current for r in readouts]
        wiring = Graph(nodes.values(), ends, name=network.name)
        placed = network.replaced(wiring=wiring, populations=populations, readouts=readouts)
        return bounded_anew(placed.replaced(grid=Grid(weight_bits=self.weight_bits, start=0, growth=0)))

    def fitting(self, network: SpikingNetwork) -> SpikingNetwork:
        """The network with higher scales where a weight is more thresholds than the largest integer: still exact.

        ConversionError or UnsupportedError for bits and neurons that have no grid. A channel that is raised is small
        beside those that feed it. It loses some of its resolution at few steps and becomes larger for those that it
        feeds, which come later and so are looked at later. A table is read more coarsely instead.
        """
        if not 2 <= self.weight_bits <= 16:
            raise ConversionError(f"weight_bits = {self.weight_bits} is not from 2 to 16")
        _check_neurons(network, self.threshold)
        gains: dict[str, Array] = {}
        coarser: dict[str, Array] = {}
        raised: list[str] = []
        rough: list[str] = []
        for name in [n for n in network.order if n in network.populations]:
            population = network.populations[name]
            if not isinstance(population.neuron, IF):
                if population.current in gains:  # a gate hands on what it reads
                    gains[name] = gains[population.current]
                continue
            peaks = self._peaks(network, population, gains)
            if np.any(peaks > self.most):
                found, labels = (gains, raised) if population.neuron.table is None else (coarser, rough)
                found[name] = np.maximum(peaks / self.most, 1.0)
                labels.append(f"{population.label} ({int((peaks > self.most).sum())} of {peaks.size} channels)")
        fitting = raise_scales(network, gains, coarser) if gains or coarser else network
        unbounded = [fitting.populations[name].label for name in gains if _above_bound(fitting.populations[name])]
        for labels, what in ((raised, "spike less often"), (rough, "read their tables more coarsely")):
            if labels:
                told = "weights above %g thresholds: %s %s, so that they fit %d bits"
                log.warning(told, self.most, ", ".join(dict.fromkeys(labels)), what, self.weight_bits)
        if unbounded:
            log.warning(
                "the upper bound of %s no longer holds where one spike per step stands for more: more bits keep it",
                ", ".join(unbounded),
            )
        return fitting

    def _population(self, network: SpikingNetwork, population: Population, nodes: dict[str, Node]) -> Population:
        if not isinstance(population.neuron, IF):
            return population
        if population.latched is not None:
            return self._product(network, population, nodes)
        part = SingleWeights(network, population.name, population.current)
        channels = part.channel_peaks()
        # Without incoming spikes only the rounding of the input current counts: a finer grid costs no weights.
        spare = float(2 ** (self.weight_bits + 2))
        with np.errstate(divide="ignore"):
            # A raised channel fits to within rounding.
            theta = np.where(channels > 0, np.floor(self.limit / channels * (1 + 1e-12)), spare)
        theta = np.minimum(theta, LARGEST_THRESHOLD) if self.threshold is None else np.full_like(theta, self.threshold)
        factor, theta = self._kept(part, channels, theta)
        current = part.scaled(factor, nodes)
        neuron = replace(
            population.neuron,
            threshold=theta,
            initial=np.rint(population.neuron.initial * theta),
            reset_potential=float(np.rint(population.neuron.reset_potential)),
        )
        bias = None if population.bias is None else np.rint(population.bias * factor)
        pulses = {step: np.rint(pulse * factor) for step, pulse in population.pulses.items()}
        return replace(population, neuron=neuron, current=current, bias=bias, pulses=pulses)

    def _kept(self, part: SingleWeights, channels: Array, theta: Array) -> tuple[Array, Array]:
        """What weights are multiplied by, and thresholds: channels on grids of their own keep their integers."""
        steps = part.own_steps(self.limit) if self.threshold is None else np.zeros_like(theta)
        inverse = np.divide(1.0, steps, out=np.zeros_like(steps), where=steps > 0)
        own = (steps > 0) & (channels <= 1) & (inverse < LARGEST_THRESHOLD)
        return np.where(own, inverse, theta), np.where(own, np.rint(inverse), theta)

    def _peaks(self, network: SpikingNetwork, population: Population, gains: Mapping[str, Array]) -> Array:
        """For each channel the largest weight, or of a product what each weight of it is beside the largest integer."""
        peaks = SingleWeights(network, population.name, population.current, gains).channel_peaks()
        if population.latched is None:
            return peaks
        counted = SingleWeights(network, population.name, population.latched, gains).channel_peaks()
        assert isinstance(population.neuron, IF)
        products = outer(population.neuron, peaks, counted) / self.limit
        return np.asarray(products.max(axis=tuple(range(1, products.ndim)), keepdims=True))

    def _product(self, network: SpikingNetwork, population: Population, nodes: dict[str, Node]) -> Population:
        """Both maps of a product on the grid, each with weights up to the largest; the threshold takes both factors."""
        neuron, ends, factors = population.neuron, list[str](), list[Array]()
        assert isinstance(neuron, IF)
        assert population.latched is not None
        for name, current in ((population.name, population.current), (f"{population.name}|", population.latched)):
            part = SingleWeights(network, name, current)
            channels = part.channel_peaks()
            factor = self.limit / np.where(channels > 0, channels, channels.max() or 1.0)
            ends.append(part.scaled(factor, nodes))
            factors.append(factor)
        unit = outer(neuron, *factors)
        theta = np.maximum(np.rint(neuron.threshold * unit), 1.0)
        gridded = replace(neuron, threshold=theta, initial=np.rint(neuron.initial * unit))
        return replace(population, neuron=gridded, current=ends[0], latched=ends[1])

    def _readout(self, network: SpikingNetwork, readout: Readout, nodes: dict[str, Node]) -> Readout:
        part = SingleWeights(network, readout.name, readout.current)
        peak, steps = float(part.peak().max()), part.own_steps(self.limit)
        factor = self.limit / peak if peak else float(2 ** (self.weight_bits + 2))
        if steps.size and steps.min() > 0 and np.ptp(steps) <= 1e-6 * steps.max():
            factor = 1 / float(steps.max())
        current = part.scaled(np.full((1,) * len(readout.shape), factor), nodes)
        bias = None if readout.bias is None else np.rint(readout.bias * factor)
        return replace(readout, current=current, bias=bias, scale=readout.scale / factor)


def _above_bound(population: Population) -> bool:
    """Whether a neuron can say more than the upper bound of the rectifier that it stands for."""
    if population.bound is None or not isinstance(population.neuron, IF):
        return False
    return bool(np.any(population.scale * population.neuron.largest_rate > population.bound * (1 + 1e-9)))


def _check_neurons(network: SpikingNetwork, threshold: int | None) -> None:
    offenders = []
    for population in network.populations.values():
        neuron = population.neuron
        if isinstance(neuron, IF) and neuron.leak != 1:
            offenders.append(Unsupported(population.label, "a leak, which leaves the integer grid"))
        if isinstance(neuron, IF) and neuron.reset is Reset.ZERO and neuron.reset_potential != 0:
            offenders.append(Unsupported(population.label, "a reset potential other than 0"))
        if isinstance(neuron, IF) and neuron.latched and threshold is not None:
            offenders.append(Unsupported(population.label, "a product of counts, whose threshold is no free choice"))
        if isinstance(neuron, IF) and neuron.saturation is not None:
            offenders.append(Unsupported(population.label, "potentials that saturate, which can only be set after it"))
        if isinstance(neuron, IF) and any(neuron.synaptic):
            offenders.append(Unsupported(population.label, "synaptic currents that last, which leave the integer grid"))
        if isinstance(neuron, IF) and any(level != int(level) for level in neuron.levels):
            offenders.append(Unsupported(population.label, "spikes that carry fractions of a threshold"))
        if isinstance(neuron, IF):
            offenders += [Unsupported(population.label, words) for words in neuron.special_words]
    if offenders:
        hint = "weight_bits = 0, or leak = False, v_reset = 0, no v_limits, tau_syn_E and tau_syn_I, and whole levels"
        raise UnsupportedError("quantisation", offenders, hint=hint)


def outer(neuron: IF, one: Array, other: Array) -> Array:
    """What the products of a neuron have of factors that their channels have: for each sum that of its two rows."""
    if neuron.contraction is None:
        return one * other
    sums = replace(neuron.contraction, terms=1)
    wide = [np.broadcast_to(factor, shape) for factor, shape in zip((one, other), sums.factors, strict=True)]
    return np.asarray(sums.of(*(factor[None] for factor in wide))[0])
