"""Tells why a population's raster departs from the semantics: by replaying it under one other rule after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from snntoolbox.analysis.comparison.comparison import Cause
from snntoolbox.analysis.comparison.replay import Replay
from snntoolbox.ir.encodings import Poisson, spike_trains
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.neurons import Reset, has_usual_parts
from snntoolbox.ir.node import Array

LATE = (1, 2, 3, -1)
"""Shifts in steps that are tried; -1 is a step early."""
EXPLAINED = 0.05
"""A rule explains a raster if it leaves at most this share of the cells that the semantics leave."""
EXACT = 1e-4
"""Currents that differ by at most this share are the right ones: potentials may be kept in single precision."""
SMALL = 0.05
"""Currents that differ by at most this share of all that arrives differ by rounding."""
NEAR = 1e-4
"""How near to the threshold, in thresholds, rounding decides, where no potentials say more."""
OTHER_SAMPLES = 3
"""Trains of so many other samples are tried in place of the right one."""


@dataclass(frozen=True)
class Explanation:
    """A class and what speaks for it."""

    cause: Cause
    evidence: str


def explain(
    raster: Array,
    replay: Replay,
    network: SpikingNetwork,
    sample: int,
    coded: Mapping[str, Array],
    traces: Array | None,
) -> Explanation:
    """Why `raster` (steps, *shape), a simulator's raster of one population, is not what the semantics give.

    `coded` holds the sample of each input of the network, `traces` the potentials (steps, *shape) recorded with it.
    """
    predicted = replay.spikes()
    unexplained = int(np.count_nonzero(predicted != raster))
    share = None if traces is None else _deviation(raster, replay, traces)
    best: tuple[int, Explanation] | None = None
    for explanation, other in _rules(replay, predicted, network, sample, coded):
        if share is not None and share > EXACT and explanation.cause in (Cause.COMPARISON, Cause.RESET):
            continue  # these leave the currents as they are
        left = int(np.count_nonzero(other != raster))
        if best is None or left < best[0]:
            best = left, explanation
        if left == 0:
            break
    if best is not None and best[0] <= EXPLAINED * unexplained:
        left, explanation = best
        evidence = f"{explanation.evidence} leaves {left} of the {unexplained} cells that the semantics leave"
        return Explanation(explanation.cause, f"replayed with the simulator's own input, {evidence}")
    return _by_currents(replay, network, share)


Ruling = Iterator[tuple[Explanation, Array]]


def _rules(
    replay: Replay, predicted: Array, network: SpikingNetwork, sample: int, coded: Mapping[str, Array]
) -> Ruling:
    """Rasters under other rules, the likeliest first."""
    for k in LATE:
        yield Explanation(Cause.DELAY, f"the raster {_steps(k)}"), shifted(predicted, k)
    neuron = replay.population.neuron
    if has_usual_parts(neuron):
        strict = replace(neuron, threshold=np.nextafter(neuron.threshold, np.inf))
        yield Explanation(Cause.COMPARISON, "a comparison by > in place of >="), replay.spikes(strict)
        for reset in () if neuron.graded else Reset:  # spikes that carry values are only ever subtracted
            if reset is not neuron.reset:
                yield Explanation(Cause.RESET, f"reset '{reset}'"), replay.spikes(replace(neuron, reset=reset))
    yield from _late(replay)
    yield from _other_trains(replay, network, sample, coded)


def _late(replay: Replay) -> Ruling:
    """What arrives comes later: all of it, or the spikes of one source alone."""
    arriving = replay.arriving
    for k in LATE if arriving else ():
        trains = {n: shifted(t, k) for n, t in arriving.items()}
        yield Explanation(Cause.DELAY, f"incoming spikes {_steps(k)}"), replay.spikes(arriving=trains)
        for name in arriving if len(arriving) > 1 else ():
            evidence = f"spikes of '{name}' {_steps(k)}"
            yield Explanation(Cause.DELAY, evidence), replay.spikes(arriving={name: trains[name]})


def _other_trains(replay: Replay, network: SpikingNetwork, sample: int, coded: Mapping[str, Array]) -> Ruling:
    """Trains of coded inputs as they are often got wrong."""
    for name, coding in network.encodings.items():
        if name not in replay.arriving:
            continue
        train = replay.arriving[name]
        unsigned = replay.spikes(arriving={name: np.abs(train)})
        yield Explanation(Cause.INPUT, f"input '{name}' without the signs"), unsigned
        silent = replay.spikes(arriving={name: np.zeros_like(train)})
        yield Explanation(Cause.INPUT, f"input '{name}' silent"), silent
        for other in range(OTHER_SAMPLES):
            if isinstance(coding, Poisson) and other != sample:
                trains = spike_trains(coded[name][None], len(train), coding, other)[:, 0]
                evidence = f"input '{name}' with the random numbers of sample {other}"
                yield Explanation(Cause.INPUT, evidence), replay.spikes(arriving={name: trains})


def _by_currents(replay: Replay, network: SpikingNetwork, share: float | None) -> Explanation:
    """What the recorded potentials say about the currents that came."""
    inputs = sorted(n for n in (*replay.arriving, *replay.constant) if n in network.encodings)
    if share is None:
        if not network.grid and _near_ties(replay):
            return Explanation(Cause.ROUNDING, f"potentials come within {NEAR:g} thresholds of the threshold")
        return Explanation(Cause.UNKNOWN, "no other rule explains the raster, and no potentials were recorded")
    evidence = f"the currents that its potentials show differ by {share:.2g} of all that arrives"
    unexplained = f"{evidence}, and no other rule explains the raster"
    if share <= SMALL:
        return Explanation(Cause.ROUNDING, unexplained)
    if inputs:
        return Explanation(Cause.INPUT, f"{evidence}; it reads the coded input {', '.join(inputs)}")
    return Explanation(Cause.UNKNOWN, f"{unexplained}: other weights, or another map?")


def _deviation(raster: Array, replay: Replay, traces: Array) -> float | None:
    """How far the currents behind recorded potentials are from the right ones, as a share of the latter.

    Where no spike is fired, I[t] = V[t] - leak V[t-1], for every rule of reset; not while a neuron is refractory or
    at a limit of its potential.
    """
    neuron = replay.population.neuron
    if not has_usual_parts(neuron):
        return None
    start = np.broadcast_to(neuron.initial, traces.shape[1:])[None]
    previous = np.concatenate([start, traces[:-1]])
    quiet = raster == 0
    for k in range(1, neuron.refractory + 1):
        quiet &= shifted(raster, k) == 0
    if neuron.saturation is not None:
        quiet &= (traces > neuron.saturation[0]) & (traces < neuron.saturation[1])
    right, came = replay.currents[quiet], (traces - neuron.leak * previous)[quiet]
    return float(np.abs(came - right).sum() / max(np.abs(right).sum(), 1e-30))


def _near_ties(replay: Replay) -> bool:
    """Whether a threshold that is a little lower changes the raster."""
    neuron = replay.population.neuron
    if not has_usual_parts(neuron):
        return False
    lower = replace(neuron, threshold=np.multiply(neuron.threshold, 1 - NEAR))
    return bool(np.any(replay.spikes(lower) != replay.spikes()))


def shifted(train: Array, steps: int) -> Array:
    """A train (steps, ...) that comes `steps` later, silent before; earlier for a negative number."""
    moved = np.zeros_like(train)
    if steps >= 0:
        moved[steps:] = train[: len(train) - steps]
    else:
        moved[:steps] = train[-steps:]
    return moved


def _steps(k: int) -> str:
    count = f"{abs(k)} step{'s' if abs(k) > 1 else ''}"
    return f"{count} {'later' if k > 0 else 'earlier'}"
