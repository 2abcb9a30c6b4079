"""Tries conversions within a time bound, on calibration samples that did not choose their thresholds."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from snntoolbox.analysis.diagnosis.diagnosis import Outcome
from snntoolbox.backends.early_exit import calibrated_exit, early_exit
from snntoolbox.backends.legalize import legalized
from snntoolbox.backends.registry import backend_named
from snntoolbox.backends.simulate import simulate, simulate_batches
from snntoolbox.conversion.lower import lower
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.conversion.schedules.rate import Rate
from snntoolbox.conversion.settle import candidates, settle
from snntoolbox.conversion.stages import spiking
from snntoolbox.engine.executor import Executor
from snntoolbox.errors import DataError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.head import Head
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.operations import fan_out, input_events
from snntoolbox.ir.progress import watched
from snntoolbox.ir.result import Record, Result, joined
from snntoolbox.ir.timing import steps_of

HELD = 64
"""At most so many calibration samples are held back from the thresholds and simulated."""

FITTED = 512
"""At most so many of the others choose the thresholds of a trial."""

_SLACK = 1.3
"""A trial is expected to take so many times what the one most like it took."""


@dataclass(frozen=True)
class Measurement:
    """What a trial gave: its outcome, and what an answer costs.

    operations: the mean synaptic operations per sample. spikes: those of the neurons. interval: the steps from one
    sample to the next, with one membrane per neuron. neurons: how many the network has.
    """

    outcome: Outcome
    operations: float
    spikes: float
    interval: float
    neurons: int


def widest_schedule(recipe: Recipe) -> str:
    """The schedule that takes most layers of those near a recipe: its own where that multiplies, else rate coding."""
    return recipe.schedule if recipe.chosen_schedule.multiplies else Rate.name


@dataclass(frozen=True, eq=False)
class Trials:
    """Conversions of one graph, measured on calibration samples that did not choose their thresholds.

    Trials run on the built-in simulator, as all simulators give the same spikes; what `simulator` could not run is
    not tried. At most `most_held` samples are held back and simulated, and `most_fitted` others choose thresholds.
    With `early_exit`, a share of predictions to keep, samples end when their read-out is clear. `options` are those of
    the built-in simulator.
    """

    graph: Graph
    data: Sequence[Array]
    duration: float
    recipe: Recipe
    simulator: str = "INI"
    most_held: int = HELD
    most_fitted: int = FITTED
    early_exit: float = 0.0
    options: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def _held(self) -> Array:
        """Every k-th sample, so that data sorted by class do no harm."""
        samples = len(self.data[0])
        return np.unique(np.linspace(0, samples - 1, min(self.most_held, max(1, samples // 4))).round().astype(int))

    @cached_property
    def held(self) -> list[Array]:
        """The samples that are simulated."""
        return [a[self._held] for a in self.data]

    @cached_property
    def fitted(self) -> list[Array]:
        """The samples that choose thresholds; of under 8 samples all do both."""
        samples = len(self.data[0])
        if samples < 8:
            return list(self.data)
        rest = np.setdiff1d(np.arange(samples), self._held)
        chosen = rest[np.unique(np.linspace(0, len(rest) - 1, min(len(rest), self.most_fitted)).round().astype(int))]
        return [a[chosen] for a in self.data]

    @cached_property
    def original(self) -> Array:
        """The first output of the original on the samples held back; of a softmax what goes into it."""
        return Executor(self._plain).run(*self.held)

    @cached_property
    def _plain(self) -> Graph:
        """The original, its outputs as the read-outs of a spiking network say them."""
        schedule = widest_schedule(self.recipe)
        plain = replace(self.recipe, max2avg_pool=False, softmax_to_relu=False, readout="linear", schedule=schedule)
        return lower(self.graph, plain)

    @property
    def head(self) -> Head:
        """What the first output says."""
        return self._plain.heads[0]

    @cached_property
    def _chosen(self) -> dict[tuple[object, ...], tuple[str, str]]:
        """Threshold rule and layer correction that were chosen, by duration and what they were chosen from."""
        return {}

    @property
    def classifies(self) -> bool:
        """Whether the first output says classes."""
        return self.head.decides

    def fewer(self, held: int, fitted: int) -> Trials:
        """The same with less of the samples: of those held back, and of those that choose thresholds, every k-th."""

        def some(arrays: Sequence[Array], most: int) -> list[Array]:
            kept = np.unique(np.linspace(0, len(arrays[0]) - 1, min(most, len(arrays[0]))).round().astype(int))
            return [a[kept] for a in arrays]

        fewer = replace(self)
        vars(fewer).update(held=some(self.held, held), fitted=some(self.fitted, fitted))  # in place of the cached ones
        return fewer

    def converted(self, recipe: Recipe, duration: float) -> SpikingNetwork:
        """The network of a recipe; UnsupportedError where the target simulator cannot run it.

        What a recipe leaves to `auto` is chosen once, and taken for all of its schedule that leave as much for so many
        steps.
        """
        lowered = lower(self.graph, recipe)
        left_open = (duration, recipe.schedule, *candidates(recipe, steps_of(duration, recipe.dt)))
        if left_open in self._chosen:
            rule, layers = self._chosen[left_open]
            recipe = replace(recipe, threshold_rule=rule, layer_correction=layers)  # type: ignore[arg-type]
        settled = settle(lowered, self.fitted, recipe, duration)
        if settled.choice is not None:
            self._chosen[left_open] = (settled.recipe.threshold_rule, settled.recipe.layer_correction)
        network = spiking(settled.lowered, settled, self.fitted, duration)
        backend = backend_named(self.simulator)
        backend.capabilities.check(backend.name, legalized(network, backend, self.held))
        return network

    def run(self, network: SpikingNetwork, duration: float) -> Result:
        """Simulate the samples held back."""
        record = Record(outputs_per_step=self.early_exit > 0)
        return simulate(network, self.held, duration=duration, record=record, **self.options)

    def outcome(self, result: Result) -> Outcome:
        """How near a result is to the original, and after how many steps."""
        original = self.original
        output = result.output.reshape(original.shape)
        unit = float(np.sqrt(np.mean(original**2))) or 1.0
        error = float(np.sqrt(np.mean((output - original) ** 2))) / unit
        if not self.classifies:
            if self.early_exit:
                raise DataError("an early exit needs classes")
            return Outcome(agreement=None, output_error=error, steps=result.steps)
        if self.early_exit and not self.head.decides_once(original.shape[1:]):
            raise DataError("an early exit needs one class per sample")
        predictions, steps = (result.predictions, float(result.steps)) if not self.early_exit else self._exits(result)
        agreement = float(np.mean(predictions == self.head.decisions(original)))
        return Outcome(agreement=agreement, output_error=error, steps=steps)

    def _exits(self, result: Result) -> tuple[Array, float]:
        """Predictions and mean steps with an early exit: each half of the samples by the margin of the other half."""
        halves = [_part(result, slice(i, None, 2)) for i in (0, 1)]
        if not halves[1].samples:
            raise DataError("an early exit needs two samples held back")
        predictions, steps = np.empty(result.samples, int), np.empty(result.samples)
        for i, half in enumerate(halves):
            ended = early_exit(half, calibrated_exit(halves[1 - i], self.early_exit))
            predictions[i::2], steps[i::2] = ended.predictions, ended.steps
        return predictions, float(steps.mean())

    def measured(self, recipe: Recipe, duration: float) -> Measurement:
        """Convert, simulate, compare; batch by batch, so that counts of many samples are never held at once."""
        network = self.converted(recipe, duration)
        record, operations, spikes = Record(outputs_per_step=self.early_exit > 0), 0.0, 0.0
        parts: list[Result] = []
        fans = fan_out(network)
        for result in simulate_batches(network, self.held, duration, "INI", 100, record, **self.options):
            done = sum(part.samples for part in parts)
            inputs = input_events(network, [a[done : done + result.samples] for a in self.held], result.steps, done)
            counts = {**result.events, **inputs}
            spikes += sum(float(z.sum(dtype=float)) for z in result.events.values())
            operations += sum(float(np.vdot(z.sum(axis=0, dtype=float), fans[n])) for n, z in counts.items())
            parts.append(replace(result, counts={}, fired={}))
        result = joined(parts)
        outcome, own = self.outcome(result), network.schedule.interval if network.schedule else None
        interval = float(own) if own else outcome.steps or result.steps
        return Measurement(outcome, operations / result.samples, spikes / result.samples, interval, network.neurons)


def _part(result: Result, chosen: slice) -> Result:
    """Some samples of a result, outputs alone."""
    outputs = {n: a[chosen] for n, a in result.outputs.items()}
    per_step = {n: a[:, chosen] for n, a in result.outputs_per_step.items()}
    samples = len(next(iter(outputs.values())))
    return replace(result, samples=samples, counts={}, fired={}, outputs=outputs, outputs_per_step=per_step)


@dataclass
class Budget:
    """Seconds that trials may take, from now on; what a trial will take follows from those that were `timed`.

    `work` is any measure of a trial's size, such as steps times samples. While none was timed any is allowed.
    """

    seconds: float
    _begin: float = field(default_factory=lambda: time.perf_counter())
    _taken: list[tuple[float, float]] = field(default_factory=list)

    @property
    def spent(self) -> float:
        """Seconds since the beginning."""
        return time.perf_counter() - self._begin

    def expected(self, work: float) -> float:
        """Seconds that a trial of this size should take: those of the nearest in size, never less than those."""
        if not self._taken:
            return 0.0
        nearest, seconds = min(self._taken, key=lambda taken: (abs(math.log(taken[0] / work)), -taken[1]))
        return seconds * max(1.0, work / nearest)

    def allows(self, work: float, share: float = 1.0) -> bool:
        """Whether the time that such a trial should take is left of this share of the budget."""
        return not self._taken or self.spent + _SLACK * self.expected(work) <= share * self.seconds

    @contextmanager
    def timed(self, work: float = 1.0) -> Iterator[None]:
        """Around a trial of this size; one that failed counts as well."""
        begin = time.perf_counter()
        try:
            with watched(None):  # each trial converts and simulates
                yield
        finally:
            self.took(work, time.perf_counter() - begin)

    def took(self, work: float, seconds: float) -> None:
        """Know that a trial of this size took so long."""
        self._taken.append((work, seconds))
