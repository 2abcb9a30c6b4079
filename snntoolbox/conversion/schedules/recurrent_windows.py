"""Lets one population serve all steps of a sequence: a step is a period, and what is recurrent waits for the next one.

A layer at depth d integrates while its sources fire and then fires for T steps, in the windows d, d + P, d + 2P, ...
of T steps each; P windows, two or more, are the period of one step of the sequence. With the sum S of all that came in
for step k it sends exactly

    clip(floor((S + V0 + T b) / theta), 0, T)

spikes, and begins the next sum at V0. What is recurrent is delayed into the window in which the next sum is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from snntoolbox.conversion.schedules.folded_steps import Folded, Layer, Link
from snntoolbox.ir.builder import GraphBuilder
from snntoolbox.ir.encodings import StepByStep
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import Population, Readout, Schedule, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.nodes import Add, Delay
from snntoolbox.ir.parts import RecurringWindow

NAME = "recurrent"


@dataclass(frozen=True, eq=False)
class Timing:
    """When the layers of a folded network fire: depths and the period in windows, and the steps T of a window."""

    depths: Mapping[str, int]
    period: int
    window: int

    def delay(self, source: str, depth: int, lag: int) -> int:
        """Steps by which spikes of a layer wait for what fires at this depth, `lag` steps of the sequence later."""
        return (depth - 1 - self.depths[source] + self.period * lag) * self.window

    def opens(self, depth: int, step: int) -> int:
        """The first step in which a layer of this depth fires for a step of the sequence."""
        return (depth + self.period * step) * self.window


def timing(folded: Folded, window: int) -> Timing:
    """The earliest windows in which every layer has its sources behind it, and the shortest period for that."""
    depths: dict[str, int] = {}
    for name in folded.network.order:  # populations behind what they depend on
        layer = next((own for own in folded.layers.values() if any(p.name == name for p in own.members.values())), None)
        if layer is not None and layer.name not in depths:
            depths[layer.name] = 1
    for _ in folded.layers:  # as often as the longest way is long
        for layer in folded.layers.values():
            before = [depths[source] for source, lag in layer.links if not lag]
            depths[layer.name] = 1 + max(before, default=0)
    late = [
        -(-(depths[source] - depths[layer.name] + 2) // lag)
        for layer in folded.layers.values()
        for source, lag in layer.links
        if lag
    ]
    return Timing(depths, max(2, *late) if late else 2, window)


def with_windows(folded: Folded, window: int) -> SpikingNetwork:
    """The folded network in windows of so many steps."""
    when = timing(folded, window)
    network, wiring = folded.network, _Wiring(folded, when)
    populations = [wiring.population(layer) for layer in folded.layers.values()]
    readouts = [wiring.readout(r, folded.outputs[r.name]) for r in network.readouts]
    ends = [*(p.current for p in populations), *(r.current for r in readouts)]
    graph = wiring.graph(ends)
    steps = max(r.start for r in readouts) + window
    return type(network)(
        graph,
        {folded.input: StepByStep(window, when.period * window)},
        populations,
        readouts,
        dt=network.dt,
        schedule=Schedule(NAME, window=window, steps=steps, interval=steps, interval_two=steps),
        notes=network.notes,
        duration=network.duration,
        corrected=network.corrected,
        calibrated=network.calibrated,
    )


class _Wiring:
    """The maps between layers, each behind the delay that it needs."""

    def __init__(self, folded: Folded, when: Timing) -> None:
        self.folded, self.when = folded, when
        self.builder = GraphBuilder("")
        shape = folded.network.wiring.shapes[folded.input]
        self.shape = shape
        self.builder.input(folded.input, shape)
        for layer in folded.layers.values():
            self.builder.input(layer.name, layer.last.shape)
        flat = self.builder.reshape("steps", folded.input, (shape[0], int(np.prod(shape[1:]))))
        summed = self.builder.dense("step_now", flat, np.ones((1, shape[0])), None, axis=0)
        self.now = self.builder.reshape("values_now", summed, (int(np.prod(shape[1:])),))
        self.flat = {
            layer.name: self.builder.reshape(f"{layer.name}_flat", layer.name, (layer.last.size,))
            for layer in folded.layers.values()
        }

    def graph(self, ends: Iterable[str]) -> Graph:
        """The wiring."""
        return self.builder.finish(list(dict.fromkeys(ends)), self.folded.network.name)

    def population(self, layer: Layer) -> Population:
        """A layer's neurons, with its windows."""
        depth, when, last = self.when.depths[layer.name], self.when, layer.last
        parts = [self._dense(f"{layer.name}_input", self.now, layer.row)] if layer.row is not None else []
        parts += self._links(layer.name, layer.links, depth)
        neuron = last.neuron
        assert isinstance(neuron, IF)
        shape = last.shape
        start = np.broadcast_to(np.asarray(neuron.initial, np.float64), shape)
        anew = start + when.window * layer.bias.reshape(shape)
        opening = RecurringWindow(when.opens(depth, 0), when.window, when.period * when.window, anew)
        initial = start + when.window * layer.first_bias.reshape(shape)
        current = self._sum(layer.name, parts, layer.last.size)
        return replace(
            last,
            name=layer.name,
            neuron=replace(neuron, initial=initial, special=(opening,)),
            current=self.builder.reshape(f"{layer.name}_shaped", current, shape),
            bias=None,
            scale=layer.scale.reshape(shape),
        )

    def readout(self, readout: Readout, links: Mapping[Link, sp.csr_array]) -> Readout:
        """A read-out of the last step of the sequence alone: what comes before it is forgotten."""
        last = 1 + max(self.when.depths[source] for source, _ in links)
        current = self._sum(readout.name, self._links(readout.name, links, last), int(np.prod(readout.shape)))
        shaped = self.builder.reshape(f"{readout.name}_shaped", current, readout.shape)
        start = self.when.opens(last - 1, self.folded.steps - 1)
        return replace(readout, current=shaped, start=start)

    def _links(self, name: str, links: Mapping[Link, sp.csr_array], depth: int) -> list[str]:
        found = []
        for (source, lag), matrix in links.items():
            steps, values = self.when.delay(source, depth, lag), self.flat[source]
            if steps:
                values = self.builder.add(Delay(name=f"{source}_later", inputs=(values,), steps=steps))
            found.append(self._dense(f"{name}_from_{source}", values, matrix))
        return found

    def _dense(self, name: str, source: str, matrix: sp.csr_array) -> str:
        return self.builder.dense(name, source, matrix.toarray(), None)

    def _sum(self, name: str, parts: list[str], size: int) -> str:
        if not parts:
            return self._dense(f"{name}_nothing", self.now, sp.csr_array((size, self.builder.shape(self.now)[0])))
        return parts[0] if len(parts) == 1 else self.builder.add(Add(name=f"{name}_sum", inputs=tuple(parts)))
