"""A spiking network under construction, with weights whose sums are exact in binary whatever their order."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from snntoolbox.ir.encodings import ConstantCurrent, Encoding, Poisson, SpikeTimes
from snntoolbox.ir.gating import Estimate
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import Population, Readout, Schedule, SpikingNetwork
from snntoolbox.ir.neurons import IF, MaxGate, Neuron
from snntoolbox.ir.node import Array, LinearNode, Node, Origin, Shape
from snntoolbox.ir.nodes import AveragePool, Conv, Delay, Dense, Input, Reshape, Scale
from snntoolbox.ir.nodes.windows import Padding, window_output

NONE = ((0, 0), (0, 0))
LAST = 9
"""The number of the first input and read-out: their names do not sort as they stand, so a lost order shows."""


class Draft:
    """Collects wiring, populations and read-outs; methods that add a node return its name.

    `exact` numbers are multiples of 1/16, others any floats.
    """

    def __init__(self, *, exact: bool = True, neuron: IF | None = None) -> None:
        self.random = np.random.default_rng(1)
        self.exact = exact
        self.neuron = neuron or IF()
        self.nodes: dict[str, Node] = {}
        self.shapes: dict[str, Shape] = {}
        self.encodings: dict[str, Encoding] = {}
        self.populations: list[Population] = []
        self.readouts: list[Readout] = []
        self.schedule: Schedule | None = None
        self.reserved = 0

    def numbers(self, *shape: int, scale: float = 0.5) -> Array:
        """Random numbers in [-scale, scale]."""
        if self.exact:
            return np.asarray(self.random.integers(-int(16 * scale), int(16 * scale) + 1, size=shape) / 16)
        return self.random.uniform(-scale, scale, size=shape)

    def add(self, node: Node) -> str:
        """Add a node."""
        self.nodes[node.name] = node
        self.shapes[node.name] = node.output_shape(*(self.shapes[i] for i in node.inputs))
        return node.name

    def node(self, kind: type[LinearNode], *sources: str, **fields: Any) -> str:
        """Add a linear node of this type."""
        return self.add(kind(name=f"{kind.__name__.lower()}{len(self.nodes)}", inputs=sources, **fields))

    def input(self, *shape: int, coding: Encoding | None = None) -> str:
        """A coded input."""
        name = f"input{LAST - len(self.encodings)}"
        self.encodings[name] = coding or ConstantCurrent()
        return self.add(Input(name=name, shape=shape))

    def poisson(self, *shape: int, seed: int = 3) -> str:
        """A Poisson input of amplitude 2, and the gain behind it."""
        source = self.input(*shape, coding=Poisson(amplitude=2.0, seed=seed))
        return self.node(Scale, source, gain=np.full((1,) * len(shape), 2.0))

    def trains(self, *shape: int) -> str:
        """A spike-time input of amplitude 2, and the gain behind it."""
        source = self.input(*shape, coding=SpikeTimes(amplitude=2.0))
        return self.node(Scale, source, gain=np.full((1,) * len(shape), 2.0))

    def dense(self, source: str, out: int, scale: float = 1.0) -> str:
        """A dense map of random weights over the last axis."""
        return self.node(Dense, source, weight=self.numbers(out, self.shapes[source][-1], scale=scale))

    def conv(
        self,
        source: str,
        out: int,
        kernel: tuple[int, ...] = (3, 2),
        padding: Padding = ((1, 1), (0, 1)),
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
    ) -> str:
        """A convolution of random weights."""
        weight = self.numbers(out, self.shapes[source][0] // groups, *kernel)
        axes = len(kernel)
        window = {"stride": (stride,) * axes, "padding": padding, "dilation": (dilation,) * axes}
        return self.node(Conv, source, weight=weight, groups=groups, **window)

    def average(self, source: str, kernel: int = 2, stride: int = 2, padding: Padding = NONE) -> str:
        """The sums of windows, divided by a power of two, so that odd windows are exact too."""
        window: dict[str, Any] = {"kernel": (kernel,) * 2, "stride": (stride,) * 2, "padding": padding}
        pooled = self.node(AveragePool, source, summed=True, **window)
        divisor = 2 ** math.ceil(math.log2(kernel**2))
        return self.node(Scale, pooled, gain=np.full((1, 1, 1), 1 / divisor))

    def flat(self, source: str) -> str:
        """All values in a row."""
        return self.node(Reshape, source, shape=(math.prod(self.shapes[source]),))

    def neurons(
        self,
        current: str,
        neuron: IF | None = None,
        bias: Array | float | None = None,
        pulses: Mapping[int, Array] | None = None,
        name: str = "",
        latched: str | None = None,
    ) -> str:
        """A population on a current, with a random bias unless one is given (0 for none); `name` as `ahead` gave it.

        What is `latched` multiplies the current; no bias goes with that.
        """
        chosen = neuron or self.neuron
        shape = self.shapes[current] if chosen.contraction is None else chosen.contraction.shape
        bias = 0.0 if latched else bias
        values = self.numbers(*shape, scale=0.25) if bias is None else np.broadcast_to(bias, shape)
        return self._population(current, shape, chosen, values if np.any(values) else None, pulses, name, latched)

    def ahead(self, *shape: int) -> str:
        """The spikes of a population that is still to be drawn, for what closes a loop."""
        self.reserved += 1
        return self.add(Input(name=f"population{len(self.populations) + self.reserved - 1}", shape=shape))

    def delay(self, source: str, steps: int) -> str:
        """The same, some steps later."""
        return self.node(Delay, source, steps=steps)

    def gate(
        self,
        current: str,
        kernel: tuple[int, ...] = (2, 2),
        stride: tuple[int, ...] = (2, 2),
        padding: Padding = NONE,
        dilation: tuple[int, ...] = (1, 1),
        estimate: Estimate = Estimate.AVERAGE,
    ) -> str:
        """Max pooling by a gate on the spikes of a population."""
        channels, *space = self.shapes[current]
        windows = window_output(tuple(space), kernel, stride, padding, dilation)
        neuron = MaxGate(kernel=kernel, stride=stride, padding=padding, dilation=dilation, estimate=estimate)
        return self._population(current, (channels, *windows), neuron, None)

    def _population(
        self,
        current: str,
        shape: Shape,
        neuron: Neuron,
        bias: Array | None,
        pulses: Mapping[int, Array] | None = None,
        name: str = "",
        latched: str | None = None,
    ) -> str:
        self.reserved -= bool(name)
        name = name or f"population{len(self.populations) + self.reserved}"
        self.populations.append(
            Population(
                name=name,
                shape=shape,
                neuron=neuron,
                current=current,
                bias=bias,
                scale=np.ones((1,) * len(shape)),
                activation=name,
                origin=Origin("conformance", type(neuron).__name__, name),
                pulses=pulses or {},
                latched=latched,
            )
        )
        return name if name in self.nodes else self.add(Input(name=name, shape=shape))

    def readout(self, current: str) -> None:
        """A linear read-out."""
        shape, name = self.shapes[current], f"out{LAST - len(self.readouts)}"
        self.readouts.append(Readout(name=name, current=current, shape=shape, bias=self.numbers(*shape), scale=1.5))

    def network(self) -> SpikingNetwork:
        """What was drafted."""
        ends = [end for p in self.populations for end in p.currents] + [r.current for r in self.readouts]
        wiring = Graph(self.nodes.values(), list(dict.fromkeys(ends)))
        return SpikingNetwork(wiring, self.encodings, self.populations, self.readouts, schedule=self.schedule)
