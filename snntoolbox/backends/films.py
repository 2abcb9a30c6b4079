"""Runs samples as frames of films, whose neurons keep their potentials from one frame to the next.

A film of n frames is one long sample: a constant input becomes a sequence, each of whose steps is there for as long as
a frame, and a spiking one its frames' trains one after the other. So any simulator that can present those can run it.
Afterwards each frame has what was counted and read out in its own steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from snntoolbox.errors import Unsupported, UnsupportedError
from snntoolbox.ir.editing import Editing
from snntoolbox.ir.encodings import ConstantCurrent, Encoding, SpikeTimes, Spiking, StepByStep, spike_trains
from snntoolbox.ir.network import Population, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array
from snntoolbox.ir.nodes import Dense, Input, Reshape
from snntoolbox.ir.result import Record, Result

_HINT = "[simulation] reset_between_nth_sample = 1 resets before each sample"
ALL = Record(spikes=True)
"""What must be recorded of a film: frames are told apart by the steps of spikes and outputs."""


@dataclass(frozen=True, eq=False)
class Films:
    """Samples as films of `frames` frames, each of `steps` steps; the last film may be shorter."""

    frames: int
    steps: int

    def network(self, network: SpikingNetwork) -> SpikingNetwork:
        """The network that films go into; UnsupportedError lists what belongs to each sample alone."""
        _check(network)
        editing, late = Editing(network.wiring), dict[str, str]()
        encodings: dict[str, Encoding] = {}
        for name, coding in network.encodings.items():
            if isinstance(coding, Spiking):
                encodings[name] = SpikeTimes(amplitude=coding.amplitude)
                continue
            encodings[name], late[name] = StepByStep(self.steps, self.steps), editing.fresh(f"{name}.frame")
            shape = network.wiring.shapes[name]
            summed = editing.fresh(f"{name}.sum")
            nodes = (
                Input(name=name, shape=(self.frames, *shape)),
                Dense(name=summed, inputs=(name,), weight=np.ones((1, self.frames)), axis=0),
                Reshape(name=late[name], inputs=(summed,), shape=shape),
            )
            editing.edit(nodes, {name: late[name]})
        populations = [replace(p, current=late.get(p.current, p.current)) for p in network.populations.values()]
        readouts = [replace(r, current=late.get(r.current, r.current), start=0) for r in network.readouts]
        return network.replaced(
            wiring=editing.graph(), encodings=encodings, populations=populations, readouts=readouts
        )

    def samples(self, network: SpikingNetwork, arrays: Sequence[Array]) -> list[Array]:
        """What the network of films is given for samples of the network: films in front, frames without input last."""
        pairs = zip(network.encodings.values(), arrays, strict=True)
        return [self._films(self._presented(coding, x), isinstance(coding, Spiking)) for coding, x in pairs]

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
    for name, coding in network.encodings.items():
        if network.grid is not None and isinstance(coding, ConstantCurrent):
            offenders.append(Unsupported(name, "constant-current input on an integer grid, to which it is rounded"))
    if offenders:
        raise UnsupportedError("a film, whose frames keep their potentials,", offenders, hint=_HINT)


def _pulsed(network: SpikingNetwork) -> list[Population]:
    return [p for p in network.populations.values() if p.pulses]


def _counted(train: Array) -> Array:
    return np.asarray(train.sum(axis=0, dtype=np.float64 if train.dtype.kind == "f" else np.int64))


def _valued(populations: Mapping[str, Population]) -> list[str]:
    return [name for name, p in populations.items() if isinstance(p.neuron, IF) and p.neuron.valued]
