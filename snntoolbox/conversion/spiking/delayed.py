"""Lets every spike arrive some steps later, in whatever projection it goes out."""

from __future__ import annotations

from dataclasses import replace

from snntoolbox.ir.editing import Editing
from snntoolbox.ir.encodings import Spiking
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.nodes import Delay


def delayed(network: SpikingNetwork, steps: int) -> SpikingNetwork:
    """The network in which spikes of populations and inputs take so many steps more, to read-outs too.

    What a constant input brings is no spike and comes as ever.
    """
    sources = [n for n, e in network.encodings.items() if isinstance(e, Spiking)]
    sources += [name for name in network.populations if name in network.wiring.nodes]
    if not steps or not sources:
        return network
    editing = Editing(network.wiring)
    late = {name: editing.fresh(f"{name}.late") for name in sources}
    for name in sources:
        node = Delay(name=late[name], inputs=(name,), steps=steps, origin=network.wiring.nodes[name].origin)
        editing.edit([node], {name: late[name]})
    populations = [replace(p, current=late.get(p.current, p.current)) for p in network.populations.values()]
    readouts = [replace(r, current=late.get(r.current, r.current)) for r in network.readouts]
    return network.replaced(wiring=editing.graph(), populations=populations, readouts=readouts)
