"""Lets the potentials of a network saturate, so that membranes of a given width hold them, and says what that loses.

Let a step add at most p to a neuron of a layer and take at most n from it. Potentials that begin a step between

    low = -2**(N - 1) + n   and   high = 2**(N - 1) - 1 - p

never need more than N bits in it, in whatever order spikes arrive. So they are clipped to that range at the end of each
step, once, and every simulator that can do that gives the same spikes. Layers that need no more than N bits anyway are
left alone; read-outs are never clipped, as their sums are the result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from snntoolbox.backends.simulate import simulate_batches
from snntoolbox.backends.verilog.widths import Growth, growths, latched_growths, potential_range, signed_bits
from snntoolbox.errors import BackendError
from snntoolbox.ir.counting import Counting
from snntoolbox.ir.flat import spread
from snntoolbox.ir.network import Population, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array
from snntoolbox.ir.result import Record, Result
from snntoolbox.ir.turns import longest

_BATCH = 32
_WIDEST = 64


@dataclass(frozen=True, kw_only=True)
class Saturating:
    """A layer whose potentials saturate at `low` and `high`; without that it would need `needed` bits."""

    name: str
    label: str
    needed: int
    low: int
    high: int


@dataclass(frozen=True, kw_only=True)
class AtLimits:
    """How often a layer's potentials ended a step at a limit: updates and neurons, means per sample; of all updates."""

    name: str
    updates: float
    neurons: float
    share: float


@dataclass(frozen=True, kw_only=True)
class Saturation:
    """What saturation at `bits` bits does: the layers, and for `samples` samples how the outputs change.

    agreement: share of the samples whose classes stay the same, None where outputs say none.
    rmse: of the outputs, in the user's units. at_limits: for each layer how often its potentials were clipped, for the
    samples of the test bench.
    """

    bits: int
    layers: tuple[Saturating, ...]
    samples: int
    agreement: float | None
    rmse: float
    at_limits: tuple[AtLimits, ...] = ()


def saturated(
    network: SpikingNetwork, currents: Mapping[str, int], steps: int, bits: int
) -> tuple[SpikingNetwork, tuple[Saturating, ...]]:
    """The network with membranes of at most `bits` bits in runs of up to `steps` steps, and the layers that changed.

    `currents` are the largest amounts of the input currents, bias included. BackendError names all layers for which a
    step's sum, or the threshold, leaves no room in so many bits.
    """
    grown, counted = growths(network), latched_growths(network)
    changed, narrow, populations = [], [], []
    for population in network.populations.values():
        growth = grown[population.name]
        if population.name in currents:
            growth = growth.with_current(currents[population.name])
        neuron = population.neuron
        assert isinstance(neuron, IF)
        multiplied = counted.get(population.name)
        span = potential_range(neuron, population.shape, growth, longest(network, steps), multiplied)
        needed = signed_bits(*span)
        if needed <= bits:
            populations.append(population)
            continue
        if neuron.latched:
            narrow.append(f"    {population.label}: {needed} bits, and products of counts cannot saturate")
            continue
        if neuron.counting is Counting.DIGIT:
            narrow.append(f"    {population.label}: {needed} bits, and digits cannot saturate: the highest count most")
            continue
        low, high = _limits(growth, bits)
        if (least := _least_bits(population, neuron, growth)) > bits:
            narrow.append(f"    {population.label}: {least} bits at least")
            continue
        populations.append(replace(population, neuron=replace(neuron, saturation=(float(low), float(high)))))
        changed.append(Saturating(name=population.name, label=population.label, needed=needed, low=low, high=high))
    if narrow:
        raise BackendError(
            f"membranes of {bits} bits leave no room for what one step can add:\n" + "\n".join(narrow),
            hint="wider membranes, or fewer weight_bits",
        )
    return network.replaced(populations=populations), tuple(changed)


def _limits(growth: Growth, bits: int) -> tuple[int, int]:
    """The lowest and highest potential between steps."""
    down, up = int(np.ceil(growth.down.max())), int(np.ceil(growth.up.max()))
    return -(1 << (bits - 1)) + down, (1 << (bits - 1)) - 1 - up


def _least_bits(population: Population, neuron: IF, growth: Growth) -> int:
    """The fewest bits in which potentials below the threshold, at the start, and from a table are not clipped."""
    start = spread(neuron.initial, population.shape)
    read = 0 if neuron.table is None else int(np.max(neuron.threshold) * neuron.table.counts.max())
    highest = max(0, int(start.max()), int(np.max(neuron.threshold)) - 1, read)
    lowest = min(0, int(start.min()))
    for bits in range(1, _WIDEST):
        low, high = _limits(growth, bits)
        if low <= lowest and highest <= high:
            return bits
    return _WIDEST


def saturation(
    wide: SpikingNetwork,
    narrow: SpikingNetwork,
    layers: tuple[Saturating, ...],
    x: Sequence[Array],
    steps: int,
    bits: int,
) -> Saturation:
    """Both networks on the built-in simulator, and how the outputs of the samples `x` differ."""
    same, squares, count = 0, 0.0, 0
    for before, after in zip(_runs(wide, x, steps), _runs(narrow, x, steps), strict=True):
        alike = np.ones(before.samples, bool)
        for name, values in before.outputs.items():
            first, second, head = values, after.outputs[name], before.heads[name]
            if head.decides:
                same_classes = head.decisions(first) == head.decisions(second)
                alike &= same_classes.reshape(before.samples, -1).all(axis=1)
            squares += float(np.square(second - first).sum())
            count += first.size
        same += int(alike.sum())
    samples = len(x[0])
    rmse = float(np.sqrt(squares / max(count, 1)))
    decides = any(head.decides for head in wide.heads.values())
    agreement = same / samples if decides else None
    return Saturation(bits=bits, layers=layers, samples=samples, agreement=agreement, rmse=rmse)


def _runs(network: SpikingNetwork, x: Sequence[Array], steps: int) -> list[Result]:
    record, schedule = Record(outputs_per_step=False), network.schedule
    # A network with windows runs for as many steps as it needs.
    duration = steps * network.dt if schedule is None or schedule.steps is None else None
    return list(simulate_batches(network, list(x), duration, "INI", _BATCH, record))


def at_limits(layers: Sequence[Saturating], run: Result) -> tuple[AtLimits, ...]:
    """How often potentials ended a step at a limit in a run whose potentials were recorded."""
    clipped = []
    for layer in layers:
        potentials = run.potentials[layer.name]
        ended = (potentials <= layer.low) | (potentials >= layer.high)
        clipped.append(
            AtLimits(
                name=layer.label,
                updates=float(ended.sum()) / run.samples,
                neurons=float(ended.any(axis=0).sum()) / run.samples,
                share=float(ended.mean()),
            )
        )
    return tuple(clipped)
