"""Makes spikes wait by neurons that pass them on a step later, for targets where every spike acts in the next step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from snntoolbox.ir.flat import Cells, Connection, FlatNetwork
from snntoolbox.ir.neurons import IF


def with_relays(flat: FlatNetwork) -> FlatNetwork:
    """The network in which every spike has its effect a step later: one that waits longer goes by as many relays.

    A relay copies the spikes of its source; where several projections wait, they share them.
    """
    sizes = {**flat.inputs, **{name: cells.size for name, cells in flat.cells.items()}}
    longest = {name: max((c.delay for c in flat.connections if c.source == name), default=1) for name in sizes}
    cells, connections = dict(flat.cells), [*flat.connections]
    for name, size in sizes.items():
        onset = flat.cells[name].onset if name in flat.cells else 0
        for number in range(1, longest[name]):
            relay = relay_name(name, number)
            cells[relay] = _relay(relay, size, onset + number)
            one = np.arange(size)
            source = relay_name(name, number - 1)
            weight = np.ones(size)
            connections.append(Connection(source=source, target=relay, pre=one, post=one, weight=weight, delay=1))
    direct = tuple(replace(c, source=relay_name(c.source, c.delay - 1), delay=1) for c in connections)
    return replace(flat, cells=cells, connections=direct)


def relay_name(source: str, number: int) -> str:
    """What the relay that is so many steps late is called; the source itself for none."""
    return f"{source}, {number} steps late" if number else source


def _relay(name: str, size: int, onset: int) -> Cells:
    return Cells(
        name=name,
        label=name,
        shape=(size,),
        neuron=IF(),
        threshold=np.ones(size),
        initial=np.zeros(size),
        onset=onset,
    )
