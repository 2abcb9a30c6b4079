"""Makes a circuit of plain neurons of each gate of max pooling: excitatory cells and an inhibitory one that they share.

For each window there is a cell for each of its inputs, which integrates the spikes of that input and fires at one, and
one inhibitory cell that fires once whenever any of them does. Its spikes are the result, and take one spike away from
every cell. A cell that fires is not to lose two: its own spike comes back to it. Both come two steps later, so that the
loop runs where a spike takes a step, too. With n_i the spikes of input i so far, and O those of the inhibitory cell,

    cell i fires in step t  where  n_i[t] - O[t - 2] - (1 if it fired in step t - 1) >= 1,

so that  max n_i[t] <= O[t] <= max n_i[t] + 1:  the count is that of the busiest input, or one more, at any time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from snntoolbox.conversion.spiking.grid_bounds import bounded_anew
from snntoolbox.ir.graph import first_free
from snntoolbox.ir.network import Population, SpikingNetwork
from snntoolbox.ir.neurons import IF, MaxGate, Reset
from snntoolbox.ir.node import Array, Node
from snntoolbox.ir.nodes import Add, Conv, Delay, Input

LOOP = 2
"""Steps from a spike to what it takes away: the loop goes through two populations."""


@dataclass(frozen=True)
class WinnerTakeAll:
    """The pass: every population of gates becomes two of integrate-and-fire neurons; gates read plain spikes."""

    def __call__(self, network: SpikingNetwork) -> SpikingNetwork:
        """The network without gates, with the same read-outs; itself where there are none."""
        if not any(isinstance(p.neuron, MaxGate) for p in network.populations.values()):
            return network
        nodes, populations = dict(network.wiring.nodes), list[Population]()
        for population in network.populations.values():
            if isinstance(population.neuron, MaxGate):
                populations += _Circuit(nodes, population, population.neuron).populations
            else:
                populations.append(population)
        ends = [*(p.current for p in populations), *(r.current for r in network.readouts)]
        wiring = type(network.wiring)(nodes.values(), list(dict.fromkeys(ends)), name=network.wiring.name)
        return bounded_anew(network.replaced(wiring=wiring, populations=populations))


class _Circuit:
    """The wiring and the two populations in the place of one population of gates; adds its nodes to `nodes`."""

    def __init__(self, nodes: dict[str, Node], pool: Population, gate: MaxGate) -> None:
        self.nodes, self.pool = nodes, pool
        taps, channels, axes = math.prod(gate.kernel), pool.shape[0], len(gate.kernel)
        ones = (1,) * axes
        shape = (channels * taps, *pool.shape[1:])
        cells = self._add(Input, "cells", shape=shape).name
        if pool.name not in nodes:
            nodes[pool.name] = Input(name=pool.name, shape=pool.shape, origin=pool.origin)
        window = {"stride": gate.stride, "padding": gate.padding, "dilation": gate.dilation}
        arriving = self._conv("inputs", pool.current, _taps(gate.kernel, channels), channels, **window)
        late, taken = (self._add(Delay, s, n, steps=LOOP).name for s, n in {"late": cells, "taken": pool.name}.items())
        inhibition = self._conv("inhibition", taken, np.full((shape[0], 1, *ones), -1.0), channels)
        current = self._add(Add, "current", arriving, late, inhibition).name
        fired = self._conv("fired", cells, np.ones((channels, taps, *ones)), channels)
        scale = pool.scale if np.shape(pool.scale)[0] == 1 else np.repeat(pool.scale, taps, axis=0)
        excitatory = replace(
            pool, name=cells, activation="", shape=shape, scale=scale, neuron=IF(), current=current
        )
        self.populations = (excitatory, replace(pool, neuron=IF(reset=Reset.ZERO), current=fired))

    def _conv(self, stem: str, source: str, weight: Array, groups: int, **window: tuple[object, ...]) -> str:
        axes = weight.ndim - 2
        plain = {"stride": (1,) * axes, "padding": ((0, 0),) * axes, "dilation": (1,) * axes}
        return self._add(Conv, stem, source, weight=weight, groups=groups, **{**plain, **window}).name

    def _add(self, kind: type[Node], stem: str, *inputs: str, **fields: object) -> Node:
        name = first_free(f"{self.pool.name}.{stem}", self.nodes, ())
        self.nodes[name] = kind(name=name, inputs=inputs, origin=self.pool.origin, **fields)
        return self.nodes[name]


def _taps(kernel: tuple[int, ...], channels: int) -> Array:
    """Filters that take one place of a window each: (channels * places, 1, *kernel)."""
    places = math.prod(kernel)
    return np.tile(np.eye(places).reshape(places, 1, *kernel), (channels, 1, *(1,) * len(kernel)))
