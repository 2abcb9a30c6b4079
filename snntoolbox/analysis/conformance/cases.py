"""The cases of the conformance suite as data: a network, inputs, a number of steps and what to check."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from snntoolbox.analysis.conformance.draft import Draft
from snntoolbox.analysis.conformance.loops import LOOPS
from snntoolbox.analysis.conformance.networks import MAPS, NETWORKS, NEURONS, Drawing, one_neuron
from snntoolbox.conversion.lowering.max_pool_tree import MaxPoolTree
from snntoolbox.conversion.spiking.bias_neuron import BiasNeuron
from snntoolbox.conversion.spiking.populations import Convert
from snntoolbox.conversion.spiking.quantize import Quantize
from snntoolbox.conversion.spiking.synaptic import with_synaptic_currents
from snntoolbox.conversion.spiking.winner_take_all import WinnerTakeAll
from snntoolbox.ir.adaptive import RateThreshold, SubtractSent, ThresholdSpikes
from snntoolbox.ir.clamping import Clamped
from snntoolbox.ir.encodings import SpikeTimes
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.neurons import IF, Negative, Reset
from snntoolbox.ir.node import Array
from snntoolbox.ir.nodes import Conv, Dense, Input, MaxPool, ReLU, Reshape
from snntoolbox.ir.part import Part
from snntoolbox.ir.payloads import ResidueSpikes

Check = Literal["identical", "rates", "repeated", "batched", "recorded"]
MANY = 10
"""Steps of most cases."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Case:
    """One thing that a backend must do.

    check: 'identical', everything equals the reference interpreter's; 'rates', spike counts differ by at most one;
    'repeated', the same again in a second run and a second build; 'batched', a batch equals its samples alone;
    'recorded', only what is asked for is recorded, and progress is told.
    build: draws the network; inputs: a batch for each input of a network.
    """

    name: str
    check: Check
    build: Callable[[], SpikingNetwork]
    steps: int = MANY
    samples: int = 3
    current: float | None = None
    """Every input value; None for random ones, multiples of 1/16 in [-1, 1]."""

    def inputs(self, network: SpikingNetwork) -> tuple[Array, ...]:
        """A batch of each input."""
        random = np.random.default_rng(2)
        if any(isinstance(e, SpikeTimes) for e in network.encodings.values()):
            trains = [(self.samples, self.steps - 2, *network.wiring.shapes[n]) for n in network.encodings]
            return tuple(random.integers(-1, 2, size=s) for s in trains)
        shapes = [(self.samples, *network.wiring.shapes[n]) for n in network.encodings]
        if self.current is not None:
            return tuple(np.full(s, self.current) for s in shapes)
        if self.check == "rates":
            return tuple(random.uniform(-1, 1, size=s) for s in shapes)
        return tuple(random.integers(-16, 17, size=s) / 16 for s in shapes)


def cases() -> list[Case]:
    """Every case, small ones first; names are unique."""
    several = [*_neurons(), *_maps(), *_networks(), *_resets(), *_others(), *_limits(), *_synapses(), *_values()]
    return [*several, *_rates(), *_life_cycle(), *_grids()]


def _drawn(draw: Drawing, neuron: IF | None = None, exact: bool = True) -> SpikingNetwork:
    draft = Draft(exact=exact, neuron=neuron)
    draw(draft)
    return draft.network()


def _neurons() -> Iterator[Case]:
    for name, (neuron, current, bias) in NEURONS.items():
        build = partial(_drawn, one_neuron(neuron, bias))
        yield Case(name=f"neuron: {name}", check="identical", build=build, samples=1, current=current)


def _maps() -> Iterator[Case]:
    for name, (steps, draw) in MAPS.items():
        yield Case(name=f"map: {name}", check="identical", build=partial(_drawn, draw), steps=steps, samples=1)


def _networks() -> Iterator[Case]:
    for name, draw in {**NETWORKS, **LOOPS}.items():
        yield Case(name=f"network: {name}", check="identical", build=partial(_drawn, draw), steps=_steps(name))
    yield Case(name="network: max pooling by a tree", check="identical", build=max_pool_tree)
    build = partial(_without_biases, partial(_drawn, NETWORKS["residual"]))
    yield Case(name="network: biases by a neuron", check="identical", build=build)
    build = partial(_winners, partial(_drawn, NETWORKS["gate"]))
    yield Case(name="network: max pooling by winners", check="identical", build=build, steps=2 * MANY)
    yield Case(name="network: integer grid", check="identical", build=lambda: Quantize(8)(max_pool_tree()))


def _steps(name: str) -> int:
    """Delays have to be over before anything comes back, and the windows of all layers."""
    if name in LOOPS:
        return 2 * MANY
    schedule = _drawn(NETWORKS[name]).schedule if name in NETWORKS else None
    return max(MANY, schedule.steps) if schedule is not None and schedule.steps else MANY


