"""The constant current that settings send into every neuron, as i_offset of PyNN."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from snntoolbox.ir.network import Population, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.workflow.config.schema import Settings


def with_offset(network: SpikingNetwork, settings: Settings) -> SpikingNetwork:
    """The network whose neurons get a current more, in thresholds per step ``i_offset / v_thresh * dt``.

    It comes on top of what was corrected: a correction would take it away again.
    """
    per_step = settings.cell.i_offset / settings.cell.v_thresh * settings.simulation.dt
    if not per_step:
        return network
    return network.replaced(populations=[_with_current(p, per_step) for p in network.populations.values()])


def _with_current(population: Population, per_step: float) -> Population:
    if not isinstance(population.neuron, IF):  # a gate only passes spikes on
        return population
    current = per_step * np.asarray(population.neuron.threshold, float)
    return replace(population, bias=current if population.bias is None else population.bias + current)
