"""The small networks of the conformance suite, by name: each is a function that draws one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import scipy.sparse as sp

from snntoolbox.analysis.conformance.draft import NONE, Draft
from snntoolbox.analysis.conformance.windowed_networks import (
    PRODUCTS,
    digits,
    digits_and_current,
    digits_of_values,
    first_spikes,
    phases,
    shared_values,
    sums,
    tables,
    tables_of_digits,
    uneven_digits,
)
from snntoolbox.ir.counting import Counting
from snntoolbox.ir.draws import SoftmaxDraws
from snntoolbox.ir.encodings import ConstantCurrent, Poisson
from snntoolbox.ir.feature import Feature
from snntoolbox.ir.gating import Estimate
from snntoolbox.ir.head import Head
from snntoolbox.ir.latency import Latency
from snntoolbox.ir.network import Schedule
from snntoolbox.ir.neurons import IF, Negative, Reset
from snntoolbox.ir.node import Array, Shape
from snntoolbox.ir.nodes import Add, AveragePool, Concat, Dense, Mean, Pad, Permute, Scale, Sparse, Take
from snntoolbox.ir.part import Memory, Threshold

Drawing = Callable[[Draft], None]


def mlp(draft: Draft) -> None:
    """Two hidden layers."""
    hidden = draft.neurons(draft.dense(draft.input(6), 9))
    second = draft.neurons(draft.dense(hidden, 7))
    draft.readout(draft.dense(second, 4))


def strided_same(draft: Draft) -> None:
    """Stride 2 with 'same' padding on an even size: more zeros behind than before."""
    first = draft.neurons(draft.conv(draft.input(2, 6, 8), 3, (3, 3), ((1, 1), (1, 1))))
    second = draft.neurons(draft.conv(first, 4, (3, 3), ((0, 1), (0, 1)), stride=2))
    draft.readout(draft.dense(draft.flat(second), 3))


def even_kernels(draft: Draft) -> None:
    """Kernels of 2 and 4 with 'same' padding, dilation and groups."""
    first = draft.neurons(draft.conv(draft.input(2, 5, 6), 4, (2, 4), ((0, 1), (1, 2))))
    second = draft.neurons(draft.conv(first, 4, (2, 2), ((1, 1), (1, 1)), dilation=2, groups=2))
    draft.readout(draft.dense(draft.flat(second), 3))


def odd_pools(draft: Draft) -> None:
    """Pools of 3 with stride 2 on sizes that they do not divide."""
    first = draft.neurons(draft.conv(draft.input(2, 7, 8), 3))
    pooled = draft.average(first, kernel=3, padding=((1, 1), (0, 0)))
    second = draft.neurons(draft.conv(pooled, 4))
    draft.readout(draft.dense(draft.flat(draft.average(second, kernel=3)), 3))


def residual(draft: Draft) -> None:
    """The short arm must wait for the long one."""
    first = draft.neurons(draft.conv(draft.input(2, 5, 6), 4))
    second = draft.neurons(draft.conv(first, 4))
    third = draft.neurons(draft.node(Add, draft.conv(second, 4), first, coefficients=(1.0, -0.5)))
    draft.readout(draft.dense(draft.flat(third), 3))


def concat(draft: Draft) -> None:
    """Branches of different depths joined along channels."""
    first = draft.neurons(draft.conv(draft.input(2, 4, 4), 2))
    second = draft.neurons(draft.conv(first, 2))
    third = draft.neurons(draft.conv(second, 3))
    joined = draft.neurons(draft.conv(draft.node(Concat, third, first, second, axis=0), 3))
    draft.readout(draft.dense(draft.flat(joined), 3))


def long_skip(draft: Draft) -> None:
    """A connection over three layers, and read-outs of the first and the last."""
    first = draft.neurons(draft.dense(draft.input(6), 6))
    last = first
    for _ in range(3):
        last = draft.neurons(draft.dense(last, 6))
    end = draft.neurons(draft.node(Add, draft.dense(last, 5), draft.dense(first, 5)))
    draft.readout(draft.dense(end, 3))
    draft.readout(draft.node(Concat, first, end))


def constant_skip(draft: Draft) -> None:
    """The constant input itself joins what comes from spikes, deep in the network and at the read-out."""
    source = draft.input(2, 4, 4)
    first = draft.neurons(draft.conv(source, 2))
    joined = draft.neurons(draft.conv(draft.node(Concat, source, first, axis=0), 3))
    summed = draft.neurons(draft.node(Add, draft.conv(joined, 2), source), bias=0.0)
    draft.readout(draft.dense(draft.flat(draft.node(Concat, summed, source)), 3))


def poisson(draft: Draft) -> None:
    """Signed seeded spikes as input."""
    first = draft.neurons(draft.conv(draft.poisson(2, 6, 8), 4))
    draft.readout(draft.dense(draft.flat(draft.average(first)), 3))


def spike_times(draft: Draft) -> None:
    """Given signed spikes, which end before the run does."""
    first = draft.neurons(draft.conv(draft.trains(2, 6, 8), 4))
    draft.readout(draft.dense(draft.flat(draft.average(first)), 3))


def two_codings(draft: Draft) -> None:
    """A constant and a Poisson input; read-outs of either alone and of both."""
    image, spikes = draft.input(5), draft.poisson(6)
    hidden = draft.neurons(draft.node(Add, draft.dense(image, 7), draft.dense(spikes, 7)))
    last = draft.neurons(draft.node(Add, draft.dense(hidden, 7), draft.dense(spikes, 7)))
    draft.readout(draft.dense(last, 4))
    draft.readout(draft.dense(spikes, 3))
    draft.readout(draft.dense(image, 2))
    draft.readout(draft.node(Concat, image, spikes))


def gate(draft: Draft, estimate: Estimate = Estimate.AVERAGE) -> None:
    """Max pooling by a gate on an estimate of rates."""
    first = draft.neurons(draft.conv(draft.input(2, 6, 7), 3))
    pooled = draft.gate(first, (3, 2), (2, 1), ((1, 0), (1, 1)), estimate=estimate)
    draft.readout(draft.flat(draft.neurons(draft.conv(pooled, 3))))


def drawn(draft: Draft) -> None:
    """Read-outs that draw spikes by a softmax, one of them of a map with classes along an axis."""
    first = draft.neurons(draft.conv(draft.input(2, 4, 4), 3))
    draft.readout(first)
    draft.readout(draft.dense(draft.flat(first), 4))
    heads = (Head(kind="classes", axis=0), Head(kind="classes"))
    pairs = zip(draft.readouts, heads, strict=True)
    draft.readouts = [replace(r, head=h, draws=SoftmaxDraws(7 + k, 0.25)) for k, (r, h) in enumerate(pairs)]


def every_neuron_differs(draft: Draft) -> None:
    """Thresholds and start potentials of their own, some at or above the threshold."""
    current, shape = draft.conv(draft.input(2, 4, 4), 3), (3, 4, 4)
    for _ in range(2):
        threshold = draft.random.choice([0.5, 0.8125, 1.0, 1.5], size=shape)
        start = np.where(draft.random.random(shape) < 0.25, threshold, draft.numbers(*shape))
        cells = draft.neurons(current, IF(threshold=threshold, initial=start))
        current = draft.conv(cells, 3)
    draft.readout(draft.flat(current))


def late_start(draft: Draft) -> None:
    """Potential and bias of a deep layer must wait for its first step: a leak would eat them before."""
    cells = draft.neurons(draft.dense(draft.input(6), 6))
    for _ in range(2):
        cells = draft.neurons(draft.dense(cells, 6), IF(initial=0.875, leak=0.5), bias=0.25)
    draft.readout(cells)


def late_tie(draft: Draft) -> None:
    """Deep neurons that stand at the threshold before any spike arrives, and fire in their first step."""
    cells = draft.neurons(draft.dense(draft.input(6), 6))
    for _ in range(2):
        cells = draft.neurons(draft.dense(cells, 6, scale=0.25), IF(initial=1.0), bias=0.0)
    draft.readout(cells)


def bias_only(draft: Draft) -> None:
    """No spike reaches anything: the input's weights are zero."""
    first = draft.neurons(draft.node(Scale, draft.input(4), gain=np.zeros(1)))
    draft.readout(draft.dense(draft.neurons(draft.dense(first, 3)), 3))