def _resets() -> Iterator[Case]:
    for reset in Reset:
        for what, neuron in {
            "": IF(reset=reset, initial=0.5),
            ", leak": IF(reset=reset, leak=0.5),
            ", refractory": IF(reset=reset, refractory=2),
        }.items():
            build = partial(_drawn, NETWORKS["residual"], neuron)
            yield Case(name=f"network: residual, reset {reset}{what}", check="identical", build=build)


def _others() -> Iterator[Case]:
    """Parts that stand in the place of the usual ones; thresholds become rates of 8 and 16 steps, which are dyadic."""
    follows = (RateThreshold(0.125, 0.0625, 8), ThresholdSpikes(), SubtractSent())
    kinds: dict[str, tuple[Part, ...]] = {
        "payloads": (ResidueSpikes(),),
        "thresholds that follow the rates": follows,
        "clamped": (Clamped(3, 0.5),),
    }
    for what, special in kinds.items():
        build = partial(_drawn, NETWORKS["residual"], IF(initial=0.5, special=special))
        yield Case(name=f"network: residual, {what}", check="identical", build=build, steps=16)
        yield Case(name=f"batched: residual, {what}", check="batched", build=build, steps=16)


def _limits() -> Iterator[Case]:
    for name, drawn in {"residual": NETWORKS["residual"], "delays over layers": LOOPS["delays over layers"]}.items():
        build = partial(_drawn, drawn, IF(saturation=(-0.5, 0.75), initial=0.5))
        yield Case(name=f"network: {name}, potentials that saturate", check="identical", build=build)


def _synapses() -> Iterator[Case]:
    """In few steps, as what fades has a bit or two more with each."""
    plain, drawings = IF(), {**NETWORKS, **LOOPS}
    for name, what, remain, neuron in (
        ("residual", "one synaptic current", (0.5, 0.5), plain),
        ("residual", "two synaptic currents", (0.75, 0.5), plain),
        ("poisson", "two synaptic currents", (0.0, 0.5), plain),
        ("two codings", "two synaptic currents", (0.25, 0.5), plain),
        ("delays over layers", "two synaptic currents", (0.5, 0.75), plain),
        ("residual", "synaptic currents, reset zero, refractory", (0.75, 0.5), IF(reset=Reset.ZERO, refractory=2)),
    ):
        build = partial(_fading, drawings[name], remain, neuron)
        yield Case(name=f"network: {name}, {what}", check="identical", build=build, steps=7)


def _values() -> Iterator[Case]:
    """Values that are on their way for several steps, in networks whose arms and loops wait."""
    signed, drawings = Negative.MEMORY, {**NETWORKS, **LOOPS}
    for name, what, neuron in (
        ("residual", "bursts", IF(initial=0.5, levels=(1.0, 2.0, 3.0))),
        ("residual", "signed spikes", IF(initial=0.5, negative=signed)),
        ("skip over layers", "signed spikes of several thresholds", IF(levels=(1.0, 0.5, 0.25), negative=signed)),
        ("deep loop", "signed spikes of several thresholds", IF(levels=(1.0, 0.5, 0.25), negative=signed)),
        ("delays over layers", "signed bursts", IF(levels=(1.0, 2.0), negative=signed)),
        ("concat", "bursts, leak", IF(levels=(1.0, 2.0), leak=0.5, threshold=0.5)),
        ("two codings", "bursts, potentials that saturate", IF(levels=(1.0, 2.0), saturation=(-0.75, 2.5))),
    ):
        build = partial(_drawn, drawings[name], neuron)
        yield Case(name=f"network: {name}, {what}", check="identical", build=build, steps=_steps(name))
    build = partial(_drawn, NETWORKS["residual"], IF(initial=0.5, levels=(1.0, 0.5), negative=signed))
    for check in ("batched", "repeated"):
        yield Case(name=f"{check}: residual, signed spikes of several thresholds", check=check, build=build)  # type: ignore[arg-type]


def _fading(draw: Drawing, remain: tuple[float, float], neuron: IF | None = None) -> SpikingNetwork:
    return with_synaptic_currents(_drawn(draw, neuron), remain)


def _rates() -> Iterator[Case]:
    single: dict[str, Drawing] = {
        "dense": lambda d: d.readout(d.neurons(d.dense(d.input(8), 20, scale=0.5))),
        "convolution": lambda d: d.readout(d.neurons(d.conv(d.input(2, 6, 6), 4))),
    }
    for name, draw in single.items():
        build = partial(_drawn, draw, exact=False)
        yield Case(name=f"float weights: {name}", check="rates", build=build, steps=50)


