"""What calibration samples can mend in one population: its bias, and its potential at the start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from snntoolbox.ir.network import Population
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array

if TYPE_CHECKING:
    from snntoolbox.engine.layerwise import Layerwise

STARTS = (-0.5, 0.0, 0.25, 0.5, 0.75)
"""Potentials, in thresholds, that `search_start` tries."""

_FEWEST, _SEARCHED = 32, 4096
"""Samples, and values per channel, that a search looks at: more hardly change what it finds, and it tries much."""

_ROUNDS = 2
"""How often a bias is corrected: the second time for what a change of the first does to the neurons' rounding."""


def channel_means(values: Array) -> Array:
    """The mean of each channel (first axis), with the rank of `values`."""
    return np.asarray(values.mean(axis=tuple(range(1, values.ndim)), keepdims=True))


def correct_bias(run: Layerwise, population: Population, target: Array, first: int = 0) -> Population:
    """The population with ``mean(a / s - r)`` of each channel added to its bias, twice, in thresholds per step.

    Bias correction of Li et al. 2021 ("SNN calibration", light pipeline): the mean rate of a channel becomes that of
    its activations. The rates are those from step `first` on.
    """
    for _ in range(_ROUNDS):
        population = _with_bias(run, population, channel_means(run.errors([population], target, first)[0].late))
    return population


def correct_potential(run: Layerwise, population: Population, target: Array) -> Population:
    """The population with ``T mean(a / s - r)`` thresholds added to each neuron's start potential (Li et al. 2021)."""
    shift = run.steps * run.errors([population], target)[0].whole
    return _starting(run, population, _neuron(population).initial + shift * _neuron(population).threshold)


def refine_potential(run: Layerwise, population: Population, target: Array) -> Population:
    """The population with the shift of `correct_potential`, as far as a few samples tell neurons of a channel apart.

    Each neuron's mean error is drawn towards its channel's by ``v / (v + e)``, where e is the mean squared standard
    error of the neurons' means and v + e their variance (empirical Bayes; James and Stein 1961).
    """
    (errors,) = run.errors([population], target)
    mean, count = errors.whole, errors.samples
    shift = mean
    if population.size > population.shape[0] and count > 1:
        common = channel_means(mean)
        variance = channel_means((mean - common) ** 2)
        noise = channel_means(errors.squared - mean**2) / (count - 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            kept = np.where(variance > noise, 1 - noise / variance, 0.0)
        shift = common + kept * (mean - common)
    theta = _neuron(population).threshold
    return _starting(run, population, _neuron(population).initial + run.steps * shift * theta)


def search_start(run: Layerwise, population: Population, target: Array, first: int = 0) -> Population:
    """The population with, per channel, the start potential and bias of least ``mean (a / s - r)^2``.

    Each of `STARTS` is tried with the bias that is there, all at once, and with that corrected once and twice (see
    `correct_bias`), on as many samples as have `_SEARCHED` values per channel.
    """
    samples = max(_FEWEST, -(-_SEARCHED * population.shape[0] // population.size))
    shape = (population.shape[0], *[1] * (len(population.shape) - 1))
    theta = _neuron(population).threshold
    tried = [_starting(run, population, np.full(shape, start) * theta) for start in STARTS]
    rounds = list[list[tuple[Population, Array]]]()
    for corrected in range(_ROUNDS + 1):
        errors = run.errors(tried, target, first, samples)
        rounds.append([(p, channel_means(e.squared)) for p, e in zip(tried, errors, strict=True)])
        if corrected < _ROUNDS:
            tried = [_with_bias(run, p, channel_means(e.late)) for p, e in zip(tried, errors, strict=True)]
    found = [pair for of_one_start in zip(*rounds, strict=True) for pair in of_one_start]
    best = np.argmin([squared for _, squared in found], axis=0)
    own = [np.zeros(shape) + (0.0 if p.bias is None else p.bias) for p, _ in found]
    starts = [np.zeros(shape) + _neuron(p).initial for p, _ in found]
    bias, initial = (np.take_along_axis(np.stack(v), best[None], axis=0)[0] for v in (own, starts))
    return replace(population, bias=bias, neuron=replace(_neuron(population), initial=initial))


def correct_steps(run: Layerwise, population: Population, target: Array) -> Population:
    """The population with ``beta[t] = mean(a / s) - mean(z[t])`` of each channel added as a current in step t.

    Forward temporal bias correction (arXiv 2403.18388): z[t] are the spikes of step t as the currents of the steps
    before have made them, so that in every step the mean of a channel's spikes becomes that of its activations.
    """
    mean, theta = channel_means(target.mean(axis=0, dtype=np.float64)), _neuron(population).threshold
    pulses = dict(population.pulses)

    def pulse(step: int, spikes: Array) -> Array:
        added = np.asarray((mean - channel_means(spikes)) * theta)
        added = np.rint(added) if run.network.grid else added
        pulses[step] = pulses.get(step, 0.0) + added
        return added

    run.stepwise(population, pulse)
    return replace(population, pulses=pulses)


def _with_bias(run: Layerwise, population: Population, shift: Array) -> Population:
    """The population with a shift of its rate, in spikes per step, added to its bias; a whole number on the grid."""
    added = shift * _neuron(population).threshold
    bias = added if population.bias is None else population.bias + added
    return replace(population, bias=np.rint(bias) if run.network.grid else bias)


def _starting(run: Layerwise, population: Population, initial: Array) -> Population:
    """The population whose potentials start there, as far as its neurons can hold them."""
    initial, neuron = np.rint(initial) if run.network.grid else initial, _neuron(population)
    if neuron.saturation is not None:
        initial = initial.clip(*neuron.saturation)
    return replace(population, neuron=replace(neuron, initial=initial))


def _neuron(population: Population) -> IF:
    assert isinstance(population.neuron, IF)
    return population.neuron


Correction = Callable[["Layerwise", Population, Array, int], Population]


def _bias(run: Layerwise, population: Population, target: Array, first: int) -> Population:
    return correct_bias(run, population, target, first)


def _potential(run: Layerwise, population: Population, target: Array, first: int) -> Population:
    return correct_potential(run, population, target)


def _both(run: Layerwise, population: Population, target: Array, first: int) -> Population:
    return correct_potential(run, correct_bias(run, population, target, first), target)


def _search_potential(run: Layerwise, population: Population, target: Array, first: int) -> Population:
    return refine_potential(run, search_start(run, population, target, first), target)


def _steps(run: Layerwise, population: Population, target: Array, first: int) -> Population:
    return correct_steps(run, population, target)


CORRECTIONS: dict[str, Correction] = {
    "bias": _bias,
    "potential": _potential,
    "both": _both,
    "search": search_start,
    "search+potential": _search_potential,
    "steps": _steps,
}
"""What can be done to a population, by name."""

STARTING = frozenset({"potential", "both", "search", "search+potential"})
"""Those that change the start potential."""
