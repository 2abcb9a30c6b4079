"""What a recipe leaves to 'auto', chosen by the number of steps and by trials on calibration data."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from snntoolbox.backends.room import BYTES, check_room
from snntoolbox.conversion.corrections.choose import CANDIDATES, TRIED_STEPS, Choice, Choose
from snntoolbox.conversion.corrections.choose_in_turn import ChooseInTurn
from snntoolbox.conversion.corrections.choose_neurons import ChooseNeurons, NeuronsChoice
from snntoolbox.conversion.corrections.correct_layers import STARTING
from snntoolbox.conversion.lowering.shared_values import AUTO
from snntoolbox.conversion.lowering.spiking_outputs import tell_what_spikes_lose
from snntoolbox.conversion.own_windows import as_pairs, own_windows
from snntoolbox.conversion.recipe import USUAL_START, Recipe
from snntoolbox.conversion.scales import choose_scales, own_levels, uncorrected
from snntoolbox.conversion.thresholds.rules import FEW_STEPS
from snntoolbox.conversion.thresholds.thresholds import Scales
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.samples import Progress, check_not_silent
from snntoolbox.ir.timing import steps_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Settled:
    """A recipe of which nothing is 'auto' any more, its scales, and what was tried.

    `lowered` is the graph that has them, whose nodes say how many neurons their values have; `network` is the one with
    these scales, not yet corrected, where trials made it.
    """

    recipe: Recipe
    scales: Scales
    lowered: Graph
    choice: Choice | None = None
    network: SpikingNetwork | None = None
    neurons: NeuronsChoice | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What the network's summary says of it."""
        return tuple(str(choice) for choice in (self.neurons, self.choice) if choice is not None)

    def report(self) -> dict[str, Any]:
        """What a report says of it."""
        settled: dict[str, Any] = {f: getattr(self.recipe, f) for f in ("threshold_rule", "layer_correction")}
        return settled | {k: v for c in (self.choice, self.neurons) if c is not None for k, v in c.data().items()}


def settle(
    lowered: Graph,
    data: Sequence[Array] | None,
    recipe: Recipe,
    duration: float | None = None,
    progress: Progress | None = None,
    device: str = "cpu",
) -> Settled:
    """What the recipe leaves to 'auto', chosen by T and, for few steps, by trials on calibration data (`Choose`).

    The neurons for each value (`ChooseNeurons`) come first, as scales and corrections follow from them.

    DataError where the calibration data are nothing but zeros: there would be thresholds of nothing.
    """
    if recipe.bits:
        recipe = replace(recipe, bits=own_windows(lowered, as_pairs(recipe.bits)))
    if data is not None:
        check_not_silent(data)
    steps = None if duration is None else steps_of(duration, recipe.dt)
    if steps is not None and data is not None:  # what the outputs would be, and what the network says
        samples = min(len(data[0]), max(recipe.correction_samples, recipe.readout_correction))
        check_room(steps, 2 * BYTES * sum(map(lowered.size, lowered.outputs)), samples)
    if data is not None and recipe.readout == "spikes":
        tell_what_spikes_lose(lowered, data)
    pairs = candidates(recipe, steps)
    if data is None:
        pairs = [("weights", "none")]
    lowered, recipe, neurons = _with_neurons(lowered, data, recipe, duration, pairs[0][0])

    @cache
    def scales_of(rule: str) -> Scales:
        shown = progress if rule == pairs[0][0] else None
        return choose_scales(lowered, data, replace(recipe, threshold_rule=rule), shown, duration)  # type: ignore[arg-type]

    choice, made, (rule, layers) = None, None, pairs[0]
    if len(pairs) > 1 and data is not None and steps is not None:
        schedule, readouts = recipe.chosen_schedule, recipe.readout_correction > 0
        choose = Choose(steps=steps, samples=recipe.correction_samples, readouts=readouts, device=device)
        if schedule.in_turn:
            choose = ChooseInTurn(**vars(choose), schedule=schedule)
        unfinished = cache(lambda rule: uncorrected(lowered, scales_of(rule), data, recipe, duration))
        choice = choose(pairs, unfinished, lowered, data)
        untried = "none" if schedule.in_turn else schedule.corrections[0]
        layers = untried if layers in STARTING else layers
    if choice is not None:
        rule, layers = choice.chosen.rule, choice.chosen.layers
        made = unfinished(rule)
        log.info("chosen: %s", choice)
    settled = replace(recipe, threshold_rule=rule, layer_correction=layers)  # type: ignore[arg-type]
    return Settled(settled, scales_of(rule), lowered, choice, made, neurons)


def _with_neurons(
    lowered: Graph, data: Sequence[Array] | None, recipe: Recipe, duration: float | None, rule: str
) -> tuple[Graph, Recipe, NeuronsChoice | None]:
    """The graph with the neurons for each value that trials choose, and the recipe that says so."""
    if recipe.neurons_per_value != AUTO:
        return lowered, recipe, None
    if data is None or duration is None:
        log.warning("neurons_per_value = auto needs calibration data and a duration: one neuron says each value")
        return lowered, replace(recipe, neurons_per_value=1), None
    named = replace(recipe, threshold_rule=rule, neurons_per_value=1)  # type: ignore[arg-type]
    levels = recipe.levels_in(steps_of(duration, recipe.dt))
    choose = ChooseNeurons(
        levels=levels, own=own_levels(lowered, recipe), allowed=recipe.allowed_loss, most=recipe.most_neurons
    )
    shared, choice = choose(lowered, lambda g, x: choose_scales(g, x, named, duration=duration), data)
    layers = () if choice is None else tuple(choice.layers.items())
    return shared, replace(recipe, neurons_per_value=layers), choice


def candidates(recipe: Recipe, steps: int | None) -> list[tuple[str, str]]:
    """Threshold rule and layer correction of a recipe for runs of `steps` steps, where 'auto' all that it may mean.

    The first is what it means without a trial, but where layers fire in turn: there nothing is corrected without one.
    A start potential other than the usual is the user's: it stays.
    """
    schedule = recipe.chosen_schedule
    untried = schedule.corrections[0]
    levels = None if steps is None or not schedule.counts_steps else recipe.levels_in(steps)
    rule = recipe.rule_for(levels)
    if recipe.layer_correction != "auto":
        return [(rule, recipe.layer_correction)]
    if steps is None or steps * recipe.per_step > FEW_STEPS:
        # In long runs there is little to mend, less than what few samples get wrong; but for what pauses take away.
        return [(rule, "none" if steps is None or recipe.neuron.parts.pause is None else "bias")]
    if schedule.in_turn:  # nothing is corrected that does not show in a trial
        return [(rule, layers) for layers in schedule.corrections]
    if not schedule.always_fires:
        return [(rule, untried)]
    kept = bool(np.any(np.not_equal(recipe.neuron.initial, USUAL_START)))
    pairs = [(r, "bias") for r in ("mmse", "percentile")] if kept else list(CANDIDATES)
    if recipe.threshold_rule != "auto" or recipe.sets_percentile or not recipe.normalize:
        pairs = [*dict.fromkeys((rule, layers) for _, layers in pairs)]
    return pairs if steps * recipe.per_step <= TRIED_STEPS else [(rule, "bias" if kept else untried)]
