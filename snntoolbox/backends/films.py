"""Runs samples as frames of films, whose neurons keep their potentials from one frame to the next.

A film of n frames is one long sample: a constant input becomes a sequence, each of whose steps is there for as long as
a frame, and a spiking one its frames' trains one after the other. So any simulator that can present those can run it.
On an integer grid it is the currents of a constant input, rounded as ever, that become sequences; itself it is silent.
Afterwards each frame has what was counted and read out in its own steps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from snntoolbox.errors import Unsupported, UnsupportedError
from snntoolbox.ir.editing import Editing
from snntoolbox.ir.encodings import ConstantCurrent, Encoding, SpikeTimes, Spiking, StepByStep, spike_trains
from snntoolbox.ir.graph import Graph, first_free
from snntoolbox.ir.interpreter import constant_currents
from snntoolbox.ir.network import Population, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array, Node
from snntoolbox.ir.nodes import Add, Dense, Input, Reshape
from snntoolbox.ir.result import Record, Result

_HINT = "[simulation] reset_between_nth_sample = 1 resets before each sample"
ALL = Record(spikes=True)
"""What must be recorded of a film: frames are told apart by the steps of spikes and outputs."""


@dataclass(frozen=True, eq=False)
class Films:
    """Samples as films of `frames` frames, each of `steps` steps; the last film may be shorter."""

    frames: int
    steps: int

    def network(self, network: SpikingNetwork, arrays: Sequence[Array] = ()) -> SpikingNetwork:
        """The network that films go into; UnsupportedError lists what belongs to each sample alone.

        `arrays` are samples of the network, whose currents bound its potentials on an integer grid.
        """
        _check(network)
        if network.grid is not None and _constant(network):
            return self._on_the_grid(network, arrays)
        editing, late = Editing(network.wiring), dict[str, str]()
        encodings: dict[str, Encoding] = {}
        for name, coding in network.encodings.items():
            if isinstance(coding, Spiking):
                encodings[name] = SpikeTimes(amplitude=coding.amplitude)
                continue
            encodings[name], late[name] = StepByStep(self.steps, self.steps), editing.fresh(f"{name}.frame")
            frames = Input(name=name, shape=(self.frames, *network.wiring.shapes[name]))
            summed = editing.fresh(f"{name}.sum")
            editing.edit((frames, *self._shown(frames, summed, late[name])), {name: late[name]})
        populations = [replace(p, current=late.get(p.current, p.current)) for p in network.populations.values()]
        readouts = [replace(r, current=late.get(r.current, r.current), start=0) for r in network.readouts]
        return network.replaced(
            wiring=editing.graph(), encodings=encodings, populations=populations, readouts=readouts
        )

    def _shown(self, frames: Input, summed: str, name: str) -> tuple[Node, Node]:
        """The nodes of these names that add up frames, of which one at a time is not zero."""
        ones = np.ones((1, self.frames))
        return (
            Dense(name=summed, inputs=(frames.name,), weight=ones, axis=0),
            Reshape(name=name, inputs=(summed,), shape=frames.shape[1:]),
        )

    def _on_the_grid(self, network: SpikingNetwork, arrays: Sequence[Array]) -> SpikingNetwork:
        """With a sequence for each current that a constant input makes, added to it."""
        nodes, added = dict(network.wiring.nodes), dict[str, str]()
        encodings: dict[str, Encoding] = {
            name: SpikeTimes(amplitude=coding.amplitude) if isinstance(coding, Spiking) else coding
            for name, coding in network.encodings.items()
        }
        for target in _given(network):
            current, shape = network.targets[target], network.wiring.shapes[network.targets[target]]
            stems = ("frames", "frames.sum", "frame", "given")
            every, summed, shown, total = (first_free(f"{target}.{stem}", nodes, network.populations) for stem in stems)
            frames = Input(name=every, shape=(self.frames, *shape))
            added[target], encodings[every] = total, StepByStep(self.steps, self.steps)
            for node in (frames, *self._shown(frames, summed, shown), Add(name=total, inputs=(current, shown))):
                nodes[node.name] = node
        populations = [replace(p, current=added.get(p.name, p.current)) for p in network.populations.values()]
        readouts = [replace(r, current=added.get(r.name, r.current), start=0) for r in network.readouts]
        currents = constant_currents(network, *arrays).values() if arrays else ()
        most = max((float(np.abs(c).max(initial=0)) for c in currents), default=0.0)
        assert network.grid is not None
        grid = replace(network.grid, growth=network.grid.growth + math.ceil(most))
        ends = [*(p.current for p in populations), *(r.current for r in readouts)]
        wiring = Graph(nodes.values(), list(dict.fromkeys(ends)), name=network.wiring.name)
        return network.replaced(
            wiring=wiring, encodings=encodings, populations=populations, readouts=readouts, grid=grid
        )

    def samples(self, network: SpikingNetwork, arrays: Sequence[Array]) -> list[Array]:
        """What the network of films is given for samples of the network: films in front, frames without input last."""
        pairs = list(zip(network.encodings.values(), arrays, strict=True))
        if network.grid is None or not _constant(network):
            return [self._films(self._presented(coding, x), isinstance(coding, Spiking)) for coding, x in pairs]
        currents = constant_currents(network, *arrays)
        films, silent = -(-len(arrays[0]) // self.frames), [np.zeros((1, *x.shape[1:])) for x in arrays]
        own = [
            self._films(self._presented(coding, x), trains=True)
            if isinstance(coding, Spiking)
            else np.repeat(zeros, films, axis=0)
            for (coding, x), zeros in zip(pairs, silent, strict=True)
        ]
        return [*own, *(self._films(currents[target], trains=False) for target in _given(network))]

    def _presented(self, coding: Encoding, x: Array) -> Array:
        """The samples (samples, ...) themselves, or their trains (samples, steps, ...)."""
        if not isinstance(coding, Spiking):
            return np.asarray(x)
        return np.moveaxis(spike_trains(np.asarray(x), self.steps, coding, 0), 0, 1)

    def _films(self, x: Array, trains: bool) -> Array:
        missing = -len(x) % self.frames
        padded = np.concatenate([x, np.zeros((missing, *x.shape[1:]), x.dtype)]) if missing else x
        films = padded.reshape(-1, self.frames, *x.shape[1:])
        return films.reshape(len(films), -1, *x.shape[2:]) if trains else films

    def split(self, result: Result, network: SpikingNetwork, record: Record, samples: int) -> Result:
        """The result of films as that of their frames, of which there are `samples`."""
        spikes = {name: self._own(train)[:, :samples] for name, train in result.spikes.items()}
        per_step = {name: self._outputs(values)[:, :samples] for name, values in result.outputs_per_step.items()}
        kept = {name: self._own(trace)[:, :samples] for name, trace in result.potentials.items()}
        return replace(
            result,
            steps=self.steps,
            samples=samples,
            counts={name: _counted(train) for name, train in spikes.items()},
            fired={name: np.count_nonzero(spikes[name], axis=0) for name in _valued(network.populations)},
            outputs={name: values[-1] for name, values in per_step.items()},
            outputs_per_step=per_step if record.outputs_per_step else {},
            spikes={name: train for name, train in spikes.items() if record.wants_spikes(name)},
            potentials=kept,
            hardware={},
        )

    def _own(self, values: Array) -> Array:
        """Values (steps of films, films, ...) as (steps of a frame, frames of all films, ...)."""
        apart = values.reshape(self.frames, self.steps, *values.shape[1:])
        return np.moveaxis(apart, 0, 2).reshape(self.steps, -1, *values.shape[2:])

    def _outputs(self, values: Array) -> Array:
        """A read-out, which is a mean over all steps so far, as one over the steps of each frame."""
        own = self._own(values * np.arange(1, len(values) + 1).reshape(-1, *[1] * (values.ndim - 1)))
        films = own.reshape(self.steps, -1, self.frames, *values.shape[2:])
        before = np.concatenate([np.zeros_like(films[-1:, :, :1]), films[-1:, :, :-1]], axis=2)
        steps = np.arange(1, self.steps + 1).reshape(-1, *[1] * (films.ndim - 1))
        return np.asarray(((films - before) / steps).reshape(own.shape))


def _check(network: SpikingNetwork) -> None:
    offenders = [Unsupported(p.label, "pulses of current in steps of each sample") for p in _pulsed(network)]
    if network.schedule is not None:
        offenders.append(Unsupported(network.name, f"schedule = {network.schedule.name}, whose layers wait anew"))
    if offenders:
        raise UnsupportedError("a film, whose frames keep their potentials,", offenders, hint=_HINT)


def _constant(network: SpikingNetwork) -> list[str]:
    return [name for name, coding in network.encodings.items() if isinstance(coding, ConstantCurrent)]


def _given(network: SpikingNetwork) -> list[str]:
    """The populations and read-outs that constant inputs reach."""
    constant = set(_constant(network))
    return [target for target, current in network.targets.items() if constant & network.sources[current]]


def _pulsed(network: SpikingNetwork) -> list[Population]:
    return [p for p in network.populations.values() if p.pulses]


def _counted(train: Array) -> Array:
    return np.asarray(train.sum(axis=0, dtype=np.float64 if train.dtype.kind == "f" else np.int64))


def _valued(populations: Mapping[str, Population]) -> list[str]:
    return [name for name, p in populations.items() if isinstance(p.neuron, IF) and p.neuron.valued]
