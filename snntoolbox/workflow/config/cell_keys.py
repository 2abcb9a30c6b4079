"""The keys that say what neurons are like: each names the field of the conversion's recipe that it sets."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from snntoolbox.workflow.config.key import POSITIVE, at_least, between, exactly, key

TOOLBOX_FACTOR = 10000000
"""The default there, and here that of none."""
QUANTIZED_BITS = 8
"""The bits of weights where they are to be quantised and nobody says how."""


def _on_grid(settings: Any) -> bool:
    """Whether weights are integers."""
    return bool(settings.conversion.weight_bits or settings.cell.quantize_weights)


def _grid_threshold(settings: Any) -> int:
    """The threshold of all neurons there, 0 where none is set."""
    factor = int(settings.cell.scaling_factor)
    return factor if _on_grid(settings) and factor != TOOLBOX_FACTOR else 0


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


def _after_a_spike(settings: Any) -> float:
    """The potential after a spike in thresholds above rest; none of its own where spikes take what they carry."""
    takes = settings.normalization.online_normalization
    return 0.0 if takes else float(settings.cell.v_reset - settings.cell.v_rest) / height(settings)


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
        value=lambda settings: _after_a_spike(settings),
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
    payloads: bool = key(
        False,
        "Let a spike carry all of the potential, the threshold and the residue, and the potential be 0 then: graded "
        "spikes of all values from 1 on.",
        recipe="neuron.special",
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
