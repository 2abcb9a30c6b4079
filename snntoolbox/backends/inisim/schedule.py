"""The order of work within a chunk of time steps: what is computed, and when its values can go."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from snntoolbox.ir.encodings import Spiking
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.neurons import IF


@dataclass(frozen=True)
class Task:
    """One piece of work of each chunk.

    `kind` is 'spikes' (of a coded input), 'map' (a wiring node), 'delay', 'loop' (a delay whose input comes behind it)
    and 'keep' (what such a delay reads), 'population' or 'readout'; `size` the values it makes per sample and step;
    `reads` and `done` name the values it needs and those that nobody needs after it. Where there are
    `windows` (first step, end), it neither fires nor is reached by spikes outside of them.
    """

    kind: str
    name: str
    size: int
    reads: tuple[str, ...] = ()
    done: tuple[str, ...] = ()
    windows: tuple[tuple[int, int], ...] = ()

    def waits(self, first: int, steps: int) -> bool:
        """Whether all of these steps lie outside of its windows."""
        return bool(self.windows) and all(first >= end or first + steps <= begin for begin, end in self.windows)


def plan(network: SpikingNetwork, *, per_step: bool) -> list[Task]:
    """The tasks of a chunk in order: all populations, and the wiring that brings spikes to them.

    With `per_step` also the read-outs and their wiring. What only constant currents reach is not there: it is the same
    every step.
    """
    wiring, read = network.wiring, [r.current for r in network.readouts]
    ends = [name for p in network.populations.values() for name in p.currents]
    wanted = _upstream(network, ends + read if per_step else ends) | readout_sources(network)
    alive = {n for n, e in network.encodings.items() if isinstance(e, Spiking)} | set(network.populations)
    tasks = []
    for name in network.order:
        if population := network.populations.get(name):
            tasks.append(Task("population", name, population.size, population.currents))
        elif name in wanted and network.sources[name] & alive:
            tasks.append(_task(network, name))
    loops = network.circuit.looping
    tasks += [Task("keep", n, math.prod(wiring.shapes[n]), wiring.nodes[n].inputs) for n in sorted(loops & wanted)]
    if per_step:
        tasks += [Task("readout", r.name, math.prod(r.shape), (r.current,)) for r in network.readouts]
    return freeing(tasks if network.circuit.delays else _within_windows(network, tasks))


def _within_windows(network: SpikingNetwork, tasks: list[Task]) -> list[Task]:
    """The tasks with the steps in which spikes can be: most layers of a deep network with windows wait at any time."""
    own = {n: p.neuron.window for n, p in network.populations.items() if isinstance(p.neuron, IF)}
    known = {n: window for n, window in own.items() if window is not None}
    coded = {n for n, e in network.encodings.items() if not isinstance(e, Spiking)}
    found = []
    for task in tasks:
        spiking = {task.name} if task.kind == "population" else set()
        reading = task.kind in ("population", "readout")
        spiking |= (network.fed_by(task.name) if reading else network.sources[task.name]) - coded
        if spiking and spiking <= known.keys():
            task = replace(task, windows=tuple(sorted({known[name] for name in spiking})))
        found.append(task)
    return found


def _task(network: SpikingNetwork, name: str) -> Task:
    """The work of a wiring node."""
    node, size = network.wiring.nodes[name], math.prod(network.wiring.shapes[name])
    if name in network.circuit.looping:
        return Task("loop", name, size)
    if name in network.circuit.delays:
        return Task("delay", name, size, node.inputs)
    return Task("spikes" if name in network.encodings else "map", name, size, node.inputs)


def shortened(tasks: list[Task], shortcut: Mapping[str, tuple[str, ...]]) -> list[Task]:
    """The tasks where some maps and populations read other values, without the maps that nobody reads any more.

    A read-out may have the name of the map that it reads.
    """
    shorter = {i for i, t in enumerate(tasks) if t.kind in ("map", "population") and t.name in shortcut}
    tasks = [replace(t, reads=shortcut[t.name]) if i in shorter else t for i, t in enumerate(tasks)]
    while True:
        read = {name for task in tasks for name in task.reads}
        kept = [t for t in tasks if t.kind != "map" or t.name in read]
        if len(kept) == len(tasks):
            return freeing(tasks)
        tasks = kept


def readout_sources(network: SpikingNetwork) -> set[str]:
    """The inputs and populations that the read-outs' maps begin at."""
    return {source for readout in network.readouts for source in network.sources[readout.current]}


def _upstream(network: SpikingNetwork, ends: Iterable[str]) -> set[str]:
    """The wiring nodes that these depend on through linear maps, themselves included."""
    wanted = set(ends)
    for name, node in reversed(list(network.wiring.nodes.items())):
        if name in wanted:
            wanted.update(node.inputs)
    return wanted


def freeing(tasks: list[Task]) -> list[Task]:
    """The tasks, each with the values that can go after it; a value that nobody reads goes at once."""
    last_use = {task.name: i for i, task in enumerate(tasks) if task.kind not in ("readout", "keep")}
    last_use |= {name: i for i, task in enumerate(tasks) for name in task.reads}
    done: list[list[str]] = [[] for _ in tasks]
    for name, last in last_use.items():
        done[last].append(name)
    return [replace(task, done=tuple(names)) for task, names in zip(tasks, done, strict=True)]
