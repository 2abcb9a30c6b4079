"""Translates settings into the choices of a conversion."""

from __future__ import annotations

import math

from snntoolbox.conversion.recipe import Recipe
from snntoolbox.ir.encodings import ConstantCurrent, Encoding, Poisson
from snntoolbox.ir.neurons import IF, Negative, Reset
from snntoolbox.workflow.config.schema import Settings


def recipe_of(settings: Settings, largest_input: float, input_range: tuple[float, float]) -> Recipe:
    """The conversion's choices that the settings name; the largest |x| scales Poisson input. ConversionError."""
    chosen, cell, dt = settings.conversion, settings.cell, settings.simulation.dt
    neuron = IF(
        reset=Reset(cell.reset),
        reset_potential=cell.v_reset / cell.v_thresh,
        initial=chosen.initial_potential,
        leak=math.exp(-dt / cell.tau_m) if cell.leak else 1.0,
        refractory=round(cell.tau_refrac / dt),
        levels=cell.levels,
        negative=Negative.MEMORY if cell.spikes == "signed" else Negative.NEVER,
    )
    encoding: Encoding = ConstantCurrent()
    if settings.input.poisson_input:
        per_step = settings.input.input_rate * dt / 1000
        encoding = Poisson(amplitude=(largest_input or 1.0) / per_step, seed=settings.simulation.seed)
    recipe = Recipe(
        normalize=settings.tools.normalize,
        threshold_rule=chosen.threshold_rule,
        percentile=settings.normalization.percentile,
        per_channel=chosen.threshold_scope == "channel",
        max_pool=chosen.maxpool_type,
        max2avg_pool=chosen.max2avg_pool,
        avgpool_neurons=chosen.avgpool_neurons,
        softmax_to_relu=chosen.softmax_to_relu,
        readout=chosen.readout,
        neuron=neuron,
        encoding=encoding,
        dt=dt,
        input_range=input_range,
        approximate=chosen.approximate,
        layer_correction=chosen.layer_correction,
        correction_samples=chosen.correction_samples,
        readout_correction=chosen.readout_correction,
        weight_bits=chosen.weight_bits,
        schedule=chosen.schedule,
    )
    recipe.check_correction()
    return recipe
