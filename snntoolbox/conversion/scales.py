"""The scales of rectifiers, and the spiking network that has them, before any correction."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from snntoolbox.conversion.own_windows import as_pairs, own_windows
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.conversion.spiking.delayed import delayed
from snntoolbox.conversion.spiking.invariants import check_grid, check_scales, random_sample
from snntoolbox.conversion.spiking.populations import Convert
from snntoolbox.conversion.spiking.quantize import Quantize
from snntoolbox.conversion.spiking.relax_biases import RelaxBiases
from snntoolbox.conversion.spiking.synaptic import with_synaptic_currents
from snntoolbox.conversion.thresholds.comparisons import Comparisons
from snntoolbox.conversion.thresholds.rules import RuleSettings, rule_for
from snntoolbox.conversion.thresholds.thresholds import ModelBasedThresholds, Scales, with_headroom
from snntoolbox.ir.gating import Estimate
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.nodes import ReLU
from snntoolbox.ir.progress import bar
from snntoolbox.ir.samples import Progress
from snntoolbox.ir.timing import run_steps, steps_of

log = logging.getLogger(__name__)


def choose_scales(
    lowered: Graph,
    calibration_data: Sequence[Array] | None,
    recipe: Recipe,
    progress: Progress | None = None,
    duration: float | None = None,
) -> Scales:
    """The scale of every rectifier: from data, without any from the weights, or 1 without normalisation.

    Where layers fire in turn, rectifiers that compare have the scale of what they compare: see `Comparisons`.
    """
    chosen = _chosen(lowered, calibration_data, recipe, progress, duration)
    return Comparisons.of(lowered).tied(lowered, chosen) if recipe.chosen_schedule.in_turn else chosen


def _chosen(
    lowered: Graph,
    calibration_data: Sequence[Array] | None,
    recipe: Recipe,
    progress: Progress | None = None,
    duration: float | None = None,
) -> Scales:
    """The scales as the threshold rule has them."""
    if not recipe.normalize:
        return {
            n.name: np.ones((1,) * len(lowered.shapes[n.name])) for n in lowered.nodes.values() if isinstance(n, ReLU)
        }
    if calibration_data is None or recipe.threshold_rule == "weights":
        low, high = recipe.input_range
        trained = all(n.levels for n in lowered.nodes.values() if isinstance(n, ReLU))
        if calibration_data is None and not trained:
            log.warning("no calibration data: thresholds from the weights alone, for inputs in [%g, %g]", low, high)
        chosen = ModelBasedThresholds(low, high, recipe.per_channel)(lowered)
        return with_headroom(lowered, chosen, recipe.neuron, recipe.headroom, recipe.per_step)
    schedule = recipe.chosen_schedule
    counted = duration is not None and schedule.counts_steps
    settings = RuleSettings(
        steps=recipe.levels_in(steps_of(duration, recipe.dt)) if counted and duration is not None else None,
        initial=float(np.mean(recipe.neuron.initial)),
        refractory=max(0, round(recipe.per_step / recipe.neuron.fastest_rate) - 1),
        percentile=recipe.percentile,
        percentile_fall=recipe.percentile_fall,
        per_channel=recipe.per_channel,
        batch_size=recipe.batch_size,
        alike=schedule.in_turn,
        own=told_apart(lowered, recipe, duration),
    )
    with bar("Choosing thresholds", len(calibration_data[0])) as advance:

        def done(samples: int) -> None:
            advance(samples)
            if progress is not None:
                progress(samples)

        chosen = rule_for(recipe.threshold_rule, settings)(lowered, calibration_data, done)
    return with_headroom(lowered, chosen, recipe.neuron, recipe.headroom, recipe.per_step)


def own_levels(lowered: Graph, recipe: Recipe) -> dict[str, int]:
    """How many values above 0 the rectifiers tell apart, by name, that have windows of their own."""
    steps = own_windows(lowered, as_pairs(recipe.bits))
    return {name: recipe.levels_in(number) for name, number in steps.items()}


def told_apart(lowered: Graph, recipe: Recipe, duration: float | None) -> dict[str, int]:
    """The same of what the neurons of a value say together, where these are several.

    Tables keep the scales for one: what divides is chosen for its products, and its neurons are a means against the
    error that these have in common.
    """
    own = own_levels(lowered, recipe)
    if duration is None:
        return own
    usual = recipe.levels_in(steps_of(duration, recipe.dt))
    several = {n.name: n for n in lowered.nodes.values() if isinstance(n, ReLU) and n.of_input and n.neurons > 1}
    return own | {name: node.neurons * own.get(name, usual) for name, node in several.items()}


def uncorrected(
    lowered: Graph,
    scales: Scales,
    data: Sequence[Array] | None,
    recipe: Recipe,
    duration: float | None = None,
) -> SpikingNetwork:
    """The network with these scales, on its grid; with relaxed biases for runs of `duration` ms, where those are asked.

    ConversionError where they are, and there is no duration.
    """
    levels = None if duration is None else recipe.levels_in(steps_of(duration, recipe.dt))
    network = _on_its_grid(lowered, scales, data, recipe, levels)
    if recipe.bias_relaxation:
        network = RelaxBiases(run_steps(network, duration) if duration is not None else None)(network)
    return with_synaptic_currents(delayed(network, recipe.delay), recipe.neuron.synaptic)


def _on_its_grid(
    lowered: Graph, scales: Scales, data: Sequence[Array] | None, recipe: Recipe, levels: int | None
) -> SpikingNetwork:
    gate = recipe.gate or Estimate.AVERAGE
    neuron = replace(recipe.neuron, synaptic=(0.0, 0.0))  # they come last, and change no scale
    own = own_levels(lowered, recipe) if levels is not None else {}
    convert = Convert(neuron, recipe.encoding, recipe.dt, recipe.per_step, gate, levels, own)
    network = convert(lowered, scales)
    sample = random_sample(lowered, *recipe.input_range) if data is None else [a[:1] for a in data]
    check_scales(network, lowered, sample)
    if not recipe.weight_bits:
        return network
    quantize = Quantize(recipe.weight_bits, recipe.grid_threshold or None)
    fitting = quantize.fitting(network)
    check_scales(fitting, lowered, sample)
    placed = quantize.placed(fitting)
    check_grid(placed, fitting, lowered, sample)
    return placed
