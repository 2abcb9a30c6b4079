"""The settings without which a network would not ask for what it asks for, as users write them, for refusals.

What takes a network looks at it: the same feature may come from a key of its own or from a schedule. None is a part
alone, which no schedule chose.
"""

from __future__ import annotations

from typing import Any

RATE = "[conversion] schedule = rate"
WINDOWS = "schedule = phased, radix or first-spike"
"""The schedules whose windows take tables of smooth functions and products: those that multiply."""
_CIRCUIT = "[conversion] maxpool_type = relu_tree, where max pooling is a circuit that recurs (wta)"


def plain_spikes(network: Any) -> str:
    """Without levels and signs."""
    return RATE if _scheduled(network) else "[cell] levels = [1] and spikes = unsigned"


def subtraction(network: Any) -> str:
    """Without another reset."""
    return RATE if _scheduled(network) else "[cell] reset = subtract"


def reset_to_zero(network: Any) -> str:
    """Without what is left above a threshold: on a target none of whose neurons subtracts."""
    return RATE if _scheduled(network) else "[cell] reset = zero"


def constant_biases(network: Any) -> str:
    """Without pulses of current."""
    ours = "[cell] bias_relaxation = False and [conversion] layer_correction = auto"
    return RATE if _scheduled(network) else ours


def one_input(network: Any) -> str:
    """Without inputs that go on from step to step."""
    return RATE if _scheduled(network) else "[simulation] reset_between_nth_sample = 1"


def no_loops(network: Any) -> str:
    """Without connections that recur: circuits have them, where no schedule does."""
    return RATE if _scheduled(network) else _CIRCUIT


def no_delays(network: Any) -> str:
    """Without delays, those of loops and those of all projections."""
    circuit = network.circuit
    others = set(circuit.delays) - circuit.looping
    ways = [*(["[cell] delay = 0"] if others else []), *([no_loops(network)] if circuit.looping else [])]
    return ", and ".join(ways)


def _scheduled(network: Any) -> bool:
    return network is not None and network.schedule is not None
