"""Finds the layers of which a network that is written out over a sequence is made: one for all its steps."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from snntoolbox.errors import Unsupported, UnsupportedError
from snntoolbox.ir.network import Population, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array

_STEP = re.compile(r"(?P<layer>.+)_step_(?P<step>\d+)(?P<rest>([._].*)?)$")
TOLERANCE = 1e-4
"""The largest difference, as a share of the largest weight, between what is the same in each step of a sequence."""

Link = tuple[str, int]
"""A layer that is read, and how many steps of the sequence before."""


@dataclass(frozen=True, eq=False)
class Layer:
    """Neurons that serve all steps of a sequence, in units of their `scale`, the largest of their steps' (flat).

    members: step of the sequence -> its population. row: the map from one step's values, None where it reads none.
    links: the maps from other layers and from itself. bias: that of each step but the first, `first_bias` that one's.
    """

    name: str
    members: Mapping[int, Population]
    scale: Array
    row: sp.csr_array | None
    links: Mapping[Link, sp.csr_array]
    bias: Array
    first_bias: Array

    @property
    def last(self) -> Population:
        """The population of the last step."""
        return self.members[max(self.members)]


@dataclass(frozen=True, eq=False)
class Folded:
    """A network as layers over the steps of its one input, and what each read-out reads at the last step."""

    network: SpikingNetwork
    input: str
    steps: int
    layers: Mapping[str, Layer]
    outputs: Mapping[str, Mapping[Link, sp.csr_array]]


def of_a_step(name: str) -> bool:
    """Whether a layer of this name is one step of a layer that recurs."""
    return _STEP.match(name) is not None


def folded(network: SpikingNetwork) -> Folded:
    """The layers of a network; UnsupportedError with every population that is none of a sequence's steps."""
    if len(network.encodings) != 1:
        raise _refused([Unsupported(name, "one of several inputs") for name in network.encodings])
    (source,) = network.encodings
    shape = network.wiring.shapes[source]
    if len(shape) < 2:
        raise _refused([Unsupported(source, f"no sequence: its samples have the shape {shape}")])
    return _Folding(network, source, shape[0]).folded()


def _refused(offenders: Sequence[Unsupported]) -> UnsupportedError:
    hint = "networks of recurrent layers whose last step is read; schedule = phased takes any other"
    return UnsupportedError("schedule = recurrent", offenders, hint=hint)


