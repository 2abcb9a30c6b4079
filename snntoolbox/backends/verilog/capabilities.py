"""What the hardware can be: its features, its sizes and how it may be built."""

from __future__ import annotations

from dataclasses import dataclass

from snntoolbox.backends.verilog.parts import PARTS
from snntoolbox.errors import BackendError
from snntoolbox.ir import features as f
from snntoolbox.ir.binary_digits import BinaryDigits
from snntoolbox.ir.capabilities import Capabilities
from snntoolbox.ir.encodings import ConstantCurrent, Spiking
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.neurons import IF, Reset
from snntoolbox.ir.part import features_of
from snntoolbox.ir.turns import out_of_turn

SIMULATORS = ("auto", "icarus", "verilator")


@dataclass(frozen=True, kw_only=True)
class Options:
    """How the hardware is built and run; none of them changes a spike.

    verilog_simulator: 'icarus', 'verilator', or 'auto' for Verilator where a run is long enough for its compilation.
    lanes: neurons that a layer updates at once, a power of two. queue: words of each queue between layers, likewise.
    stalls: make both streams wait in so many of 8 clocks, at random. membrane_bits: refuse what needs more; 0 for any.
    """

    verilog_simulator: str = "auto"
    lanes: int = 1
    queue: int = 4
    stalls: int = 0
    membrane_bits: int = 0

    def __post_init__(self) -> None:
        if self.verilog_simulator not in SIMULATORS:
            message = f"backend 'verilog' cannot run in '{self.verilog_simulator}'"
            raise BackendError(message, hint=f"use one of {', '.join(SIMULATORS)}")
        check_sizes(self.lanes, self.queue)
        for what, most in {"stalls": 7, "membrane_bits": 64}.items():
            if not 0 <= getattr(self, what) <= most:
                raise BackendError(f"backend 'verilog': {what} = {getattr(self, what)} is not from 0 to {most}")


def check_sizes(lanes: int, queue: int) -> None:
    """BackendError where the lanes of a layer or the words of a queue are none."""
    for many, what, most in ((lanes, "lanes in a layer", 1 << 16), (queue, "words in a queue", 1024)):
        if not 1 <= many <= most or many & (many - 1):
            raise BackendError(f"hardware cannot have {many} {what}", hint=f"use a power of two up to {most}")


def _resets_elsewhere(neuron: IF) -> bool:
    return neuron.reset is Reset.ZERO and neuron.reset_potential != 0


def _saturates_between(neuron: IF) -> bool:
    return any(limit != int(limit) for limit in neuron.saturation or ())


def _ends_elsewhere(network: SpikingNetwork) -> bool:
    schedule, codings = network.schedule, network.encodings.values()
    if schedule is None or schedule.steps is None:
        return False
    return any(isinstance(e, ConstantCurrent) and e.steps != schedule.window for e in codings)


def _saturates_latched(neuron: IF) -> bool:
    return neuron.latched and neuron.saturation is not None


def _multiplies_out_of_turn(network: SpikingNetwork) -> bool:
    return any(True for _ in out_of_turn(network))


def _digits_beside_spikes(network: SpikingNetwork) -> bool:
    spiking = [e for e in network.encodings.values() if isinstance(e, Spiking)]
    digits = [e for e in spiking if isinstance(e, BinaryDigits)]
    return bool(digits) and (len(digits) < len(spiking) or len({e.window for e in digits}) > 1)


REGISTERS = (
    f.Feature("binary digits beside input spikes of another kind", asked_by=f.of_networks(_digits_beside_spikes)),
    f.Feature(
        "products of counts that come together",
        asked_by=f.of_networks(_multiplies_out_of_turn),
        avoided_by="[conversion] schedule = phased or radix, where one factor comes behind the other",
    ),
    f.Feature(
        "products of counts that saturate",
        asked_by=f.of_neurons(_saturates_latched),
        avoided_by="[cell] v_limits left empty",
    ),
    f.Feature("windows, and input that does not last for one", asked_by=f.of_networks(_ends_elsewhere)),
    f.Feature("a reset potential other than 0", asked_by=f.of_neurons(_resets_elsewhere)),
    f.Feature("potentials that saturate at fractions", asked_by=f.of_neurons(_saturates_between)),
)
"""What registers cannot hold: they start at 0 and hold whole numbers; a read-out's bias is there with the input; what
multiplies is counted before, and multiplied once, as the window opens, up to which a membrane holds the one factor."""

CAPABILITIES = Capabilities(
    features=features_of(PARTS)
    | {f.CONSTANT_INPUT, f.TIMED_INPUT, f.POISSON_INPUT, f.DIGIT_INPUT, f.SIGNED_INPUT}
    | {f.BIAS, f.INITIAL_POTENTIAL, f.RECORDED_SPIKES},
    refuses=REGISTERS,
    exact_bits=53,
    programs=("iverilog", "verilator"),
)
