"""Lets the layers of a network fire one after the other, so that it equals its quantised analogue network.

Each layer integrates while its sources fire and then fires for T steps in a window of its own. As all of its input S is
there before its first spike, the order of spikes counts for nothing: with V0 and bias b it sends exactly

    clip(floor((S + V0 + T b) / theta), 0, T)

spikes, the T-level quantisation of its activation (accumulate, then fire: arXiv 2412.13610). Where the B steps of a
window are binary digits, T = 2^B - 1 levels take B steps: its spikes are the digits of that number (`DigitWindow`).
Where a neuron fires once, the time of its spike says that number, of T levels in T steps (`FirstSpikeWindow`).
Where it has a table, it sends what that has at floor((S + V0 + T b) / theta), from below 0 on (`Table`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import accumulate
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from snntoolbox.conversion.schedules.plain_neurons import hint_for, not_plain, presented_for
from snntoolbox.conversion.spiking.grid_bounds import bounded_anew
from snntoolbox.errors import ConversionError, Unsupported, UnsupportedError
from snntoolbox.ir.binary_digits import BinaryDigits
from snntoolbox.ir.counting import Counting
from snntoolbox.ir.encodings import Encoding
from snntoolbox.ir.latency import Latency
from snntoolbox.ir.network import Population, Schedule, SpikingNetwork
from snntoolbox.ir.neurons import IF, Reset
from snntoolbox.ir.turns import bound


class Window(NamedTuple):
    """The steps first <= t < last, counted from 0."""

    first: int
    last: int


_NAMES = {Counting.ONE: "phased", Counting.DIGIT: "radix", Counting.LEAD: "first-spike"}


@dataclass(frozen=True)
class FireInTurn:
    """The pass: windows of `window` steps (w). Inputs are presented for w steps; biases go to the start potentials.

    A population at depth d (the longest path to it from an input) fires in steps d w ... (d + 1) w - 1, behind all of
    its sources, so a run of a network of depth L takes (L + 1) w steps. `counting` says what
    a spike stands for; where that is its lead, inputs are presented in the first step, which counts w times.
    `own` has the steps of the windows of populations, or of all that stand for an activation, that have others: see
    `firing_windows`.
    UnsupportedError lists what cannot wait.
    """

    window: int
    counting: Counting = Counting.ONE
    own: Mapping[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The schedule, as users write it."""
        return _NAMES[self.counting]

    @property
    def levels(self) -> int:
        """T, the largest number that the spikes of a window can say."""
        return self.counting.total(self.window)

    def steps_of(self, population: Population) -> int:
        """How many steps the window of a population has."""
        return self.own.get(population.name, self.own.get(population.activation, self.window))

    def most(self, population: Population) -> int:
        """T of the window that a population has."""
        return self.counting.total(self.steps_of(population))

    def __call__(self, network: SpikingNetwork) -> SpikingNetwork:
        """The network with its schedule; counts are divided by T. ConversionError for windows without a step."""
        if self.window < 1:
            raise ConversionError(f"a window of {self.window} steps is shorter than one step", hint="a longer duration")
        if offenders := not_plain(network):
            raise UnsupportedError(f"schedule = {self.name}", offenders, hint=hint_for(self.name))
        known = {*network.populations, *(p.activation for p in network.populations.values())}
        if unknown := [name for name in self.own if name not in known]:
            raise ConversionError(f"there is no layer {', '.join(unknown)} that could have a window of its own")
        own = {name: self.steps_of(p) for name, p in network.populations.items()}
        windows = firing_windows(network, self.window, own)
        ends = tuple(sorted({w.last for w in windows.values()}))
        ends = () if all(w.last - w.first == self.window for w in windows.values()) else ends
        if offenders := _uncounted(network, windows):
            raise UnsupportedError(f"schedule = {self.name}", offenders, hint="a rectifier more before one of them")
        populations = [self._population(p, windows[n], ends) for n, p in network.populations.items()]
        encodings = {name: self._presented(coding) for name, coding in network.encodings.items()}
        schedule = Schedule(
            self.name,
            window=self.window,
            steps=max(w.last for w in windows.values()),
            interval=interval(network, windows, membranes=1),
            interval_two=interval(network, windows, membranes=2),
            counting=self.counting,
            ends=ends,
        )
        readouts = [replace(r, start=0) for r in network.readouts]
        grid = network.grid
        if grid is not None:
            starts = [np.abs(p.neuron.initial).max() for p in populations if isinstance(p.neuron, IF)]
            grid = replace(grid, start=int(max(starts, default=0)))
        waiting = network.replaced(
            populations=populations, encodings=encodings, readouts=readouts, schedule=schedule, grid=grid
        )
        tables = any(isinstance(p.neuron, IF) and p.neuron.table for p in populations)
        if waiting.circuit.latched or tables:  # biases are in the start potentials now, products grow with T twice
            waiting = bounded_anew(waiting)
            _check_exact(waiting)
        return waiting

    def _presented(self, coding: Encoding) -> Encoding:
        """An input in the first window; where neurons fire once, one that spikes by its value does so too."""
        once = self.counting is Counting.LEAD
        if isinstance(coding, BinaryDigits):
            return replace(coding, window=self.window)
        if isinstance(coding, Latency):
            return replace(coding, window=self.window, steps=self.window, lasting=not once)
        return presented_for(1 if once else self.window, coding)

    def _population(self, population: Population, window: Window, ends: tuple[int, ...]) -> Population:
        neuron, levels = population.neuron, self.most(population)
        assert isinstance(neuron, IF)
        if neuron.table is not None and neuron.table.levels != levels:
            told = f"its table is for windows of {neuron.table.levels} levels, not of {levels}"
            raise ConversionError(told, layer=population.label, hint="convert the model anew for other windows")
        bias = 0.0 if population.bias is None else population.bias
        initial, threshold = neuron.initial + self.levels * np.asarray(bias), neuron.threshold
        if neuron.latched:  # T a times T b is T times T a b
            initial, threshold = self.levels * initial, self.levels * np.asarray(threshold, np.float64)
        reset = Reset.ZERO if self.counting is Counting.LEAD else neuron.reset
        ends = ends if self.counting is Counting.DIGIT else ()
        timed: dict[str, Any] = {"window": (window.first, window.last), "counting": self.counting, "ends": ends}
        waiting = replace(neuron, initial=initial, threshold=threshold, reset=reset, **timed)
        return replace(population, neuron=waiting, bias=None)