class _Folding:
    """The way from populations to layers: every offender is noted, and told at the end."""

    def __init__(self, network: SpikingNetwork, source: str, steps: int) -> None:
        self.network, self.source, self.steps = network, source, steps
        self.places = {p.name: self._place(p) for p in network.populations.values()}
        self.offenders: dict[str, str] = {}
        self.scales = {name: self._scale(name) for name in {layer for layer, _ in self.places.values()}}
        self.maps: dict[str, dict[Link, sp.csr_array]] = {}
        self.rows: dict[str, sp.csr_array] = {}

    def _place(self, population: Population) -> tuple[str, int]:
        """The layer and the step of the sequence of a population: the last one where it is of none."""
        found = _STEP.match(population.name)
        if found is None:
            return population.name, self.steps - 1
        return found["layer"] + found["rest"], int(found["step"])

    def _scale(self, layer: str) -> Array:
        """The largest scale of a layer's steps, so that none saturates."""
        return np.asarray(np.max([_flat(p.scale, p) for p in self._members(layer).values()], axis=0))

    def _members(self, layer: str) -> dict[int, Population]:
        return {step: self.network.populations[n] for n, (own, step) in self.places.items() if own == layer}

    def folded(self) -> Folded:
        """All layers, and the read-outs."""
        readouts = {r.name for r in self.network.readouts}
        outputs: dict[str, dict[Link, sp.csr_array]] = {name: {} for name in readouts}
        for projection in self.network.circuit.projections:
            matrix = projection.synapses()
            if projection.target in readouts:
                self._output(outputs[projection.target], projection.source, projection.target, matrix)
            elif projection.source == self.source:
                self._row(projection.target, matrix)
            else:
                self._link(projection.source, projection.target, matrix)
        layers = {name: self._layer(name) for name in dict.fromkeys(layer for layer, _ in self.places.values())}
        if self.offenders:
            raise _refused([Unsupported(label, reason) for label, reason in self.offenders.items()])
        return Folded(self.network, self.source, self.steps, layers, outputs)

    def _refuse(self, name: str, reason: str) -> None:
        population = self.network.populations.get(name)
        self.offenders.setdefault(population.label if population else name, reason)

    def _gain(self, name: str) -> Array:
        """What a spike of the layer stands for, in spikes of the population."""
        population = self.network.populations[name]
        return self.scales[self.places[name][0]] / _flat(population.scale, population)

    # -- maps ---------------------------------------------------------------------------------------------------

    def _output(self, links: dict[Link, sp.csr_array], source: str, target: str, matrix: sp.csr_array) -> None:
        if source == self.source:
            self._refuse(target, "reads the input itself")
            return
        layer, step = self.places[source]
        links[layer, self.steps - 1 - step] = _scaled(matrix, None, self._gain(source))

    def _row(self, target: str, matrix: sp.csr_array) -> None:
        """The map from one step of the sequence; Refused where others are read too."""
        layer, step = self.places[target]
        blocks = sp.csc_array(matrix)
        width = blocks.shape[1] // self.steps
        own = blocks[:, step * width : (step + 1) * width]
        if abs(blocks).sum() > abs(own).sum() * (1 + TOLERANCE):
            self._refuse(target, "reads several steps of the sequence at once")
        self._agree(self.rows, layer, target, _scaled(sp.csr_array(own), self._gain(target), None))

    def _link(self, source: str, target: str, matrix: sp.csr_array) -> None:
        layer, step = self.places[target]
        origin, before = self.places[source]
        if before > step:
            self._refuse(target, "reads a later step of the sequence")
            return
        links = self.maps.setdefault(layer, {})
        scaled = _scaled(matrix, self._gain(target), self._gain(source))
        self._agree(links, (origin, step - before), target, scaled)

    def _agree(self, known: dict[Any, sp.csr_array], key: Any, target: str, matrix: sp.csr_array) -> None:
        """Note a map, which must be the same in each step."""
        other = known.setdefault(key, matrix)
        largest = max(float(abs(other).max()), float(abs(matrix).max()), np.finfo(float).tiny)
        if other.shape != matrix.shape or float(abs(other - matrix).max()) > TOLERANCE * largest:
            self._refuse(target, "has other weights than the step before")

    # -- layers -------------------------------------------------------------------------------------------------

    def _layer(self, name: str) -> Layer:
        members = self._members(name)
        alone = len(members) == 1
        if not alone and sorted(members) != list(range(self.steps)):
            self._refuse(members[max(members)].name, f"has {len(members)} steps of {self.steps}")
        biases = {step: self._bias(p) for step, p in sorted(members.items())}
        first, *others = biases.values()
        for other in others[1:]:
            if not np.allclose(other, others[0], rtol=TOLERANCE, atol=TOLERANCE):
                self._refuse(members[0].name, "has other biases in each step")
        for why in _uneven(list(members.values())):
            self._refuse(next(iter(members.values())).name, why)
        row, links = self.rows.get(name), self.maps.get(name, {})
        return Layer(name, members, self.scales[name], row, links, others[0] if others else first, first)

    def _bias(self, population: Population) -> Array:
        bias = np.zeros(()) if population.bias is None else population.bias
        return _flat(bias, population) / self._gain(population.name)


def _uneven(members: Sequence[Population]) -> Iterator[str]:
    """What differs between the neurons of a layer's steps."""
    neurons = [p.neuron for p in members if isinstance(p.neuron, IF)]
    if any(p.shape != members[0].shape for p in members):
        yield "has other shapes in each step"
    if any(not np.array_equal(n.threshold, neurons[0].threshold) for n in neurons):
        yield "has other thresholds in each step"
    if any(not np.array_equal(n.initial, neurons[0].initial) for n in neurons):
        yield "has other start potentials in each step"


def _flat(values: Array, population: Population) -> Array:
    """One value for each neuron."""
    return np.broadcast_to(np.asarray(values, np.float64), population.shape).reshape(math.prod(population.shape))


def _scaled(matrix: sp.csr_array, target: Array | None, source: Array | None) -> sp.csr_array:
    """A map between populations as one between their layers."""
    left = sp.csr_array(matrix, dtype=np.float64)
    if target is not None:
        left = sp.csr_array(sp.diags_array(1 / target) @ left)
    return left if source is None else sp.csr_array(left @ sp.diags_array(source))
