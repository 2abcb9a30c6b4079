"""The keys that say how the spiking network is made: each names the field of the conversion's recipe that it sets."""



from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from snntoolbox.ir.counting import MOST_BITS
from snntoolbox.workflow.config.key import POSITIVE, above, at_least, between, exactly, key

ScheduleName = Literal["rate", "phased", "radix", "first-spike", "recurrent", "differential"]

PATTERN = "temporal_pattern"
CODES: Mapping[str, ScheduleName] = {
    "ttfs": "first-spike",
    "ttfs_dyn_thresh": "first-spike",
    "ttfs_corrective": "first-spike",
    PATTERN: "radix",
}
"""The schedule that each code of the toolbox is; rates go with any.

Its variants of a first spike mend what goes wrong where neurons fire before all of their input is there. Here they
wait for it. A pattern is the binary digits of an activation.
"""
TOOLBOX_FACTOR = 10000000
"""The default there, and here that of none."""
QUANTIZED_BITS = 8
"""The bits of weights where they are to be quantised and nobody says how."""
_TOOLBOX_BITS = 32
"""The default there: with another code it says nothing."""


def schedule_of(settings: Any) -> ScheduleName:
    """The name of the schedule, that of the code where it is one."""
    chosen: ScheduleName = settings.conversion.schedule
    return CODES.get(settings.conversion.spike_code, chosen)


def readout_of(settings: Any) -> str:
    """The kind of the read-out, that of an appended softmax where there is one."""
    return "softmax" if settings.conversion.append_softmax else str(settings.conversion.readout)


def always_fires(settings: Any) -> bool:
    """Whether the layers fire in every step."""
    from snntoolbox.conversion.schedules.registry import SCHEDULES  # numpy and more, for what few ask

    return SCHEDULES[schedule_of(settings)].always_fires


def bits_sent(settings: Any) -> int:
    """The binary digits that a pattern has, and its duration has steps: the most significant ones of those asked for.

    Sums of more would not be exact, and float32 holds no more of an activation than some.
    """
    return min(int(settings.conversion.num_bits), MOST_BITS)


def _no_bits(settings: Any) -> str:
    """Why the number of digits says nothing, if so."""
    code, bits = settings.conversion.spike_code, settings.conversion.num_bits
    if code != PATTERN:
        return "" if bits == _TOOLBOX_BITS else f"spike_code = {code}; the digits of schedule = radix are its duration"
    return f"beyond {MOST_BITS}, so many are sent" if bits > MOST_BITS else ""


def _on_grid(settings: Any) -> bool:
    """Whether weights are integers."""
    return bool(settings.conversion.weight_bits or settings.cell.quantize_weights)


def _grid_threshold(settings: Any) -> int:
    """The threshold of all neurons there, 0 where none is set."""
    factor = int(settings.cell.scaling_factor)
    return factor if _on_grid(settings) and factor != TOOLBOX_FACTOR else 0


def _no_percentile(settings: Any) -> str:
    """Why there is no percentile, if so."""
    rule = settings.conversion.threshold_rule
    if not settings.tools.normalize:
        return "normalize = False"
    return "" if rule in ("auto", "percentile") else f"threshold_rule = {rule}"


def _no_threshold(settings: Any) -> str:
    """Why the threshold is the unit of nothing, if so."""
    used = settings.cell.reset == "zero" or settings.cell.i_offset or settings.cell.v_limits
    return "" if used else "it cancels, as weights are scaled to it"


def _no_delay(settings: Any) -> str:
    """Why a delay is none with the simulator in which spikes take no time, if so."""
    longer = settings.cell.delay > settings.simulation.dt or settings.simulation.simulator != "INI"
    return "" if longer else "one step is what spikes take anyway where they take time; two steps are one more"


def height(settings: Any) -> float:
    """The threshold above the potential at rest, the unit of all potentials."""
    return float(settings.cell.v_thresh - settings.cell.v_rest)


AT_ONCE = 0.01
"""The time constant of synapses up to which a spike acts at once, in ms: the default of the SNN Toolbox."""


def _synaptic(settings: Any) -> tuple[float, ...]:
    """What remains of synaptic currents in a step, through positive and through negative weights."""
    taus = (settings.cell.tau_syn_E, settings.cell.tau_syn_I)
    return tuple(math.exp(-settings.simulation.dt / tau) if tau > AT_ONCE else 0.0 for tau in taus)