def _life_cycle() -> Iterator[Case]:
    for check in ("repeated", "batched"):
        for name in ("residual", "two codings", "deep loop", "drawn read-outs"):
            build = partial(_drawn, {**NETWORKS, **LOOPS}[name])
            yield Case(name=f"{check}: {name}", check=check, build=build)  # type: ignore[arg-type]
    yield Case(name="recorded: perceptron", check="recorded", build=partial(_drawn, NETWORKS["perceptron"]))


def _grids() -> Iterator[Case]:
    """The same on the integer grid, for backends that run nothing else."""

    def quantised(name: str, neuron: IF | None = None, bits: int = 8) -> Callable[[], SpikingNetwork]:
        return lambda: Quantize(bits)(_drawn({**NETWORKS, **LOOPS}[name], neuron))

    for name in (n for n in (*NETWORKS, *LOOPS) if n not in OFF_GRID):
        yield Case(name=f"integer grid: {name}", check="identical", build=quantised(name), steps=_steps(name))
    for bits in (2, 4, 16):
        build = quantised("residual", bits=bits)
        yield Case(name=f"integer grid: residual, {bits} bits", check="identical", build=build)
    zero = IF(reset=Reset.ZERO, initial=0.5)
    yield Case(name="integer grid: residual, reset zero", check="identical", build=quantised("residual", zero))
    paused = IF(reset=Reset.ZERO, refractory=2)
    for name, neuron in {"two codings": zero, "delays over layers": zero, "skip over layers": paused}.items():
        build = quantised(name, neuron)
        steps = _steps(name)
        yield Case(name=f"integer grid: {name}, reset zero", check="identical", build=build, steps=steps)
    build = partial(_without_biases, quantised("residual"))
    yield Case(name="integer grid: biases by a neuron", check="identical", build=build)
    build = partial(_winners, quantised("gate"))
    yield Case(name="integer grid: max pooling by winners", check="identical", build=build, steps=2 * MANY)
    build = partial(_saturating, quantised("residual"))
    yield Case(name="integer grid: residual, potentials that saturate", check="identical", build=build)
    for check in ("repeated", "batched"):
        for name in ("residual", "two codings"):
            yield Case(name=f"integer grid: {check}, {name}", check=check, build=quantised(name))  # type: ignore[arg-type]
        build = quantised("two codings", zero)
        yield Case(name=f"integer grid: {check}, two codings, reset zero", check=check, build=build)  # type: ignore[arg-type]
    yield Case(name="integer grid: recorded, perceptron", check="recorded", build=quantised("perceptron"))
    build = quantised("perceptron", zero)
    yield Case(name="integer grid: recorded, perceptron, reset zero", check="recorded", build=build)


def _without_biases(build: Callable[[], SpikingNetwork]) -> SpikingNetwork:
    """The spikes of one neuron in the place of biases."""
    return BiasNeuron()(build())


def _winners(build: Callable[[], SpikingNetwork]) -> SpikingNetwork:
    """Circuits of plain neurons in the place of gates."""
    return WinnerTakeAll()(build())


def _saturating(build: Callable[[], SpikingNetwork]) -> SpikingNetwork:
    """Potentials from about minus a sixteenth of a threshold to a half: spikes change by it."""
    network = build()
    largest = max(float(np.max(p.neuron.threshold)) for p in network.populations.values() if isinstance(p.neuron, IF))
    return network.with_neurons(saturation=(-float(largest // 16), float(largest // 2)))


GATED = tuple(name for name in NETWORKS if name.startswith("gate"))
"""Networks with gates of max pooling."""

OFF_GRID = frozenset({*GATED, "late start", "differences", "sequence"})
"""Networks that have no place on the grid, carry fractions, or are none of integrate-and-fire neurons."""


def max_pool_tree() -> SpikingNetwork:
    """Convolution, max pooling by a tree of comparing neurons, dense; scales are powers of two, so sums are exact."""
    draft = Draft()
    window = {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1)}
    pool = {"kernel": (3, 2), "stride": (2, 2), "padding": ((1, 1), (0, 1)), "dilation": (1, 1)}
    graph = Graph(
        [
            Input(name="x", shape=(2, 5, 6)),
            Conv(name="conv", inputs=("x",), weight=draft.numbers(3, 2, 3, 3), **window),  # type: ignore[arg-type]
            ReLU(name="relu", inputs=("conv",)),
            MaxPool(name="pool", inputs=("relu",), **pool),  # type: ignore[arg-type]
            Reshape(name="flat", inputs=("pool",), shape=(27,)),
            Dense(name="dense", inputs=("flat",), weight=draft.numbers(4, 27), bias=draft.numbers(4)),
        ],
        ["dense"],
    )
    tree = MaxPoolTree()(graph)
    scales = {n: np.full((1, 1, 1), 2.0) for n, node in tree.nodes.items() if isinstance(node, ReLU)}
    return Convert()(tree, scales)
