"""Lets the layers of a network fire one after the other, so that it equals its quantised analogue network.

Each layer integrates while its sources fire and then fires for T steps in a window of its own. As all of its input S is
there before its first spike, the order of spikes counts for nothing: with V0 and bias b it sends exactly

    clip(floor((S + V0 + T b) / theta), 0, T)

spikes, the T-level quantisation of its activation (accumulate, then fire: arXiv 2412.13610).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from snntoolbox.errors import ConversionError, Unsupported, UnsupportedError
from snntoolbox.ir.encodings import ConstantCurrent, Encoding, Poisson
from snntoolbox.ir.network import Population, Schedule, SpikingNetwork
from snntoolbox.ir.neurons import IF, Reset

HINT = "schedule = phased needs plain neurons: reset = subtract, leak = False, tau_refrac = 0, maxpool_type = relu_tree"


class Window(NamedTuple):
    """The steps first <= t < last, counted from 0."""

    first: int
    last: int


@dataclass(frozen=True)
class Phased:
    """The pass: windows of `window` steps (T). Inputs are presented for T steps; biases go to the start potentials.

    A population at depth d (the longest path to it from an input) fires in steps d T ... (d + 1) T - 1, behind all of
    its sources, so a run of a network of depth L takes (L + 1) T steps. UnsupportedError lists what cannot wait.
    """

    window: int

    def __call__(self, network: SpikingNetwork) -> SpikingNetwork:
        """The network with its schedule; counts are divided by T."""
        if self.window < 1:
            raise ConversionError(f"windows of {self.window} steps", hint="a duration of at least one step")
        if offenders := unphasable(network):
            raise UnsupportedError("schedule = phased", offenders, hint=HINT)
        windows = firing_windows(network, self.window)
        populations = [self._population(p, windows[n]) for n, p in network.populations.items()]
        encodings = {name: presented_for(self.window, coding) for name, coding in network.encodings.items()}
        schedule = Schedule(
            "phased",
            window=self.window,
            steps=max(w.last for w in windows.values()),
            interval=interval(network, windows, membranes=1),
            interval_two=interval(network, windows, membranes=2),
        )
        readouts = [replace(r, start=0) for r in network.readouts]
        grid = network.grid
        if grid is not None:
            starts = [np.abs(p.neuron.initial).max() for p in populations if isinstance(p.neuron, IF)]
            grid = replace(grid, start=int(max(starts, default=0)))
        return network.replaced(
            populations=populations, encodings=encodings, readouts=readouts, schedule=schedule, grid=grid
        )

    def _population(self, population: Population, window: Window) -> Population:
        neuron = population.neuron
        assert isinstance(neuron, IF)
        bias = 0.0 if population.bias is None else population.bias
        initial = neuron.initial + self.window * np.asarray(bias)
        waiting = replace(neuron, initial=initial, window=(window.first, window.last))
        return replace(population, neuron=waiting, bias=None)


def presented_for(steps: int, coding: Encoding) -> Encoding:
    """The coding, silent after so many steps."""
    if not isinstance(coding, (ConstantCurrent, Poisson)):
        raise ConversionError(f"{type(coding).__name__} input has times of its own")
    return replace(coding, steps=steps)


def unphasable(network: SpikingNetwork) -> list[Unsupported]:
    """Every population or input that cannot wait for its window, with the reason."""
    found = []
    for population in network.populations.values():
        found += [Unsupported(population.label, reason) for reason in _reasons(population)]
    for name, coding in network.encodings.items():
        if not isinstance(coding, (ConstantCurrent, Poisson)):
            found.append(Unsupported(name, f"{type(coding).__name__} input, which has times of its own"))
    return found


def _reasons(population: Population) -> list[str]:
    neuron = population.neuron
    if not isinstance(neuron, IF):
        return ["max pooling by a gate on spike counts, which needs its input's spikes step by step"]
    wrong = {
        f"reset '{neuron.reset}'": neuron.reset is not Reset.SUBTRACT,
        "leak": neuron.leak != 1,
        "refractory period": neuron.refractory != 0,
        "spikes with values or signs": neuron.graded,
        "pulses of current": bool(population.pulses),
        "a window of its own": neuron.window is not None,
        "potentials that saturate": neuron.saturation is not None,
    }
    return [reason for reason, holds in wrong.items() if holds]


def firing_windows(network: SpikingNetwork, steps: int) -> dict[str, Window]:
    """For each input the steps in which it is presented, for each population those in which it fires."""
    depths = {n: network.depths[n] for n in (*network.encodings, *network.populations)}
    return {name: Window(depth * steps, (depth + 1) * steps) for name, depth in depths.items()}


def interval(network: SpikingNetwork, windows: Mapping[str, Window], *, membranes: int) -> int:
    """The least number of steps from one sample to the next.

    With one membrane a neuron is busy from its first source's first step to its own last one. With two it collects the
    next sample on one while it fires from the other, so it needs the longer of both times. A read-out is busy while its
    sources fire. Between neighbouring layers that makes 2 T and T; a connection over several layers takes longer.
    """
    longest = max(w.last - w.first for w in windows.values())
    for target, current in network.targets.items():
        sources = [windows[s] for s in network.sources[current]]
        first = min((w.first for w in sources), default=0)
        own = windows.get(target)
        if own is None:
            busy = max((w.last for w in sources), default=0) - first
        else:
            busy = own.last - first if membranes == 1 else own.first - first
        longest = max(longest, busy)
    return longest