def pulses(draft: Draft) -> None:
    """Currents in single steps alone, of either sign, from the first step on and beyond the last."""
    cells = draft.input(2, 4, 4)
    for _ in range(2):
        current = draft.conv(cells, 3)
        shape = draft.shapes[current]
        given = {step: draft.numbers(*shape, scale=2.0) for step in (0, 3, 4, 99)}
        cells = draft.neurons(current, pulses={**given, 7: draft.numbers(3, 1, 1)})
    draft.readout(draft.flat(cells))


def presented_first(draft: Draft) -> None:
    """Constant and Poisson inputs in the first steps alone, of these the first spikes; the first goes deep too."""
    image = draft.input(5, coding=ConstantCurrent(steps=4))
    source = draft.input(5, coding=Poisson(amplitude=2.0, seed=3, steps=6, most=5))
    spikes = draft.node(Scale, source, gain=np.full(1, 2.0))
    hidden = draft.neurons(draft.node(Add, draft.dense(image, 6), draft.dense(spikes, 6)))
    last = draft.neurons(draft.node(Add, draft.dense(hidden, 6), draft.dense(image, 6)))
    draft.readout(draft.node(Concat, last, image))


def late_spikes(draft: Draft) -> None:
    """Values of both signs as spikes in windows that recur, on synapses that stay on; one input in its window alone."""
    image = draft.input(2, 4, 4, coding=Latency(amplitude=2.0, window=4))
    first = draft.neurons(draft.conv(image, 3))
    once = draft.input(5, coding=Latency(amplitude=2.0, window=3, steps=3))
    second = draft.neurons(draft.node(Add, draft.dense(draft.flat(first), 5), draft.dense(once, 5)))
    draft.readout(draft.dense(second, 3))


