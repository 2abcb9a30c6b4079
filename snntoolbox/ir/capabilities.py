"""What a backend can run, as data; what is absent is refused by name."""

from __future__ import annotations

from dataclasses import dataclass

from snntoolbox.errors import Unsupported, UnsupportedError
from snntoolbox.ir.encodings import ConstantCurrent, Encoding, Poisson
from snntoolbox.ir.network import Population, SpikingNetwork
from snntoolbox.ir.neurons import IF, MaxGate, Reset


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """The features of a network that a backend runs exactly; every field defaults to nothing.

    `latency` is the least delay of a projection in steps.
    """

    resets: frozenset[Reset] = frozenset()
    leak: bool = False
    refractory: bool = False
    max_gate: bool = False
    encodings: frozenset[type[Encoding]] = frozenset()
    recurrent: bool = False
    latency: int = 0

    def missing(self, network: SpikingNetwork) -> list[Unsupported]:
        """Every part of `network` that this backend cannot run, under the user's own layer names."""
        found = [item for p in network.populations.values() for item in self._neuron(p)]
        names = {ConstantCurrent: "constant-current input", Poisson: "Poisson input"}
        for name, coding in network.encodings.items():
            if type(coding) not in self.encodings:
                found.append(Unsupported(name, names[type(coding)]))
        if network.cycle and not self.recurrent:
            found.append(Unsupported(" -> ".join(network.cycle), "a recurrent connection"))
        return found

    def _neuron(self, population: Population) -> list[Unsupported]:
        neuron = population.neuron
        if isinstance(neuron, MaxGate):
            return [] if self.max_gate else [Unsupported(population.label, "max pooling by a gate on spike counts")]
        assert isinstance(neuron, IF)
        reasons = []
        if neuron.reset not in self.resets:
            reasons.append(f"reset '{neuron.reset}'")
        if neuron.leak != 1 and not self.leak:
            reasons.append("leak")
        if neuron.refractory and not self.refractory:
            reasons.append("refractory period")
        return [Unsupported(population.label, reason) for reason in reasons]

    def check(self, backend: str, network: SpikingNetwork) -> None:
        """Raise an UnsupportedError that lists everything missing, if anything is."""
        if offenders := self.missing(network):
            raise UnsupportedError(f"backend '{backend}'", offenders, hint="simulator = INI runs all of these")
