"""What schedules need that give layers a time: neurons that lose nothing, inputs without times of their own."""

from __future__ import annotations

from dataclasses import replace

from snntoolbox.conversion.schedules.schedule import Choices
from snntoolbox.errors import ConversionError, Unsupported
from snntoolbox.ir.binary_digits import BinaryDigits
from snntoolbox.ir.counting import Counting
from snntoolbox.ir.encodings import ConstantCurrent, Encoding, Poisson
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.latency import Latency
from snntoolbox.ir.network import Population, SpikingNetwork
from snntoolbox.ir.neurons import IF, Reset
from snntoolbox.ir.nodes import Delay, MaxPool

_GATE = "max pooling by a gate, which needs its input's spikes step by step"


def hint_for(schedule: str) -> str:
    """What to set for a schedule of this name."""
    plain = "reset = subtract, leak = False, tau_refrac = 0"
    ways = "[conversion] maxpool_type = relu_tree, or [conversion] schedule = rate"
    return f"{ways}; schedule = {schedule} needs plain neurons: {plain}"


def lossy_choices(schedule: str, recipe: Choices) -> list[str]:
    """What is wrong with neurons that lose current, which a schedule of this name cannot have."""
    wrong = []
    if recipe.neuron.reset != "subtract":
        wrong.append(f"schedule = {schedule} needs neurons with reset = subtract")
    if recipe.neuron.leak != 1:
        wrong.append(f"schedule = {schedule} needs neurons without leak")
    if recipe.neuron.refractory:
        wrong.append(f"schedule = {schedule} needs neurons without a refractory period")
    if recipe.neuron.saturation is not None:
        wrong.append(f"schedule = {schedule} needs neurons without limits of their potential (v_limits)")
    if any(recipe.neuron.synaptic):
        wrong.append(f"schedule = {schedule} needs spikes that act at once, without tau_syn_E and tau_syn_I")
    if recipe.neuron.special:
        wrong.append(f"schedule = {schedule} needs neurons without {' and '.join(recipe.neuron.special_words)}")
    return wrong


def digits_misfit(schedule: str, recipe: Choices, counting: Counting) -> list[str]:
    """What is wrong with binary digits as input where the steps of a schedule of this name do not count so."""
    if counting is Counting.DIGIT or not isinstance(recipe.encoding, BinaryDigits):
        return []
    return [f"input by binary digits needs steps that count as digits (schedule = radix), not schedule = {schedule}"]


def gates(lowered: Graph) -> list[Unsupported]:
    """The max pools of a lowered graph, which become gates."""
    return [Unsupported(node.label, _GATE) for node in lowered.nodes.values() if isinstance(node, MaxPool)]


def not_plain(network: SpikingNetwork) -> list[Unsupported]:
    """Every population or input that cannot wait for its time, with the reason."""
    offenders = []
    for population in network.populations.values():
        offenders += [Unsupported(population.label, reason) for reason in _reasons(population)]
    for node in network.wiring.nodes.values():
        if isinstance(node, Delay):
            offenders.append(Unsupported(node.label, "a delay of its own"))
    for name, coding in network.encodings.items():
        if not isinstance(coding, (ConstantCurrent, Poisson, Latency, BinaryDigits)):
            offenders.append(Unsupported(name, f"{type(coding).__name__} input, which has times of its own"))
    return offenders


def _reasons(population: Population) -> list[str]:
    neuron = population.neuron
    if not isinstance(neuron, IF):
        return [_GATE]
    wrong = {
        f"reset '{neuron.reset}'": neuron.reset is not Reset.SUBTRACT,
        "leak": neuron.leak != 1,
        "refractory period": neuron.refractory != 0,
        "spikes with values or signs": neuron.graded,
        "pulses of current": bool(population.pulses),
        "a window of its own": neuron.window is not None,
        "potentials that saturate": neuron.saturation is not None,
        "synaptic currents that last": any(neuron.synaptic),
    }
    return [*(reason for reason, holds in wrong.items() if holds), *neuron.special_words]


def presented_for(steps: int, coding: Encoding) -> Encoding:
    """The coding, silent after so many steps."""
    if not isinstance(coding, (ConstantCurrent, Poisson)):
        raise ConversionError(f"{type(coding).__name__} input has times of its own")
    return replace(coding, steps=steps)