def late_first_spikes(draft: Draft) -> None:
    """Values as spikes that count by their time, to neurons that fire once."""
    draft.schedule = Schedule("first-spike", window=4, steps=12, counting=Counting.LEAD)
    image = draft.input(2, 4, 4, coding=Latency(amplitude=2.0, window=4, steps=4, lasting=False))
    opened = IF(initial=1.5, reset=Reset.ZERO, window=(4, 8), counting=Counting.LEAD)
    first = draft.neurons(draft.conv(image, 3), opened, bias=0.0)
    second = draft.neurons(draft.conv(first, 3), replace(opened, window=(8, 12)), bias=0.0)
    draft.readout(draft.flat(draft.node(Concat, first, second)))


def differences(draft: Draft) -> None:
    """Input once, then spikes of several sizes and both signs that correct what was sent; read-outs sum."""
    draft.schedule = Schedule("differential", window=1)
    cells = draft.input(2, 4, 4, coding=ConstantCurrent(steps=1))
    neuron = IF(initial=0.0625, levels=(1.0, 0.5, 0.25, 0.125), negative=Negative.MEMORY)
    for _ in range(3):
        cells = draft.neurons(draft.conv(cells, 3), neuron, bias=0.0)
    draft.readout(draft.flat(cells))


def signed_spikes(draft: Draft) -> None:
    """Spikes that take earlier ones back, and currents that change their sign."""
    image, spikes = draft.input(6), draft.poisson(6)
    neuron = IF(initial=0.5, negative=Negative.MEMORY)
    cells = draft.neurons(draft.node(Add, draft.dense(image, 8), draft.dense(spikes, 8, scale=2.0)), neuron)
    draft.readout(draft.dense(draft.neurons(draft.dense(cells, 8, scale=1.0), neuron), 3))


NETWORKS: Mapping[str, Drawing] = {
    "perceptron": mlp,
    "convolution with stride 2": strided_same,
    "even kernels": even_kernels,
    "odd pools": odd_pools,
    "residual": residual,
    "concat": concat,
    "skip over layers": long_skip,
    "constant input deep inside": constant_skip,
    "poisson": poisson,
    "spike times": spike_times,
    "two codings": two_codings,
    "gate": gate,
    **{f"gate, {kind}": partial(gate, estimate=kind) for kind in (Estimate.FIR, Estimate.EXPONENTIAL)},
    "drawn read-outs": drawn,
    "every neuron differs": every_neuron_differs,
    "late start": late_start,
    "late tie": late_tie,
    "bias only": bias_only,
    "pulses": pulses,
    "input in the first steps": presented_first,
    "phases": phases,
    "sums of windows": sums,
    "digits": digits,
    "uneven digits": uneven_digits,
    "shared values": shared_values,
    **PRODUCTS,
    "tables of counts": tables,
    "tables of digits": tables_of_digits,
    "digits of values": digits_of_values,
    "digits beside a current": digits_and_current,
    "first spikes": first_spikes,
    "latency input": late_spikes,
    "latency input of first spikes": late_first_spikes,
    "differences": differences,
    "signed spikes": signed_spikes,
}

