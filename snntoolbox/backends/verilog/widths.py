"""How wide the membranes must be: bounds of every potential over a number of steps, so that nothing can overflow.

With p (n) the most that one step can add to (take from) a neuron, spikes, bias and input current together:

    subtract:  V <= max(V0, theta - 1) + (T - 1) max(0, p - theta) + p        zero:  V <= max(V0, theta - 1) + p
    both:      V >= min(V0, 0) - T n                                          sums:  -T n <= S <= T p

    windows:   V <= V0 + T p, V >= V0 - T n, with T what a window counts: each source sends its spikes in one
    tables:    the same from theta times the largest entry on, as the window opens
    products:  V0 and the largest and least product of both sums, as the window opens; before it the one sum
    sums of products:  V0 and the sums over their terms of the largest, and of the least, product

since a neuron that has fired has lost theta, or is at 0, and one that has not is below theta. The bounds hold for
partial sums in any order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from snntoolbox.ir.binary_digits import BinaryDigits
from snntoolbox.ir.contraction import Contraction
from snntoolbox.ir.encodings import ConstantCurrent
from snntoolbox.ir.flat import spread
from snntoolbox.ir.network import Population, Readout, SpikingNetwork
from snntoolbox.ir.neurons import IF, Reset
from snntoolbox.ir.node import Array, Node
from snntoolbox.ir.nodes import Add, Conv, Dense, Scale, Sparse


@dataclass(frozen=True)
class Growth:
    """The most that spikes and bias can add to each neuron in one step, and take from it; both at least 0, flat."""

    up: Array
    down: Array

    def with_current(self, current: int) -> Growth:
        """The same with an input current of at most this amount, which has the bias in it."""
        return Growth(self.up + current, self.down + current)


def growths(network: SpikingNetwork) -> dict[str, Growth]:
    """For each population and read-out the sums of its positive and of its negative weights, and its bias."""
    positive, negative = (_summed(network, sign) for sign in (1, -1))
    found = {}
    targets: list[Population | Readout] = [*network.populations.values(), *network.readouts]
    for target in targets:
        up, down = positive[target.current].reshape(-1), negative[target.current].reshape(-1)
        # A layer that sums products has no bias, and gets as many values as its factor has.
        bias = 0.0 if target.bias is None else spread(target.bias, target.shape)
        found[target.name] = Growth(up + np.maximum(bias, 0), down + np.maximum(-bias, 0))
    return found


def latched_growths(network: SpikingNetwork) -> dict[str, Growth]:
    """For each population whose synapses are latched the same of what it counts."""
    populations = [p for p in network.populations.values() if p.latched is not None]
    if not populations:
        return {}
    positive, negative = (_summed(network, sign) for sign in (1, -1))
    nodes = {p.name: p.latched or "" for p in populations}
    return {name: Growth(positive[node].reshape(-1), negative[node].reshape(-1)) for name, node in nodes.items()}


def _summed(network: SpikingNetwork, sign: int) -> Mapping[str, Array]:
    """What all sources spiking at once add, with the weights of one sign alone, all made positive."""
    both = {n for n, e in network.encodings.items() if not isinstance(e, ConstantCurrent)}
    # A sum with other signs, or an input whose spikes have signs, makes a weight count both ways.
    turning = any(isinstance(n, Add) and min(n.factors) < 0 for n in network.wiring.nodes.values())
    turning |= any(not isinstance(e, BinaryDigits) or e.signed for n, e in network.encodings.items() if n in both)
    wiring = network.wiring.edited([_clipped(n, 0 if turning else sign) for n in network.wiring.nodes.values()])
    constant = {n for n in network.encodings if n not in both}
    spikes = [np.zeros((1, *wiring.shapes[i])) + (i not in constant) for i in wiring.inputs]
    return wiring.values(*spikes, keep=wiring.outputs)


def _clipped(node: Node, sign: int) -> Node:
    def clip(weight: Array) -> Array:
        return np.abs(weight) if sign == 0 else np.maximum(sign * weight, 0)

    if isinstance(node, (Conv, Dense)):
        return replace(node, weight=clip(node.weight))
    if isinstance(node, Scale):
        return replace(node, gain=clip(node.gain))
    if isinstance(node, Add):
        return replace(node, coefficients=tuple(abs(f) for f in node.factors))
    if isinstance(node, Sparse):
        matrix = node.matrix.copy()
        matrix.data = clip(matrix.data)
        return replace(node, matrix=matrix)
    return node


def potential_range(
    neuron: IF, shape: tuple[int, ...], growth: Growth, steps: int, counted: Growth | None = None
) -> tuple[int, int]:
    """The least and largest potential in `steps` steps, partial sums and thresholds included.

    Where potentials saturate, a step begins within their limits. A neuron with a window gets input in all the steps
    that are given here; a threshold counts as much as in the first step of a window. What is `counted` multiplies.
    """
    if counted is not None:
        return _product_range(neuron, shape, growth, counted, steps)
    threshold, start = spread(neuron.threshold, shape), spread(neuron.initial, shape)
    if neuron.window is not None:
        lowest = highest = start
        reached = threshold * neuron.weight(neuron.window[0])
        if neuron.table is not None:
            read = threshold * float(np.max(neuron.table.counts))
            lowest, highest = np.minimum(start, 0), np.maximum(start, read)
            reached = np.maximum(reached, read + growth.up)
        least, most = lowest - (steps - 1) * growth.down, highest + (steps - 1) * growth.up
        return _between(neuron, least, most, growth, reached)
    resting = np.maximum(start, threshold - 1)
    gain = np.maximum(growth.up - threshold, 0) * (steps - 1) if neuron.reset is Reset.SUBTRACT else 0
    least, most = np.minimum(start, 0) - (steps - 1) * growth.down, resting + gain
    return _between(neuron, least, most, growth, threshold)


def _product_range(neuron: IF, shape: tuple[int, ...], growth: Growth, counted: Growth, steps: int) -> tuple[int, int]:
    """The range of a sum, and of its product with what is counted, behind which nothing comes."""
    assert neuron.window is not None
    threshold, start = spread(neuron.threshold, shape), spread(neuron.initial, shape)
    read = 0 if neuron.table is None else np.max(neuron.table.counts)
    reached = int((threshold * max(neuron.weight(neuron.window[0]), float(read))).max())
    if neuron.contraction is not None:
        least, most = _sums(neuron.contraction, growth, counted, steps)
        return int(min(0, (start + least).min())), int(max(0, (start + most).max(), reached))
    one, other = (np.stack([-steps * g.down, steps * g.up]) for g in (growth, counted))
    products = (one[:, None] * other[None]).reshape(4, -1) + start
    return int(min(one[0].min(), products.min())), int(max(one[1].max(), products.max(), reached))


def _sums(contraction: Contraction, growth: Growth, counted: Growth, steps: int) -> tuple[Array, Array]:
    """The least and the largest sum of products of each neuron, flat."""
    own, other = (growth, counted) if contraction.first else (counted, growth)
    rows, columns = contraction.stack * contraction.rows, contraction.stack * contraction.columns
    up, down = (steps * g.reshape(rows, 1, -1) for g in (own.up, own.down))
    by_up, by_down = (steps * g.reshape(columns, -1) for g in (other.up, other.down))
    least, most = np.empty(contraction.shape), np.empty(contraction.shape)
    for row in range(rows):  # one at a time: all terms of all sums are many
        first = row // contraction.rows * contraction.columns
        places = slice(first, first + contraction.columns)
        most[row] = np.maximum(up[row] * by_up[places], down[row] * by_down[places]).sum(axis=1)
        least[row] = -np.maximum(up[row] * by_down[places], down[row] * by_up[places]).sum(axis=1)
    return least.reshape(-1), most.reshape(-1)


def _between(neuron: IF, least: Array, most: Array, growth: Growth, reached: Array) -> tuple[int, int]:
    """The range within steps that begin between these potentials; what else is reached needs room too."""
    if neuron.saturation is not None:
        least, most = np.maximum(least, neuron.saturation[0]), np.minimum(most, neuron.saturation[1])
    high = np.maximum(most + growth.up, reached)
    return int((least - growth.down).min()), int(high.max())


def sum_range(growth: Growth, steps: int) -> tuple[int, int]:
    """The least and largest sum of a read-out."""
    return -int(steps * growth.down.max(initial=0)), int(steps * growth.up.max(initial=0))


def signed_bits(low: int, high: int) -> int:
    """Bits of a two's complement number from `low` to `high`."""
    return max(int(high).bit_length(), (-int(low) - 1).bit_length() if low < 0 else 0) + 1


def unsigned_bits(largest: int) -> int:
    """Bits of a number from 0 to `largest`; at least one."""
    return max(1, int(largest).bit_length())
