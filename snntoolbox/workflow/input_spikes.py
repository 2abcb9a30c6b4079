"""Ends a run after so many spikes of its input, counted as constant input would fire."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from snntoolbox.ir.large_arrays import pieces
from snntoolbox.ir.node import Array
from snntoolbox.workflow.config.input_keys import uncounted
from snntoolbox.workflow.inputs import Inputs


def limited(inputs: Inputs) -> Inputs:
    """The inputs of a run that ends before the test samples have more spikes on average than the settings allow.

    An input neuron is taken to fire as often as |x| has added up to 1, whatever the network makes of it.
    """
    settings, most = inputs.settings, inputs.settings.input.max_num_input_spikes
    if most < 0 or uncounted(settings):
        return inputs
    simulation = settings.simulation
    steps = steps_within(inputs.test.x, most, simulation.steps)
    whole = (n for n in range(steps, 0, -1) if (n * simulation.dt).is_integer())
    duration = next((int(n * simulation.dt) for n in whole), simulation.duration)
    if duration == simulation.duration:
        return inputs
    inputs.warn(f"the run ends after {duration} of {simulation.duration} ms: max_num_input_spikes = {most}")
    return inputs.with_settings(replace(settings, simulation=replace(simulation, duration=duration)))


def steps_within(x: Array, most: int, steps: int) -> int:
    """The most steps, at least 1 and up to `steps`, in which samples have at most so many spikes on average."""
    low, high = 1, steps
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _spikes(x, middle) <= most * len(x) else (low, middle - 1)
    return low


def _spikes(x: Array, steps: int) -> float:
    return float(sum(np.floor(np.abs(part.astype(np.float64)) * steps).sum() for part in pieces(x)))