def firing_windows(
    network: SpikingNetwork, steps: int, own: Mapping[str, int] = MappingProxyType({})
) -> dict[str, Window]:
    """For each input the steps in which it is presented, for each population those in which it fires.

    A population has `own` steps, or else `steps`. The window of a depth is as long as the longest at that depth, and
    the others fire in its last steps, so that a step of digits counts the same for all.
    """
    depths = {n: network.depths[n] for n in (*network.encodings, *network.populations)}
    lengths = dict.fromkeys(depths.values(), 0)
    for name, depth in depths.items():
        lengths[depth] = max(lengths[depth], own.get(name, steps))
    ends = dict(zip(sorted(lengths), accumulate(lengths[depth] for depth in sorted(lengths)), strict=True))
    return {name: Window(ends[depth] - own.get(name, steps), ends[depth]) for name, depth in depths.items()}


def _check_exact(network: SpikingNetwork) -> None:
    """ConversionError where potentials on the grid may become whole numbers that float64 does not tell apart."""
    if network.grid is None or network.schedule is None or network.schedule.steps is None:
        return
    # Without the start: one that is further down than all sums, of values that are left out, stays there in any case.
    largest = bound(network, network.schedule.steps, 0.0) - network.grid.start
    if largest >= 2**53:
        told = f"potentials may reach 2^{largest.bit_length()}, and whole numbers from 2^53 on are no longer told apart"
        bits, window = network.grid.weight_bits, network.schedule.window
        raise ConversionError(
            f"schedule = {network.schedule.name} with {bits} bits and windows of {window} steps: {told}",
            hint="fewer weight_bits, or a shorter duration",
        )


def _uncounted(network: SpikingNetwork, windows: Mapping[str, Window]) -> list[Unsupported]:
    """Products whose factor is not all counted when what it multiplies begins to fire."""
    offenders = []
    for target, latched in network.circuit.latched.items():
        counted = max((windows[s].last for s in network.sources[latched]), default=0)
        begins = min((windows[s].first for s in network.sources[network.targets[target]]), default=counted)
        if begins < counted:
            offenders.append(Unsupported(network.populations[target].label, "a product of what fires at the same time"))
    return offenders


def interval(network: SpikingNetwork, windows: Mapping[str, Window], *, membranes: int) -> int:
    """The least number of steps from one sample to the next.

    With one membrane a neuron is busy from its first source's first step to its own last one. With two it collects the
    next sample on one while it fires from the other, so it needs the longer of both times. A read-out is busy while its
    sources fire. Between neighbouring layers that makes 2 T and T; a connection over several layers takes longer.
    """
    longest = max(w.last - w.first for w in windows.values())
    for target in network.targets:
        sources = [windows[s] for s in network.fed_by(target)]
        first = min((w.first for w in sources), default=0)
        own = windows.get(target)
        if own is None:
            busy = max((w.last for w in sources), default=0) - first
        else:
            busy = own.last - first if membranes == 1 else own.first - first
        longest = max(longest, busy)
    return longest
