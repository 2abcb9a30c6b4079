"""What neurons of NIR are here: the neuron, and what its resistance and its leak do to the current."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from snntoolbox.backends.nir.graph_file import Record
from snntoolbox.backends.nir.notes import NeuronNotes
from snntoolbox.errors import ArgumentError, DataError
from snntoolbox.ir.arguments import nearest
from snntoolbox.ir.neurons import IF, Reset
from snntoolbox.ir.node import Array, Shape

KINDS = ("IF", "LIF", "CubaLIF")
SMALLEST = 2.0**-60
"""The share of a bias below which it has come through the synapses."""
MOST_PULSES = 4096
NO_BIAS = "train without a bias in front of such neurons"
LIBRARIES = ("rockpool",)
"""Those whose neurons do otherwise than what their files say by NIR's equations."""
MOST_SPIKES = 31
"""Of a neuron of Rockpool in a step: as many as its chips count."""
_BY_NIR = "files of others say by NIR's equations what their neurons do: without a library"
RESETS = (str(Reset.SUBTRACT), str(Reset.ZERO))


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What NIR leaves to who reads it: the length of a step in the file's unit of time, and other rules than its own.

    NIR's own are a reset to v_reset, and a spike where V > v_threshold. A `library` that wrote the file has others.
    """

    dt: float | None = None
    reset: str | None = None
    comparison: str | None = None
    library: str | None = None

    def __post_init__(self) -> None:
        if self.dt is not None and not 0 < self.dt < math.inf:
            raise ArgumentError(f"dt = {self.dt} is no length of a step")
        if self.reset not in (None, *RESETS):
            raise ArgumentError(f"reset = {self.reset!r} is none of {', '.join(RESETS)}")
        if self.comparison not in (None, ">", ">="):
            raise ArgumentError(f"comparison = {self.comparison!r} is neither > nor >=")
        if self.library is None:
            return
        if self.library not in LIBRARIES:
            near = nearest(self.library.lower(), LIBRARIES)
            told = f"library = {self.library!r} is none of {', '.join(LIBRARIES)}"
            raise ArgumentError(told, hint=f"did you mean {near}?" if near else _BY_NIR)
        if self.dt is None:
            raise ArgumentError("a library's file needs the length of its steps too", hint="dt=1e-3, as it was trained")
        if self.reset is not None or self.comparison is not None:
            raise ArgumentError("a library has a reset and a comparison of its own", hint="library and dt alone")


@dataclass(frozen=True, eq=False, kw_only=True)
class ReadNeuron:
    """A neuron, the gain of its current (None: 1), a constant current, and the shape that its values have.

    biased_synapses: a bias of what leads to it comes through its synapses.
    """

    neuron: IF
    shape: Shape
    gain: Array | None
    bias: Array | None
    scale: Array | None
    biased_synapses: bool = False

    def pulses(self, bias: Array) -> dict[int, Array]:
        """What a bias that comes through the synapses lacks at first, step by step: e^(t + 1) of it in step t."""
        remains = self.neuron.synaptic[0]
        if not self.biased_synapses or not remains or not np.any(bias):
            return {}
        steps = math.ceil(math.log(SMALLEST) / math.log(remains))
        if steps > MOST_PULSES:
            raise DataError(f"has a bias that needs {steps:,} steps to come through its synapses", hint=NO_BIAS)
        return {step: -bias * remains ** (step + 1) for step in range(steps)}

    @property
    def single(self) -> bool:
        """Whether its values are those of one neuron, or of all."""
        return bool(np.prod(self.shape, dtype=float) == 1)


def read_neuron(record: Record, name: str, rules: Rules, notes: NeuronNotes | None) -> ReadNeuron:
    """The neuron of a record called `name`; DataError where its values do not fit, or cannot be kept exactly."""
    try:
        return _neuron(record, name, rules, notes)
    except DataError as error:
        raise DataError(f"'{name}' (nir {record.kind}) {error.message}", hint=error.hint) from error
    except (TypeError, ValueError, IndexError) as error:
        raise DataError(f"'{name}' (nir {record.kind}) has values of wrong types or shapes: {error}") from error


def _neuron(record: Record, name: str, rules: Rules, notes: NeuronNotes | None) -> ReadNeuron:
    numbers = {k: np.asarray(v, np.float64) for k, v in record.values.items()}
    shape = np.broadcast_shapes(*(v.shape for v in numbers.values()))
    if notes is None and rules.library == "rockpool":
        return _of_rockpool(record.kind, numbers, shape, rules)
    leak, gain, bias = _membrane(record.kind, numbers, rules, notes)
    remains = _remains(numbers["tau_syn"], rules.dt) if record.kind == "CubaLIF" else 0.0
    if "bias" in record.notes:
        bias = _unless_all(np.asarray(record.notes["bias"], np.float64), 0.0)
    threshold = np.asarray(record.notes.get("threshold", numbers["v_threshold"]), np.float64)
    if not np.all(threshold > 0):
        raise DataError(f"has a threshold of {threshold.min():g}, which is not above 0")
    if notes is None and rules.comparison != ">=":
        # The least value above it in the precision of most simulators and files.
        threshold = np.nextafter(threshold.astype(np.float32), np.float32(np.inf)).astype(np.float64)
    reset = notes.reset if notes else (rules.reset or Reset.ZERO)
    neuron = IF(
        threshold=_alike(threshold),
        reset=Reset(reset),
        reset_potential=_only(numbers.get("v_reset", np.zeros(1)), "resets each neuron to a potential of its own")
        if reset == Reset.ZERO
        else 0.0,
        initial=_alike(np.asarray(record.notes.get("initial", 0.0), np.float64)),
        leak=leak,
        synaptic=notes.synaptic if notes else (remains, remains),
        levels=notes.levels if notes else (1.0,),
        saturation=notes.saturation if notes else None,
    )
    scale = record.notes.get("scale")
    return ReadNeuron(
        neuron=neuron,
        shape=shape,
        gain=gain,
        bias=bias,
        scale=None if scale is None else np.asarray(scale),
        biased_synapses=record.kind == "CubaLIF" and notes is None,
    )


def _of_rockpool(kind: str, numbers: Mapping[str, Array], shape: Shape, rules: Rules) -> ReadNeuron:
    """Rockpool's ``LIFTorch`` and ``LIFNeuronTorch``: I = beta (I + W S), V = alpha V + I, floor(V / theta) spikes.

    alpha and beta are exp(-dt / tau), and each spike takes a threshold away; it is in r that the file says dt.
    """
    assert rules.dt is not None
    if kind == "IF":
        raise DataError("is no neuron of Rockpool, which all leak")
    tau = _only(numbers["tau" if kind == "LIF" else "tau_mem"], "has time constants that differ")
    leak = math.exp(-rules.dt / tau)
    written = tau * leak / rules.dt
    if not np.allclose(numbers["r"], written, rtol=1e-3):
        told = f"has r = {numbers['r'].flat[0]:g}, and Rockpool writes {written:g} for steps of {rules.dt:g}"
        raise DataError(told, hint="the dt of its modules, 1e-3 unless they have another")
    synapses, gain = 0.0, None
    if kind == "CubaLIF":
        synapses = math.exp(-rules.dt / _only(numbers["tau_syn"], "has time constants of synapses that differ"))
        gain = np.full(shape, synapses / (1 - synapses))
    threshold = numbers["v_threshold"]
    if not np.all(threshold > 0):
        raise DataError(f"has a threshold of {threshold.min():g}, which is not above 0")
    levels = tuple(float(n) for n in range(1, MOST_SPIKES + 1))
    membrane = IF(threshold=_alike(threshold), reset=Reset.SUBTRACT, leak=leak, initial=0.0)
    neuron = replace(membrane, synaptic=(synapses, synapses), levels=levels)
    return ReadNeuron(
        neuron=neuron, shape=shape, gain=gain, bias=None, scale=None, biased_synapses=kind == "CubaLIF"
    )


def _membrane(
    kind: str, numbers: Mapping[str, Array], rules: Rules, notes: NeuronNotes | None
) -> tuple[float, Array | None, Array | None]:
    """The leak, the gain of the current and a constant current: V += dt / tau (v_leak - V + r I), or dt r I.

    The current of a CubaLIF is the one that its synapses leave of w_in S.
    """
    dt = rules.dt
    if kind == "IF":
        gain = numbers["r"] if dt is None else dt * numbers["r"]
        return 1.0, _unless_all(gain, 1.0), None
    if dt is None:
        raise DataError("leaks, and nothing says how long a step is", hint="dt=1e-4, for instance")
    tau = _only(numbers["tau" if "tau" in numbers else "tau_mem"], "has time constants that differ")
    if not tau >= dt:
        raise DataError(f"has a time constant of {tau:g}, shorter than a step of {dt:g}")
    leak = notes.leak if notes else 1 - dt / tau
    if leak == 0:
        raise DataError(f"forgets its potential in each step of {dt:g}")
    # With the exact leak of our notes the gain is 1, but for rounding.
    gain = np.ones(1) if notes else dt / tau * numbers["r"] * numbers.get("w_in", 1.0)
    return leak, _unless_all(gain, 1.0), _unless_all(dt / tau * numbers["v_leak"], 0.0)


def _remains(tau: Array, dt: float | None) -> float:
    """What remains of a synaptic current in a step: I += dt / tau_syn (w_in S - I)."""
    if dt is None:
        raise DataError("has currents that fade, and nothing says how long a step is", hint="dt=1e-4, for instance")
    own = _only(tau, "has time constants of synapses that differ")
    if not own >= dt:
        raise DataError(f"has a time constant of synapses of {own:g}, shorter than a step of {dt:g}")
    return 1 - dt / own


def _unless_all(value: Array, usual: float) -> Array | None:
    return None if np.all(value == usual) else value


def _only(value: Array, otherwise: str) -> float:
    values = np.unique(value)
    if len(values) != 1:
        raise DataError(f"{otherwise}, from {values.min():g} to {values.max():g}")
    return float(values[0])


def _alike(value: Array) -> Any:
    """One number where all are the same."""
    return float(value.flat[0]) if value.size and np.all(value == value.flat[0]) else value