def _limits(settings: Any) -> tuple[float, ...] | None:
    """The limits of the potential in thresholds above rest."""
    limits, rest = settings.cell.v_limits, settings.cell.v_rest
    return None if limits is None else tuple((v - rest) / height(settings) for v in limits)


@dataclass(frozen=True)
class Normalization:
    """How thresholds are found."""

    percentile: float = key(
        99.9,
        "Percentile of the activations that becomes the threshold; 100 is their maximum.",
        rule=above(0, 100),
        recipe="percentile",
        idle=lambda settings: _no_percentile(settings),
    )
    normalization_schedule: bool = key(
        False,
        "Lower the percentile by 0.02 with each layer, from the first on, so that deeper layers spike more.",
        recipe="percentile_fall",
        means={False: 0.0, True: 0.02},
        idle=lambda settings: _no_percentile(settings),
    )
    headroom: float = key(
        1.0,
        "Share of a neuron's fastest rate, such as 0.8, that its input asks for at the activation which the threshold "
        "rule chose. The fastest rate is a spike in every step, or in one of several with a refractory period, in "
        "which a neuron drops input and fires more slowly than asked for.",
        rule=above(0, 1),
        recipe="headroom",
    )
    num_samples: int = key(-1, "Number of samples of x_norm to use; -1 is all.", rule=exactly(-1, "all") | at_least(1))


