"""Reads the files of MegaSim and plays them event by event, under each reading of what they leave open."""

from __future__ import annotations

import heapq
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from snntoolbox.backends.megasim.files import NETLIST
from snntoolbox.ir.node import Array

_LINE = re.compile(r"(\w+) \{([^}]*)\}(?:\{(\w+)\} (\S+) \S+| (\S+))")


@dataclass(frozen=True)
class Reading:
    """What the files do not say: whether a neuron fires above its threshold or at it, and which of several first."""

    strict: bool = False
    last_first: bool = False


READINGS = tuple(Reading(strict, last) for strict in (False, True) for last in (False, True))


@dataclass(eq=False)
class _Module:
    node: str
    threshold: int
    to_remainder: bool
    reset: int
    ports: Mapping[str, Array]
    potential: Array
    twice: int = 0
    fired: list[tuple[int, int]] = field(default_factory=list)

    def take(self, source: str, address: int, reading: Reading) -> list[int]:
        """What an event of a node does: the addresses of the neurons that fire at it, once each."""
        self.potential += self.ports[source][address]
        above = self.potential > self.threshold if reading.strict else self.potential >= self.threshold
        if not above.any():
            return []
        after = self.potential - self.threshold if self.to_remainder else np.full_like(self.potential, self.reset)
        self.potential = np.where(above, after, self.potential)
        self.twice += int((self.potential >= self.threshold).sum())
        fired: list[int] = np.flatnonzero(above).tolist()
        return fired


@dataclass(frozen=True, eq=False)
class Played:
    """Node -> the times and addresses of its spikes; and how often a neuron could have fired twice at an event."""

    spikes: Mapping[str, list[tuple[int, int]]]
    twice: int


def played(folder: Path, stimuli: Path, reading: Reading) -> Played:
    """Play what is in a folder with the stimuli of another one."""
    text = (folder / NETLIST).read_text("ascii")
    modules: list[_Module] = []
    waiting: list[tuple[int, int, str, int]] = []
    sign = -1 if reading.last_first else 1
    for kind, nodes, node, parameters, stimulus in _LINE.findall(text):
        if kind == "source":
            lines = (stimuli / stimulus).read_text("ascii").splitlines()
            for time, _, _, x, _, _ in (map(int, line.split()) for line in lines):
                waiting.append((time, sign * len(waiting), nodes, x))
        else:
            modules.append(_module(folder / parameters, node, nodes.split(",")))
    readers = defaultdict[str, list[_Module]](list)
    for module in modules:
        for source in module.ports:
            readers[source].append(module)
    end = int(re.findall(r"Tmax=(\d+)", text)[0])
    heapq.heapify(waiting)
    count = len(waiting)
    while waiting:
        time, _, node, address = heapq.heappop(waiting)
        for module in readers[node] if time <= end else ():
            for neuron in module.take(node, address, reading):
                module.fired.append((time, neuron))
                count += 1
                heapq.heappush(waiting, (time, sign * count, module.node, neuron))
    return Played({module.node: module.fired for module in modules}, sum(module.twice for module in modules))


def _module(path: Path, node: str, sources: list[str]) -> _Module:
    """A module by its parameter file."""
    lines = iter(path.read_text("ascii").splitlines())
    values: dict[str, int] = {}
    blocks: list[Array] = []
    for line in lines:
        key, _, value = line.partition(" ")
        if not value:
            continue
        values[key] = int(value)
        if key == "Ny_array_pre":
            rows = values["Nx_array_pre"] * values["Ny_array_pre"]
            blocks.append(np.array([next(lines).split() for _ in range(rows)], np.int64))
    ports = dict(zip(sources, blocks, strict=True))
    potential = np.zeros(values["population_size"], np.int64)
    return _Module(node, values["THplus"], bool(values["Reset_to_reminder"]), values["MembReset"], ports, potential)
