"""What a backend can run, as data; what is absent is refused by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from shutil import which

import numpy as np

from snntoolbox.errors import BackendError, Unsupported, UnsupportedError
from snntoolbox.ir.encodings import ConstantCurrent, Encoding, Poisson, SpikeTimes
from snntoolbox.ir.network import Population, SpikingNetwork
from snntoolbox.ir.neurons import IF, MaxGate, Negative, Reset

_CODINGS: Mapping[type[Encoding], str] = {
    ConstantCurrent: "constant-current input",
    Poisson: "Poisson input",
    SpikeTimes: "spike-time input",
}
_PLAIN = "[cell] levels = 1 and spikes = unsigned"
_SCHEDULE = "[conversion] schedule = rate"
_OFF_GRID = "weights that are not on an integer grid"
_GATE = "max pooling by a gate on spike counts"
_WINDOWS = "firing windows"
_LOWERED: Mapping[str, str] = {
    _OFF_GRID: "[conversion] weight_bits = 8",
    _GATE: "[conversion] maxpool_type = relu_tree",
    _CODINGS[Poisson]: "[input] poisson_input = False",
    _CODINGS[ConstantCurrent]: "[input] poisson_input = True",
    _WINDOWS: _SCHEDULE,
    "pulses of current": _SCHEDULE,
    "input for the first steps alone": _SCHEDULE,
    "spikes that carry values": _PLAIN,
    "signed spikes": _PLAIN,
}
"""For a reason the setting that makes a network without it."""


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """The features of a network that a backend runs exactly; every field defaults to nothing.

    Linear maps need no field: whatever the layer, they are synapses. A backend that has a leak or a refractory period
    only with some resets gives those instead of True.

    encodings: input codings; `signed_input`: negative values as spikes that count -1.
    resets, leak, refractory, max_gate: the neurons; `bias`, `initial` (a potential before the first step),
    `thresholds` (one per neuron): what neurons of one population may differ in.
    windows: neurons that integrate always and fire in some steps alone; pulses: a current more in single steps;
    timed_input: constant input in the first steps alone.
    saturation: potentials that are clipped to a range at the end of each step.
    levels: spikes that carry one of several values; signed: spikes of either sign, with memory of what was sent.
    recurrent: cycles of projections; latency: the least delay of a projection in steps.
    batches: whether samples run side by side, not one after the other.
    records: what can be recorded beside counts and outputs: 'spikes', 'potentials'.
    exact_bits: sums of whole numbers below 2**exact_bits are exact, so networks on an integer grid are too.
    grid_only: only networks on an integer grid run.
    programs: executables of which one must be there; the Debian packages that hold them are called like them.
    modules: what must be importable; extra: the pip extra of snntoolbox that installs it.
    reasons: row of the table of simulators -> why there is a no in it, where that is special to this backend.
    """

    encodings: frozenset[type[Encoding]] = frozenset()
    signed_input: bool = False
    resets: frozenset[Reset] = frozenset()
    leak: bool | frozenset[Reset] = False
    refractory: bool | frozenset[Reset] = False
    max_gate: bool = False
    bias: bool = False
    initial: bool = False
    thresholds: bool = False
    windows: bool = False
    pulses: bool = False
    timed_input: bool = False
    saturation: bool = False
    levels: bool = False
    signed: bool = False
    recurrent: bool = False
    latency: int = 0
    batches: bool = False
    records: frozenset[str] = frozenset()
    exact_bits: int = 0
    grid_only: bool = False
    programs: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    extra: str = ""
    reasons: Mapping[str, str] = field(default_factory=dict, compare=False)

    # -- is it here? --------------------------------------------------------------------------------------------

    def installed(self) -> bool:
        """Whether what the backend needs is installed; imports none of it."""
        return not self._absent() and self._program_found()

    def require(self, backend: str) -> None:
        """Raise a BackendError that says what to install, if anything is missing."""
        if absent := self._absent():
            hint = f"pip install 'snntoolbox[{self.extra}]'" if self.extra else f"install {' and '.join(absent)}"
            raise BackendError(f"simulator '{backend}' is not installed: no module {', '.join(absent)}", hint=hint)
        if not self._program_found():
            wanted = " or ".join(self.programs)
            hint = f"apt-get install {wanted}"
            raise BackendError(f"simulator '{backend}' needs {wanted}, which is not here", hint=hint)

    def _program_found(self) -> bool:
        return not self.programs or any(which(program) for program in self.programs)

    def _absent(self) -> list[str]:
        # Only the top package: looking for a submodule would import the package around it.
        return [m for m in self.modules if find_spec(m.partition(".")[0]) is None]

    # -- can it run this? ---------------------------------------------------------------------------------------

    def missing(self, network: SpikingNetwork) -> list[Unsupported]:
        """Every part of `network` that this backend cannot run, under the user's own layer names."""
        found = [Unsupported(p.label, reason) for p in network.populations.values() for reason in self._population(p)]
        for name, coding in network.encodings.items():
            if type(coding) not in self.encodings:
                found.append(Unsupported(name, _CODINGS[type(coding)]))
            elif isinstance(coding, ConstantCurrent) and coding.steps is not None and not self.timed_input:
                found.append(Unsupported(name, "input for the first steps alone"))
        if self.grid_only and network.grid is None:
            found.append(Unsupported(network.name, _OFF_GRID))
        if network.cycle and not self.recurrent:
            found.append(Unsupported(" -> ".join(network.cycle), "a recurrent connection"))
        return found

    def _population(self, population: Population) -> Iterator[str]:
        if isinstance(population.neuron, MaxGate):
            yield from () if self.max_gate else (_GATE,)
        else:
            yield from self._neuron(population.neuron)
        if population.bias is not None and np.any(population.bias) and not self.bias:
            yield "bias"
        if population.pulses and not self.pulses:
            yield "pulses of current"

    def _neuron(self, neuron: IF) -> Iterator[str]:
        if neuron.reset not in self.resets:
            yield f"reset '{neuron.reset}'"
        if neuron.leak != 1:
            yield from _without(self.leak, neuron.reset, "leak")
        if neuron.refractory:
            yield from _without(self.refractory, neuron.reset, "refractory period")
        if np.any(neuron.initial) and not self.initial:
            yield "initial potential"
        if np.ptp(neuron.threshold) != 0 and not self.thresholds:
            yield "thresholds that differ within a layer"
        if neuron.window is not None and not self.windows:
            yield _WINDOWS
        if neuron.saturation is not None and not self.saturation:
            yield "potentials that saturate"
        if neuron.levels != (1.0,) and not self.levels:
            yield "spikes that carry values"
        if neuron.negative is not Negative.NEVER and not self.signed:
            yield "signed spikes"

    def check(self, backend: str, network: SpikingNetwork, others: Mapping[str, Capabilities] | None = None) -> None:
        """Raise an UnsupportedError that lists everything missing, if anything is.

        The hint names the settings that lower it away, and those of `others` (name -> capabilities) that can run it.
        """
        if not (offenders := self.missing(network)):
            return
        able = [name for name, other in (others or {}).items() if name != backend and not other.missing(network)]
        hints = [f"simulator = {' or '.join(able)} can run all of these"] if able else []
        hints += dict.fromkeys(_LOWERED[o.reason] for o in offenders if o.reason in _LOWERED)
        if self.pulses and any(o.reason == _WINDOWS for o in offenders):
            hints.append("weight_bits = 8, by which windows become pulses of current")
        hint = ", or ".join(hints) or "`snntoolbox capabilities` shows what each simulator runs"
        raise UnsupportedError(f"backend '{backend}'", offenders, hint=hint)


def _without(held: bool | frozenset[Reset], reset: Reset, what: str) -> Iterator[str]:
    """The reason why a feature is missing with this reset, if it is."""
    if isinstance(held, frozenset) and held:
        if reset not in held:
            yield f"{what} with reset '{reset}'"
    elif not held:
        yield what