@dataclass(frozen=True)
class Conversion:
    """How the spiking network is made."""

    recipe: Literal["default", "rueckauer2017"] = key(
        "default",
        "rueckauer2017 takes the choices of the SNN Toolbox where the defaults here differ: an initial_potential of 0, "
        "one threshold per layer by percentile, nothing corrected, a readout of spikes, average pooling with neurons "
        "of its own (avgpool_neurons), max pooling by a gate. Keys that are set explicitly keep their value.",
    )
    readout: Literal["linear", "spikes", "softmax"] = key(
        "linear",
        "Last layer: linear sums its weighted input without spiking; spikes counts its output spikes; softmax sums as "
        "linear does, and in each step every class spikes with the probability that a softmax of the sums gives it, "
        "drawn from simulation.seed; with schedule = rate.",
        recipe="readout",
        value=readout_of,
    )
    append_softmax: bool = key(
        False, "Give linear outputs a softmax that spikes, as in the SNN Toolbox: readout = softmax.", recipe="readout"
    )
    bias: Literal["current", "neuron"] = key(
        "current",
        "Biases are currents, or the spikes of one neuron that fires in every step, which come by synapses of these "
        "weights: the same spikes; with schedule = rate.",
        recipe="bias",
    )
    initial_potential: float = key(
        0.5, "Membrane potential at the start, in units of the threshold.", rule=between(0, 1), recipe="neuron.initial"
    )
    threshold_scope: Literal["channel", "layer"] = key(
        "channel",
        "One threshold per channel or one per layer.",
        recipe="per_channel",
        means={"channel": True, "layer": False},
    )
    threshold_rule: Literal["auto", "max", "percentile", "mmse", "ltb", "weights"] = key(
        "auto",
        "How thresholds are chosen: max, or normalization.percentile, of the activations; mmse: the least squared "
        "error for the duration; ltb: local threshold balancing; weights: without data. auto: mmse for up to 64 steps, "
        "unless normalization.percentile is not 99.9 or has a schedule; else percentile.",
        recipe="threshold_rule",
    )
    maxpool_type: Literal["relu_tree", "gate", "fir_max", "exp_max", "avg_max", "wta"] = key(
        "relu_tree",
        "Max pooling: relu_tree builds it from spiking neurons, exact in rates; gate, or avg_max, passes the spikes of "
        "the input with the highest mean rate so far, which is the highest spike count; fir_max weighs the spike of "
        "step t by 1/t, exp_max older spikes more by a factor of 1.005 a step; wta is a circuit of plain neurons, a "
        "cell for each input of a window and an inhibitory one that they share, whose count is at most one too many.",
        recipe="max_pool",
    )
    max2avg_pool: bool = key(False, "Replace max pooling by average pooling.", recipe="max2avg_pool")
    avgpool_neurons: bool = key(
        False, "Give average pooling spiking neurons of its own.", recipe="avgpool_neurons"
    )
    softmax_to_relu: bool = key(
        False, "Replace a final softmax by a ReLU; else it is dropped.", recipe="softmax_to_relu"
    )
    approximate: frozenset[str] = key(
        frozenset(),
        "Smooth activation functions that may be replaced by line segments; the error is measured and reported.",
        all_of=(
            "sigmoid", "tanh", "erf", "gelu", "gelu_tanh", "silu", "mish", "elu", "selu", "softplus", "hard_swish",
        ),
        recipe="approximate",
    )  # fmt: skip
    spike_code: str = key(
        "temporal_mean_rate",
        "How values become spikes: temporal_mean_rate is rate coding; ttfs, by the time of the first spike, is "
        "schedule = first-spike, and so are ttfs_dyn_thresh and ttfs_corrective; temporal_pattern, the binary digits "
        "of a value, is schedule = radix with a duration of num_bits steps.",
        choices=("temporal_mean_rate", *CODES),
    )
    num_bits: int = key(
        MOST_BITS,
        "Binary digits of a value, the most significant first; used by spike_code = temporal_pattern. Of more than "
        f"{MOST_BITS} the first {MOST_BITS} are sent.",
        rule=between(1, 32),
        idle=lambda settings: _no_bits(settings),
    )
    schedule: ScheduleName = key(  # noqa: RUF009 - a field
        "rate",
        "When layers fire: rate, always; phased, one after the other in windows of duration, equal to the network "
        "quantised to that many levels; radix, the same with a step of duration for each binary digit (4 to 8), which "
        "makes 2^duration - 1 levels; first-spike, the levels of phased by the time of one spike; recurrent, as "
        "phased, with one population for all steps of a sequence; "
        "differential, where something changes, by signed spikes of several sizes.",
        recipe="schedule",
    )
    layer_correction: Literal[
        "auto", "none", "bias", "potential", "both", "search", "search+potential", "steps"
    ] = key(
        "auto",
        "What is corrected in each layer for the duration of the run, on samples of x_norm: its bias, its potential at "
        "the start, both, or both by trying some start potentials (search), and then each neuron's potential "
        "(search+potential); steps: a bias of its own in each step, for simulators with pulses of current. auto: for "
        "up to 64 steps search, or what short trials on x_norm show to be better; none for more.",
        recipe="layer_correction",
    )
    correction_samples: int = key(
        128, "Samples of x_norm that layer_correction uses.", rule=at_least(1), recipe="correction_samples"
    )
    readout_correction: int = key(
        100,
        "Samples of x_norm that correct the bias of the read-out for the duration of the run; 0 is off.",
        rule=at_least(0),
        recipe="readout_correction",
    )
    weight_bits: int = key(
        0, "Quantise weights to integers of this many bits, the network to an integer grid; 0 is off.",
        rule=exactly(0, "off") | between(2, 16), recipe="weight_bits",
    )  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """The neurons. Weights are scaled to the thresholds, so v_thresh is only the unit of potentials."""

    v_thresh: float = key(
        1.0,
        "Threshold, above v_rest. It cancels, because weights are scaled to it, and only sets the unit of v_reset, "
        "v_limits and i_offset.",
        idle=lambda settings: _no_threshold(settings),
    )
    v_reset: float = key(
        0.0,
        "Potential after a spike, in the unit of v_thresh; used by reset to zero.",
        recipe="neuron.reset_potential",
        idle=lambda settings: "" if settings.cell.reset == "zero" else f"reset = {settings.cell.reset}",
        value=lambda settings: (settings.cell.v_reset - settings.cell.v_rest) / height(settings),
    )
    v_rest: float = key(
        0.0,
        "Potential without any input, in the unit of v_thresh; initial_potential counts from it. It cancels where only "
        "differences count: it sets how far v_thresh, v_reset and v_limits lie above it.",
        idle=lambda settings: _no_threshold(settings),
        saved=True,
    )
    v_limits: tuple[float, float] | None = key(
        None,
        "Lowest and highest potential at the end of a step, such as [0, 3], in the unit of v_thresh; none if empty.",
        recipe="neuron.saturation",
        means={None: None},
        value=lambda settings: _limits(settings),
    )
    cm: float = key(
        1.0,
        "Capacity of the membrane, which i_offset is divided by. The weights of spikes cancel it, as they are scaled "
        "to the thresholds.",
        rule=POSITIVE,
        idle=lambda settings: "" if settings.cell.i_offset else "it cancels, as weights are scaled to the thresholds",
        saved=True,
    )
    reset: Literal["subtract", "zero", "modulo"] = key(
        "subtract",
        "What a spike does to the potential: subtract the threshold, set it to v_reset, or keep the remainder.",
        aliases={
            "Reset by subtraction": "subtract",
            "Reset to zero": "zero",
            "Reset by modulo": "modulo",
        },
        recipe="neuron.reset",
    )
    levels: tuple[float, ...] = key(
        (1.0,),
        "Values that a spike may carry, in thresholds: [1] plain, [1, 2, 3] bursts, [1, 0.5, 0.25] several thresholds "
        "in one step. schedule = differential takes 1, 1/2, ..., 1/128 unless there are several.",
        recipe="neuron.levels",
    )
    spikes: Literal["unsigned", "signed"] = key(
        "unsigned",
        "signed: negative spikes take earlier ones back, while the sum of those sent is at least 0.",
        recipe="neuron.negative",
        means={"unsigned": "never", "signed": "memory"},
    )
    tau_refrac: float = key(
        0.0,
        "Refractory period in ms: the shortest time from one spike of a neuron to its next. That of one step blocks "
        "nothing, of two steps the one step between them.",
        rule=at_least(0),
        recipe="neuron.refractory",
        means={0.0: 0},
        value=lambda settings: max(round(settings.cell.tau_refrac / settings.simulation.dt) - 1, 0),
    )
    delay: float = key(
        0.0,
        "Time in ms that a spike takes to the next layer, the same in every projection; with schedule = rate. That of "
        "one step is what spikes take anyway where they take time, and as 0 nothing: two steps are one more.",
        rule=at_least(0),
        recipe="delay",
        means={0.0: 0},
        idle=lambda settings: _no_delay(settings),
        value=lambda settings: max(round(settings.cell.delay / settings.simulation.dt) - 1, 0),
    )
    tau_syn_E: float = key(  # noqa: N815 - its name in the SNN Toolbox and in PyNN
        AT_ONCE,
        "Time constant in ms of the current that spikes make through positive weights. It brings all of its charge, so "
        f"that rates stay as they are, but later; {AT_ONCE} and less is at once. Without weight_bits, at rates alone.",
        rule=between(0, 1e6),
        recipe="neuron.synaptic",
        means={AT_ONCE: (0.0, 0.0)},
        value=lambda settings: _synaptic(settings),
    )
    tau_syn_I: float = key(  # noqa: N815
        AT_ONCE,
        "The same through negative weights. Another one than tau_syn_E gives each neuron a second current.",
        rule=between(0, 1e6),
        recipe="neuron.synaptic",
    )
    leak: bool = key(
        False,
        "Let the potential decay with time constant tau_m.",
        recipe="neuron.leak",
        means={False: 1.0},
        value=lambda settings: math.exp(-settings.simulation.dt / settings.cell.tau_m) if settings.cell.leak else 1.0,
    )
    tau_m: float = key(
        1000.0,
        "Membrane time constant in ms; used when leak = True.",
        rule=POSITIVE,
        recipe="neuron.leak",
        idle=lambda settings: "" if settings.cell.leak else "leak = False",
    )
    i_offset: float = key(
        0.0,
        "Constant current into every neuron, in the unit of v_thresh per ms, on top of the biases; with float weights "
        "and schedule = rate.",
        saved=True,
    )
    binarize_weights: bool = key(
        False,
        "Leave of the weights only their signs, and one size in each output channel, the mean, which goes into its "
        "threshold. Made for networks that are trained so; the accuracy is that of another network.",
        recipe="binarize_weights",
    )
    quantize_weights: bool = key(
        False,
        f"Quantise weights to integers: conversion.weight_bits = {QUANTIZED_BITS}, unless that is set.",
    )
    scaling_factor: int = key(
        TOOLBOX_FACTOR,
        "Integer threshold of every neuron on the grid of weight_bits: weights are multiplied by it and rounded. "
        f"{TOOLBOX_FACTOR} is off: each channel has the largest threshold that the bits of its weights allow.",
        rule=between(1, 2**20) | exactly(TOOLBOX_FACTOR, "off"),
        recipe="grid_threshold",
        idle=lambda settings: "" if _on_grid(settings) else "weight_bits = 0",
        value=lambda settings: _grid_threshold(settings),
    )
    bias_relaxation: bool = key(
        False,
        "Let biases grow during the first half of a run, from a share of 1 - i/50 for the i-th layer on, while the "
        "spikes come that they were trained with; for simulators with pulses of current.",
        recipe="bias_relaxation",
    )
