"""The constant current that settings send into every neuron, as i_offset of PyNN."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from snntoolbox.conversion.recipe import Recipe
from snntoolbox.errors import ConfigError
from snntoolbox.ir.network import Population, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.workflow.config.cell_keys import height
from snntoolbox.workflow.config.schema import Settings


def check_offset(settings: Settings, recipe: Recipe) -> None:
    """ConfigError where neurons on an integer grid, in circuits, or that fire in windows, would get such a current."""
    schedule, cell = recipe.chosen_schedule, settings.cell
    at_rates = schedule.rates and schedule.always_fires and not recipe.weight_bits and recipe.max_pool != "wta"
    if cell.i_offset and settings.tools.convert and not at_rates:
        wrong = f"cell.i_offset = {cell.i_offset}: goes with neurons that fire at rates, off the integer grid, only"
        hint = "conversion.schedule = rate, conversion.weight_bits = 0, and conversion.maxpool_type not wta"
        raise ConfigError(wrong, hint=hint)


def with_offset(network: SpikingNetwork, settings: Settings) -> SpikingNetwork:
    """The network whose neurons get ``i_offset / (cm (v_thresh - v_rest)) * dt`` thresholds more in each step.

    It comes on top of what was corrected: a correction would take it away again.
    """
    per_step = settings.cell.i_offset / settings.cell.cm / height(settings) * settings.simulation.dt
    if not per_step:
        return network
    return network.replaced(populations=[_with_current(p, per_step) for p in network.populations.values()])


def _with_current(population: Population, per_step: float) -> Population:
    if not isinstance(population.neuron, IF) or not population.activation:  # gates and circuits only pass spikes on
        return population
    current = per_step * np.asarray(population.neuron.threshold, float)
    return replace(population, bias=current if population.bias is None else population.bias + current)
