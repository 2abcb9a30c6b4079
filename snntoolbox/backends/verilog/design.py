"""What the hardware of a network consists of, in numbers: layers, their ports, memories and widths; no Verilog yet."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from snntoolbox.backends.verilog.capabilities import CAPABILITIES
from snntoolbox.backends.verilog.layer import Layer
from snntoolbox.backends.verilog.names import Names
from snntoolbox.backends.verilog.opening import Product, SummedProducts, TableMemory, table_memory
from snntoolbox.backends.verilog.ports import Layout, Port, list_port, matrix_of, most_lanes, spike_bits, sum_port
from snntoolbox.backends.verilog.separable import Irregular, Separable, separable
from snntoolbox.backends.verilog.widths import (
    Growth,
    growths,
    latched_growths,
    potential_range,
    signed_bits,
    sum_range,
    unsigned_bits,
)
from snntoolbox.errors import BackendError
from snntoolbox.ir.binary_digits import BinaryDigits
from snntoolbox.ir.circuit import Projection
from snntoolbox.ir.counting import Counting
from snntoolbox.ir.encodings import ConstantCurrent, Poisson
from snntoolbox.ir.flat import spread
from snntoolbox.ir.network import Population, Readout, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array, Shape
from snntoolbox.ir.paths import paths
from snntoolbox.ir.turns import longest

_FARTHEST = 2.0**62


@dataclass(frozen=True, kw_only=True)
class Choices:
    """How the hardware is built; none of it changes a spike.

    steps: the most steps of a sample. currents: for each population or read-out that gets an input current the largest
    amount of it, bias included. lanes: neurons that a layer updates at once, a power of two; a layer takes fewer where
    its channels do not divide. queue: words of each queue, a power of two. membrane_bits: refuse what needs more;
    0: any.
    """

    steps: int
    currents: Mapping[str, int]
    lanes: int = 1
    queue: int = 4
    membrane_bits: int = 0


@dataclass(frozen=True, eq=False, kw_only=True)
class SpikeInput:
    """An input of spikes, by its name; `port` is its name in Verilog.

    signed: whether they have signs. digits: the host sends values of so many binary digits, which become spikes on the
    chip; 0 where it sends the spikes of each step.
    """

    name: str
    port: str
    shape: Shape
    signed: bool = True
    digits: int = 0

    @property
    def values(self) -> int:
        """The number of its values."""
        return math.prod(self.shape)

    @property
    def value_bits(self) -> int:
        """Bits of a value: {sign, magnitude}."""
        return self.digits + self.signed


@dataclass(frozen=True, eq=False, kw_only=True)
class Design:
    """All layers in the order in which a step passes them, read-outs last.

    driven: the layers with an input current, in the order of the input stream. step_bits: width of the number of steps.
    """

    name: str
    module: str
    layers: tuple[Layer, ...]
    inputs: tuple[SpikeInput, ...]
    choices: Choices

    @property
    def driven(self) -> tuple[Layer, ...]:
        """The layers that get an input current, in the order of the input stream."""
        return tuple(layer for layer in self.layers if layer.current_bits)

    @property
    def readouts(self) -> tuple[Layer, ...]:
        """The read-outs, in the order of the output stream."""
        return tuple(layer for layer in self.layers if not layer.spikes)

    @property
    def step_bits(self) -> int:
        """Bits of a number of steps."""
        return unsigned_bits(self.choices.steps)

    @property
    def input_id_bits(self) -> int:
        """Bits that tell inputs of spikes apart; none for a single one."""
        return (len(self.inputs) - 1).bit_length() if self.inputs else 0

    @property
    def input_spike_bits(self) -> int:
        """Bits of the largest coordinates of an input spike."""
        return max((spike_bits(i.shape) for i in self.inputs), default=0)

    @property
    def input_bits(self) -> int:
        """Width of the input stream: an input current, a value, or {marker, sign, input, coordinates}."""
        spike = self.input_spike_bits + self.input_id_bits + 2 if self.inputs and not self.digits else 1
        values = [i.value_bits for i in self.inputs if i.digits]
        return max(spike, *values, *(layer.current_bits for layer in self.layers))

    @property
    def digits(self) -> int:
        """The binary digits of the values that become spikes on the chip; 0 where the host sends spikes."""
        return max((i.digits for i in self.inputs), default=0)

    @property
    def loaded(self) -> int:
        """The words of a sample that come before its first step."""
        values = sum(i.values for i in self.inputs if i.digits)
        return values + sum(layer.neurons for layer in self.driven)

    @property
    def output_bits(self) -> int:
        """Width of the output stream: a sum, or the index of a class."""
        return max(max(r.bits, unsigned_bits(r.neurons - 1) + 1) for r in self.readouts)

    def readers(self, source: str) -> list[tuple[Layer, Port]]:
        """The ports that spikes of a source go to."""
        return [(layer, port) for layer in self.layers for port in layer.ports if port.source == source]

    @property
    def ticked(self) -> tuple[Layer, ...]:
        """The layers that no spike reaches: they get the markers of the steps alone."""
        return tuple(layer for layer in self.layers if not layer.ports)


def designed(network: SpikingNetwork, choices: Choices) -> Design:
    """The hardware of a network on an integer grid.

    UnsupportedError lists what hardware does not have; BackendError says where potentials need more bits than allowed.
    """
    CAPABILITIES.check("verilog", network)
    names = Names()
    spiking = {n: e for n, e in network.encodings.items() if isinstance(e, Poisson | BinaryDigits)}
    signed = {n for n, e in spiking.items() if not isinstance(e, BinaryDigits) or e.signed}
    module = names.module(network.name)
    # The AXI-Stream wrapper's.
    names.module(f"{module}_axis")
    incoming: dict[str, list[Projection]] = {name: [] for name in network.targets}
    for projection in network.projections:
        if projection.source in spiking or projection.source in network.populations:
            incoming[projection.target].append(projection)
    grown, counted = growths(network), latched_growths(network)
    found: dict[str, Population | Readout] = {r.name: r for r in network.readouts}
    found.update(network.populations)
    layers, narrow = [], []
    for name in network.targets:
        growth = grown[name], counted.get(name)
        layer = _layer(found[name], incoming[name], growth, choices, names, signed, _times(network, choices))
        layers.append(layer)
        if choices.membrane_bits and layer.bits > choices.membrane_bits:
            narrow.append(f"{layer.label}: {layer.bits} bits")
    _check_sums(layers)
    if narrow:
        clipped = not any(layer.product or layer.digits for layer in layers)
        raise BackendError(
            f"potentials of {choices.membrane_bits} bits are too narrow for {choices.steps} steps:\n"
            + "\n".join(f"    {line}" for line in narrow),
            hint="fewer steps, wider membranes, fewer weight_bits" + ", or `snntoolbox deploy --saturate`" * clipped,
        )
    inputs = tuple(
        SpikeInput(
            name=n, port=names.module(f"input_{n}"), shape=network.wiring.shapes[n], signed=n in signed,
            digits=e.window if isinstance(e, BinaryDigits) else 0,
        )
        for n, e in spiking.items()
    )  # fmt: skip
    return Design(name=network.name, module=module, layers=tuple(layers), inputs=inputs, choices=choices)


def _check_sums(layers: Sequence[Layer]) -> None:
    """BackendError where sums of read-outs may need more bits than those in which all whole numbers are exact."""
    most = CAPABILITIES.exact_bits
    if wide := [layer for layer in layers if not layer.spikes and layer.bits > most + 1]:
        lines = [f"    {layer.label}: {layer.bits} bits" for layer in wide]
        raise BackendError(
            f"sums of read-outs are exact up to {most} bits and a sign:\n" + "\n".join(lines),
            hint="fewer weight_bits; or a mask of -1000 where one of minus infinity stands before the last softmax",
        )


class Times(NamedTuple):
    """What steps are to the layers of a network.

    longest: what those count together in which one source sends. current: the first steps in which input currents are
    there, 0 for all. window, total: of the network's windows, 0 without any. digits: of each window, or of all where
    these are alike; none where steps are no digits.
    """

    longest: int
    current: int
    window: int = 0
    digits: tuple[int, ...] = ()
    total: int = 0


def _times(network: SpikingNetwork, choices: Choices) -> Times:
    schedule, most = network.schedule, longest(network, choices.steps)
    limits = {e.steps for e in network.encodings.values() if isinstance(e, ConstantCurrent)} or {None}
    current = limits.pop() or 0
    if schedule is None or schedule.steps is None:
        return Times(most, current)
    digits = schedule.lengths if schedule.counting is Counting.DIGIT else ()
    return Times(most, current, schedule.window, digits, schedule.total)


def _presented(target: Population | Readout, driven: bool, times: Times) -> tuple[int, Array | float]:
    """In how many first steps alone a layer gets its current, 0 for all, and what it gets from then on.

    A bias is part of the current. That of a read-out counts once in a network with windows: while its input is there.
    """
    bias = 0.0 if target.bias is None else target.bias
    if isinstance(target, Readout) and times.window:
        return times.window, 0.0
    return (times.current, bias) if driven else (0, bias)


def _layer(
    target: Population | Readout,
    projections: Sequence[Projection],
    grown: tuple[Growth, Growth | None],
    choices: Choices,
    names: Names,
    signed: set[str],
    times: Times,
) -> Layer:
    driven = target.name in choices.currents
    growth, counted = grown
    if driven:
        growth = growth.with_current(choices.currents[target.name])
    if isinstance(target, Population):
        assert isinstance(target.neuron, IF)
        low, high = potential_range(target.neuron, target.shape, growth, times.longest, counted)
        threshold, start = target.neuron.threshold, target.neuron.initial
    else:
        low, high = sum_range(growth, times.longest)
        threshold, start = 0.0, 0.0
    layout, lanes, ports = _delivered(target, projections, choices.lanes, signed)
    product = _product(target, grown, ports, layout, times.longest)
    bits = _bits(signed_bits(low, high), ports, product)
    table, start = _opening(target, start, layout, bits)
    start = start if product is None else 0.0  # its neurons sum one factor first, or nothing
    bias = 0.0 if target.bias is None or driven else target.bias
    presented, rest = _presented(target, driven, times)

    def ordered(value: Array | float) -> Array:
        # What stands for minus infinity stays below every threshold from there too.
        return np.rint(spread(value, target.shape)[layout.c_order]).clip(-_FARTHEST, _FARTHEST).astype(np.int64)

    return Layer(
        target=target,
        module=names.module(target.name),
        layout=layout,
        lanes=lanes,
        bits=bits,
        ports=ports,
        threshold=ordered(threshold),
        start=ordered(start),
        bias=ordered(bias),
        presented=presented,
        rest=ordered(rest),
        digits=times.digits,
        total=times.total,
        table=table,
        product=product,
        current_bits=signed_bits(-choices.currents[target.name], choices.currents[target.name]) if driven else 0,
    )


def _opening(
    target: Population | Readout, start: Array | float, layout: Layout, bits: int
) -> tuple[TableMemory | None, Array | float]:
    """The table of a layer, and its potentials at the start: looked up already where its window opens then."""
    neuron = target.neuron if isinstance(target, Population) else None
    if not isinstance(neuron, IF) or neuron.table is None or neuron.window is None:
        return None, start
    if not neuron.window[0]:
        first = np.broadcast_to(np.asarray(start, np.float64), target.shape)
        return None, neuron.table.opened(first[None], neuron.threshold)[0]
    threshold = np.rint(spread(neuron.threshold, target.shape)[layout.c_order]).astype(np.int64)
    return table_memory(neuron.table, threshold, layout, bits), start


def _bits(needed: int, ports: Sequence[Port], product: Product | SummedProducts | None) -> int:
    """Bits of the potentials of a layer: those they need, and of what is taken up into them."""
    if isinstance(product, SummedProducts):
        return max(needed, product.own + 1, product.other + 1)
    # A weight that only ever meets padding may be wider than any sum.
    return max(needed, *(port.weight_bits for port in ports if not port.latched), 1)


def _product(
    target: Population | Readout, grown: tuple[Growth, Growth | None], ports: Sequence[Port], layout: Layout, steps: int
) -> Product | SummedProducts | None:
    """The product of a layer with latched ports."""
    growth, counted = grown
    if counted is None or not isinstance(target, Population) or not isinstance(target.neuron, IF):
        return None
    start = np.rint(spread(target.neuron.initial, layout.shape)[layout.c_order]).astype(np.int64)

    def width(sums: Growth, latched: bool) -> int:
        weights = (port.weight_bits for port in ports if port.latched == latched)
        return max(signed_bits(*sum_range(sums, steps)), *weights, 2)

    sums = target.neuron.contraction
    if sums is None:
        return Product(bits=width(counted, latched=True), start=start)
    own, other = width(growth, latched=False), width(counted, latched=True)
    own, other = (own, other) if sums.first else (other, own)
    return SummedProducts(contraction=sums, own=own, other=other, start=start)


def _delivered(
    target: Population | Readout, projections: Sequence[Projection], wanted: int, signed: set[str]
) -> tuple[Layout, int, tuple[Port, ...]]:
    """The order of a layer's neurons, its lanes and its ports.

    Where it sums products its ports add to two factors, whose rows lie one behind the other, each value for itself.
    """
    neuron = target.neuron if isinstance(target, Population) else None
    if not isinstance(neuron, IF) or neuron.contraction is None:
        return _ports(target.name, projections, wanted, signed, Layout(target.shape, 0))
    ports: list[Port] = []
    for latched, shape in zip((False, True), neuron.contraction.factors, strict=True):
        own = [p for p in projections if p.latched == latched]
        ports += _ports(target.name, own, 1, signed, Layout(shape, 1), fixed=True)[2]
    return Layout(target.shape, 0), 1, tuple(ports)


def _ports(
    target: str,
    projections: Sequence[Projection],
    wanted: int,
    signed_sources: set[str],
    layout: Layout,
    fixed: bool = False,
) -> tuple[Layout, int, tuple[Port, ...]]:
    """The order of what is added to, its lanes and its ports; a `fixed` layout stays as it is."""
    found: list[tuple[Projection, Separable | sp.csr_array]] = []
    for projection in projections:
        source = projection.map.shapes[projection.source]
        apart = paths(projection.map)
        if apart is None:
            found.append((projection, projection.synapses()))
            continue
        for path in apart:
            try:
                found.append((projection, separable(path, source)))
            except Irregular:
                found.append((projection, matrix_of(path)))
    sums = [way for _, way in found if isinstance(way, Separable)]
    loops = [s.loop for s in sums if s.loop is not None and s.loop_step == 1]
    if loops and not fixed:
        layout = Layout(layout.shape, loops[0])
    lanes = wanted
    for one in sums:
        lanes = min(lanes, most_lanes(one, layout, lanes))
    while layout.shape[layout.inner] % lanes:
        lanes //= 2
    ports: list[Port] = []
    for projection, way in found:
        name, source = f"{target} from {projection.source}", projection.map.shapes[projection.source]
        signed = projection.source in signed_sources
        if isinstance(way, Separable):
            port: Port = sum_port(name, projection.source, way, source, layout, lanes, signed)
        else:
            port = list_port(name, projection.source, way, source, layout, lanes, signed)
        ports.append(replace(port, latched=projection.latched))
    return layout, lanes, tuple(ports)
