"""What NIR cannot say of a network, as a text beside the graph: names, codings, resets, scales, read-outs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from snntoolbox.errors import DataError, SNNToolboxError
from snntoolbox.ir.binary_digits import BinaryDigits
from snntoolbox.ir.encodings import ConstantCurrent, Encoding, Poisson, SpikeTimes
from snntoolbox.ir.head import Head
from snntoolbox.ir.latency import Latency
from snntoolbox.ir.network import Grid, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Origin, Shape

KEY, FORMAT = "snntoolbox", 1
"""The name of the text among the metadata of the graph."""

SEMANTICS = {
    "comparison": "a spike where V >= v_threshold",
    "reset": "subtract: V - v_threshold where there is a spike; zero: v_reset",
    "levels": "a spike of the largest value whose number of thresholds V reaches; what it subtracts is as much",
    "synaptic": "what remains of a current in a step; a bias does not come through synapses",
    "saturation": "the lowest and the highest V at the end of a step",
    "start": "V before the first step is 'initial' in a neuron's metadata, 0 without it",
    "delay": "in a step a spike crosses all layers; Delay and tau count steps",
    "output": "scale * mean over the steps of what the output node gets, from step 'start' on",
}
"""For readers: how the graph is meant."""

_KINDS = (ConstantCurrent, Poisson, SpikeTimes, Latency, BinaryDigits)
_ENCODINGS: Mapping[str, type[Any]] = {kind.__name__: kind for kind in _KINDS}


@dataclass(frozen=True, kw_only=True)
class InputNotes:
    """An input: its name and shape, and how it is coded."""

    name: str
    shape: Shape
    encoding: Encoding


@dataclass(frozen=True, kw_only=True)
class NeuronNotes:
    """A population: its name and shape, what a spike does, the exact leak, where it comes from, values of spikes.

    saturation: the lowest and the highest potential, or none. synaptic: what remains of currents in a step.
    """

    name: str
    shape: Shape
    reset: str
    leak: float
    activation: str
    origin: Origin | None
    levels: tuple[float, ...] = (1.0,)
    saturation: tuple[float, float] | None = None
    synaptic: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class OutputNotes:
    """A read-out: its name and shape, and what it makes of its current."""

    name: str
    shape: Shape
    scale: float
    start: int
    head: Head


@dataclass(frozen=True, kw_only=True)
class Notes:
    """All that is noted, by the names of the nodes in the file."""

    name: str
    dt: float
    grid: Grid | None
    inputs: Mapping[str, InputNotes] = field(default_factory=dict)
    neurons: Mapping[str, NeuronNotes] = field(default_factory=dict)
    outputs: Mapping[str, OutputNotes] = field(default_factory=dict)


def notes_of(network: SpikingNetwork, names: Mapping[tuple[str, str], str]) -> Notes:
    """The notes on a network; `names` are those in the file of (role, name)."""
    inputs = {
        names["input", n]: InputNotes(name=n, shape=network.wiring.shapes[n], encoding=e)
        for n, e in network.encodings.items()
    }
    neurons = {}
    for population in network.populations.values():
        neuron = population.neuron
        assert isinstance(neuron, IF)
        neurons[names["neuron", population.name]] = NeuronNotes(
            name=population.name,
            shape=population.shape,
            reset=str(neuron.reset),
            leak=float(neuron.leak),
            activation=population.activation,
            origin=population.origin,
            levels=neuron.levels,
            saturation=neuron.saturation,
            synaptic=neuron.synaptic,
        )
    outputs = {
        names["output", r.name]: OutputNotes(
            name=r.name, shape=r.shape, scale=float(r.scale), start=r.start, head=r.head
        )
        for r in network.readouts
    }
    return Notes(name=network.name, dt=network.dt, grid=network.grid, inputs=inputs, neurons=neurons, outputs=outputs)


def text_of(notes: Notes) -> str:
    """The notes as JSON."""
    data = asdict(notes)
    for name, item in notes.inputs.items():
        data["inputs"][name]["encoding"] = {"kind": type(item.encoding).__name__, **asdict(item.encoding)}  # type: ignore[call-overload]
    return json.dumps({"format": FORMAT, "semantics": SEMANTICS, **data}, indent=1)


def read_notes(texts: Mapping[str, Any], file: str) -> Notes | None:
    """The notes in a file's metadata; None where there are none, DataError where they are damaged."""
    if KEY not in texts:
        return None
    try:
        data = json.loads(texts[KEY])
        if data["format"] != FORMAT:
            raise DataError(f"{file}: its notes are of format {data['format']!r}, this version reads {FORMAT}")
        return Notes(
            name=str(data["name"]),
            dt=float(data["dt"]),
            grid=None if data["grid"] is None else Grid(**data["grid"]),
            inputs={n: InputNotes(**{**d, **_input(d)}) for n, d in data["inputs"].items()},
            neurons={n: NeuronNotes(**{**d, **_neuron(d)}) for n, d in data["neurons"].items()},
            outputs={n: OutputNotes(**{**d, **_output(d)}) for n, d in data["outputs"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError, SNNToolboxError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{file}: the notes of snntoolbox in it are damaged: {error}") from error


def _shape(data: Mapping[str, Any]) -> Shape:
    return tuple(int(n) for n in data["shape"])


def _input(data: Mapping[str, Any]) -> dict[str, Any]:
    coding = dict(data["encoding"])
    return {"shape": _shape(data), "encoding": _ENCODINGS[coding.pop("kind")](**coding)}


def _neuron(data: Mapping[str, Any]) -> dict[str, Any]:
    origin, levels, limits = data["origin"], data.get("levels", [1.0]), data.get("saturation")
    return {
        "shape": _shape(data),
        "origin": None if origin is None else Origin(**origin),
        "levels": tuple(float(level) for level in levels),
        "saturation": None if limits is None else (float(limits[0]), float(limits[1])),
        "synaptic": tuple(float(share) for share in data.get("synaptic", [0.0, 0.0])),
    }


def _output(data: Mapping[str, Any]) -> dict[str, Any]:
    return {"shape": _shape(data), "head": Head(**data["head"])}
