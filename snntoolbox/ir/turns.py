"""Networks whose sources fire in turn, each in a window of its own, and what follows for the size of potentials."""

from __future__ import annotations

from snntoolbox.ir.binary_digits import BinaryDigits
from snntoolbox.ir.counting import Counting
from snntoolbox.ir.encodings import ConstantCurrent, Poisson
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.neurons import IF


def in_turn(network: SpikingNetwork) -> bool:
    """Whether every input is there and every neuron fires in one window, with nothing else that adds to a potential."""
    schedule = network.schedule
    if schedule is None or schedule.steps is None:
        return False
    if schedule.counting is Counting.LEAD:  # its input counts more than a spike does
        return False
    codings, populations = network.encodings.values(), network.populations.values()
    windows = [p.neuron.window if isinstance(p.neuron, IF) and p.bias is None else None for p in populations]
    given = all(isinstance(e, ConstantCurrent | Poisson | BinaryDigits) and e.steps == schedule.window for e in codings)
    return given and all(window and window[1] - window[0] == schedule.window for window in windows)


def longest(network: SpikingNetwork, steps: int) -> int:
    """What the steps count, together, in which one source sends: of so many steps all, or those of its window."""
    total = network.schedule.total if network.schedule and in_turn(network) else network.weights(0, steps).sum()
    return int(total)


def bound(network: SpikingNetwork, steps: int, current: float) -> int:
    """No |V| of a network on an integer grid exceeds this over `steps` steps: see `Grid.bound`."""
    assert network.grid is not None
    return network.grid.bound(longest(network, steps), current)