_MAPS: Mapping[str, tuple[tuple[int, ...], Callable[[Draft, str], str]]] = {
    "dense": ((7,), lambda d, s: d.dense(s, 5)),
    "dense over channels": ((3, 2, 4), lambda d, s: d.node(Dense, s, weight=d.numbers(4, 3), axis=0)),
    "convolution, 1 axis": ((2, 8), lambda d, s: d.conv(s, 3, (3,), ((1, 1),), stride=2)),
    "convolution, 2 axes": ((2, 4, 5), lambda d, s: d.conv(s, 3, (2, 3), ((1, 0), (1, 2)), stride=2)),
    "convolution, dilated": ((2, 4, 5), lambda d, s: d.conv(s, 2, (2, 2), ((1, 1), (0, 1)), dilation=2)),
    "convolution, depthwise": ((4, 3, 3), lambda d, s: d.conv(s, 8, (3, 3), ((1, 1), (1, 1)), groups=4)),
    "convolution, 3 axes": ((1, 3, 3, 4), lambda d, s: d.conv(s, 2, (2, 2, 3), ((1, 0), (0, 0), (1, 1)))),
    "gain": ((3, 2, 3), lambda d, s: d.node(Scale, s, gain=d.numbers(3, 1, 1, scale=2.0))),
    "sparse": (
        (2, 5),
        lambda d, s: d.node(Sparse, s, matrix=sp.csr_array(d.numbers(6, 10)), shape_in=(2, 5), shape_out=(6,)),
    ),
    "sum": ((2, 4), lambda d, s: d.node(Add, s, d.node(Scale, s, gain=d.numbers(2, 1)), coefficients=(0.5, -1.0))),
    "average pooling": (
        (2, 4, 5),
        lambda d, s: d.node(AveragePool, s, kernel=(2, 2), stride=(2, 1), padding=NONE),
    ),
    "odd sum pooling": ((1, 5, 5), lambda d, s: d.average(s, kernel=3, padding=((1, 1), (1, 0)))),
    "mean": ((3, 2, 4), lambda d, s: d.node(Mean, s, axes=(1, 2))),
    "reshape": ((2, 3, 4), lambda d, s: d.dense(d.flat(s), 3)),
    "permute": ((2, 3, 4), lambda d, s: d.dense(d.flat(d.node(Permute, s, axes=(2, 0, 1))), 3)),
    "take": ((2, 5), lambda d, s: d.node(Take, s, axis=1, indices=(4, 4, 0, 2))),
    "pad": ((2, 3), lambda d, s: d.dense(d.node(Pad, s, pads=((0, 1), (2, 0))), 3)),
    "join": ((2, 4), lambda d, s: d.node(Concat, s, d.dense(s, 3), axis=1)),
}


def _single_spikes(shape: tuple[int, ...], linear: Callable[[Draft, str], str]) -> Drawing:
    """Source neuron k of n fires in step k + 1 alone within n steps; the map takes each spike to its targets."""

    def draw(draft: Draft) -> None:
        count = int(np.prod(shape))
        start = (count - 1.0 - np.arange(count)).reshape(shape)
        silent = draft.node(Scale, draft.input(*shape), gain=np.zeros((1,) * len(shape)))
        source = draft.neurons(silent, IF(threshold=float(count), initial=start), bias=1.0)
        current = linear(draft, source)
        draft.readout(draft.neurons(current, IF(threshold=0.5), bias=0.0))

    return draw


MAPS: Mapping[str, tuple[int, Drawing]] = {
    name: (int(np.prod(shape)), _single_spikes(shape, linear)) for name, (shape, linear) in _MAPS.items()
}
"""Linear maps on single spikes: for each the number of steps and the network."""

@dataclass(frozen=True, eq=False)
class Rising(Threshold):
    """theta[t] = base + step n[t - 1], n being the number of spikes so far: a part that no backend knows."""

    features = (Feature("thresholds that rise with each spike"),)

    base: float
    step: float

    def start(self, shape: Shape) -> Memory:
        """No spikes yet."""
        return {"spikes": np.zeros(shape)}

    def height(self, step: int, memory: Memory) -> Array:
        """Higher by one step for each spike."""
        return np.asarray(self.base + self.step * memory["spikes"])

    def fired(self, spikes: Array, memory: Memory) -> None:
        """Count them."""
        memory["spikes"] += spikes


