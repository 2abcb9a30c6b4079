"""Networks whose sources fire in turn, each in a window of its own: what follows for their counts and potentials."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from snntoolbox.errors import Unsupported
from snntoolbox.ir.binary_digits import BinaryDigits
from snntoolbox.ir.counting import Counting
from snntoolbox.ir.encodings import ConstantCurrent, Poisson
from snntoolbox.ir.latching import Latched
from snntoolbox.ir.network import Population, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.part import Part
from snntoolbox.ir.parts import (
    BinarySpikes,
    ConstantThreshold,
    Delta,
    DigitWindow,
    FiringWindow,
    FirstSpikeWindow,
    PerfectIntegrator,
    Subtract,
    ToPotential,
)
from snntoolbox.ir.tabulating import Table
from snntoolbox.ir.uneven_digits import UnevenDigitWindow


def in_turn(network: SpikingNetwork) -> bool:
    """Whether every input is there and every neuron fires in one window, with nothing else that adds to a potential."""
    schedule = network.schedule
    if schedule is None or schedule.steps is None:
        return False
    if schedule.counting is Counting.LEAD:  # its input counts more than a spike does
        return False
    codings, populations = network.encodings.values(), network.populations.values()
    windows = [p.neuron.window if isinstance(p.neuron, IF) and p.bias is None else None for p in populations]
    given = all(isinstance(e, ConstantCurrent | Poisson | BinaryDigits) and e.steps == schedule.window for e in codings)
    return given and all(window and schedule.has(window) for window in windows)


def longest(network: SpikingNetwork, steps: int) -> int:
    """What the steps count, together, in which one source sends: of so many steps all, or those of its window."""
    total = network.schedule.most if network.schedule and in_turn(network) else network.weights(0, steps).sum()
    return int(total)


def bound(network: SpikingNetwork, steps: int, current: float) -> int:
    """No |V| of a network on an integer grid exceeds this over `steps` steps: see `Grid.bound`."""
    assert network.grid is not None
    return network.grid.bound(longest(network, steps), current)


def stepwise(network: SpikingNetwork) -> list[Unsupported]:
    """Why what a network sends does not follow from the sums of what its neurons get, layer by layer.

    Nothing, where all of a neuron's input is there before its window opens, and leaves in it as its count.
    """
    schedule = network.schedule
    if schedule is None or schedule.steps is None:
        return [Unsupported(network.name, "a network without windows")]
    ends = _ends(network)
    offenders = [Unsupported(network.wiring.nodes[n].label, "delays spikes by steps") for n in network.circuit.delays]
    for population in network.populations.values():
        reasons = [*_adds(population), *_late(network, population, ends)]
        offenders += [Unsupported(population.label, reason) for reason in reasons]
    return offenders


def out_of_turn(network: SpikingNetwork) -> Iterator[Unsupported]:
    """Products whose factors are not all there, the one before the other, when their window opens."""
    ends = _ends(network)
    for population in network.populations.values():
        neuron = population.neuron
        if population.latched is not None and isinstance(neuron, IF):
            first = neuron.window[0] if neuron.window else 0
            reasons = _unfinished(network, population, ends, first) if first else ["fires from the first step on"]
            yield from (Unsupported(population.label, reason) for reason in reasons)


def _ends(network: SpikingNetwork) -> dict[str, float]:
    """The step behind the last in which a source may send, for those that have one."""
    ends = {name: getattr(coding, "steps", None) or inf for name, coding in network.encodings.items()}
    neurons = {n: p.neuron for n, p in network.populations.items()}
    return ends | {n: neuron.window[1] for n, neuron in neurons.items() if isinstance(neuron, IF) and neuron.window}


_PLAIN: tuple[type[Part], ...] = (
    *(Delta, Latched, PerfectIntegrator, ConstantThreshold, BinarySpikes, Subtract),
    *(FiringWindow, DigitWindow, UnevenDigitWindow, FirstSpikeWindow, Table),
)
"""Parts with which a sum leaves in a window as its count; `FirstSpikeWindow` also with a reset to 0."""


def _adds(population: Population) -> Iterator[str]:
    """What makes the count of a population another than the levels of a sum."""
    neuron = population.neuron
    if not isinstance(neuron, IF):
        yield "gates let spikes through step by step"
        return
    if neuron.parts.openings is None:
        yield "fires all the time"
    plain = (*_PLAIN, ToPotential) if neuron.counting is Counting.LEAD else _PLAIN
    for part in neuron.parts:
        if type(part) not in plain or part in neuron.special:
            yield ", ".join(feature.words for feature in part.features) or type(part).__name__
    if population.bias is not None:
        yield "a bias in every step"
    if population.pulses:
        yield "pulses of current"


def _late(network: SpikingNetwork, population: Population, ends: dict[str, float]) -> Iterator[str]:
    """Windows of another length than the network's, and sources that still send in them."""
    neuron = population.neuron
    assert network.schedule is not None
    if not isinstance(neuron, IF) or neuron.window is None:
        return
    first, last = neuron.window
    if not network.schedule.has(neuron.window):
        yield f"a window of {last - first} steps"
    yield from _unfinished(network, population, ends, first)


def _unfinished(network: SpikingNetwork, population: Population, ends: dict[str, float], first: int) -> Iterator[str]:
    """Sources that still send in a window that opens with step `first`, or are counted while others are multiplied."""
    for source in sorted(network.fed_by(population.name)):
        if ends.get(source, inf) > first:
            yield f"may get input from {source} when its window is open"
    if population.latched is not None:
        begins = min((_begin(network, s) for s in network.sources[population.current]), default=inf)
        for source in sorted(network.sources[population.latched]):
            if ends.get(source, inf) > begins:
                yield f"may count {source} when what it multiplies has begun"


def _begin(network: SpikingNetwork, source: str) -> float:
    """The first step in which a source may send."""
    population = network.populations.get(source)
    neuron = None if population is None else population.neuron
    return neuron.window[0] if isinstance(neuron, IF) and neuron.window else 0