NEURONS: Mapping[str, tuple[IF, float, float]] = {
    "subtract": (IF(), 0.375, 0.0),
    "subtract keeps the rest": (IF(), 2.5, 0.0),
    "zero": (IF(reset=Reset.ZERO), 0.375, 0.0),
    "zero, to another potential": (IF(reset=Reset.ZERO, reset_potential=-0.25), 0.5, 0.0),
    "modulo": (IF(reset=Reset.MODULO), 2.5, 0.0),
    "modulo by the threshold": (IF(reset=Reset.MODULO, threshold=2.0), 5.0, 0.0),
    "tie at the threshold": (IF(), 0.5, 0.0),
    "tie, zero": (IF(reset=Reset.ZERO), 0.5, 0.0),
    "threshold": (IF(threshold=0.75), 0.5, 0.0),
    "start": (IF(initial=0.5), 0.25, 0.0),
    "start at the threshold": (IF(initial=1.0), 0.0, 0.0),
    "bias": (IF(), 0.25, 0.25),
    "negative": (IF(), -0.5, 0.0),
    "leak": (IF(leak=0.5), 0.75, 0.0),
    "leak, zero": (IF(leak=0.5, reset=Reset.ZERO), 0.75, 0.0),
    "refractory": (IF(refractory=2), 0.75, 0.0),
    "refractory, zero": (IF(refractory=2, reset=Reset.ZERO), 0.75, 0.0),
    "refractory drops the bias": (IF(refractory=1), 0.5, 0.5),
    "refractory leaks": (IF(refractory=1, leak=0.5), 1.5, 0.0),
    "refractory, above the threshold": (IF(refractory=1), 2.5, 0.0),
    "window": (IF(window=(2, 5)), 0.75, 0.0),
    "window from the start": (IF(initial=1.0, window=(0, 3)), 0.75, 0.0),
    "window, leak, zero": (IF(leak=0.75, reset=Reset.ZERO, window=(3, 9)), 0.75, 0.0),
    "window, refractory": (IF(refractory=1, window=(1, 6)), 0.75, 0.0),
    "saturation": (IF(saturation=(-1.0, 1.5)), 1.375, 0.0),
    "saturation, downwards": (IF(initial=2.0, saturation=(-0.5, 2.0)), -0.25, 0.0),
    "saturation below the threshold": (IF(threshold=2.0, saturation=(-1.0, 1.25)), 0.875, 0.0),
    "saturation, zero, leak, refractory": (
        IF(reset=Reset.ZERO, leak=0.5, refractory=1, threshold=0.625, saturation=(-1.0, 0.5)), 0.5625, 0.0
    ),
    "saturation, window": (IF(window=(4, 8), saturation=(-1.0, 1.0)), 0.375, 0.0),
    "saturation, burst": (IF(levels=(1.0, 2.0), saturation=(-1.0, 0.25)), 1.375, 0.0),
    "burst": (IF(levels=(1.0, 2.0, 3.0)), 2.25, 0.0),
    "burst, limited": (IF(levels=(1.0, 2.0)), 2.25, 0.0),
    "several thresholds": (IF(levels=(1.0, 0.5, 0.25), threshold=0.75), 0.28125, 0.0),
    "signed": (IF(initial=2.0, negative=Negative.MEMORY), -0.5, 0.0),
    "signed, window": (IF(initial=3.0, negative=Negative.MEMORY, window=(1, 7)), -1.0, 0.0),
    "a part from elsewhere": (IF(special=(Rising(0.5, 0.25),), leak=0.5, refractory=1), 1.25, 0.0),
    "signed burst": (IF(initial=4.0, levels=(1.0, 2.0), negative=Negative.MEMORY), -1.5, 0.0),
}
"""One neuron each: model, constant current, bias."""


def one_neuron(neuron: IF, bias: float) -> Drawing:
    """A neuron alone, and one behind it that gets its spikes."""

    def draw(draft: Draft) -> None:
        first = draft.neurons(draft.input(1), neuron, bias)
        draft.readout(draft.neurons(draft.node(Scale, first, gain=np.full(1, 0.75)), neuron, bias))

    return draw
