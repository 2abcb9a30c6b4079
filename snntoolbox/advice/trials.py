"""Tries remedies on calibration data within a time bound: converts again, simulates, and compares with the original."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType

import numpy as np

from snntoolbox import conversion, plugins
from snntoolbox.advice.remedies import Remedy, Situation, applying, proposal
from snntoolbox.conversion import Recipe
from snntoolbox.diagnosis.findings import Advice, Confidence, Diagnosis, Outcome
from snntoolbox.diagnosis.observer import Observer
from snntoolbox.engine.executor import Executor
from snntoolbox.errors import SNNToolboxError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.result import Record, Result

log = logging.getLogger(__name__)

HELD = 64
"""At most so many calibration samples are held back from the thresholds and simulated."""

FITTED = 512
"""At most so many of the others choose the thresholds of a trial."""


@dataclass(frozen=True, eq=False)
class Trials:
    """Conversions of one graph, measured on calibration samples that did not choose their thresholds.

    Trials run on the built-in simulator, as all simulators give the same spikes; what `simulator` could not run is
    not tried.
    """

    graph: Graph
    data: Sequence[Array]
    duration: float
    recipe: Recipe
    simulator: str = "INI"

    @cached_property
    def _held(self) -> Array:
        """Every k-th sample, so that data sorted by class do no harm."""
        samples = len(self.data[0])
        return np.unique(np.linspace(0, samples - 1, min(HELD, max(1, samples // 4))).round().astype(int))

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
        chosen = rest[np.unique(np.linspace(0, len(rest) - 1, FITTED).round().astype(int))]
        return [a[chosen] for a in self.data]

    @cached_property
    def original(self) -> Array:
        """The first output of the original on the samples held back; of a softmax what goes into it."""
        plain = replace(self.recipe, max2avg_pool=False, softmax_to_relu=False, readout="linear")
        return Executor(conversion.lower(self.graph, plain)).run(*self.held)

    def converted(self, recipe: Recipe, duration: float) -> SpikingNetwork:
        """The network of a recipe; UnsupportedError where the target simulator cannot run it."""
        network = conversion.convert(self.graph, self.fitted, duration=duration, recipe=recipe)
        backend = plugins.backend(self.simulator)
        backend.capabilities.check(backend.name, network)
        return network

    def run(self, network: SpikingNetwork, duration: float) -> Result:
        """Simulate the samples held back."""
        return conversion.simulate(network, self.held, duration=duration, record=Record(outputs_per_step=False))

    def outcome(self, result: Result) -> Outcome:
        """How near a result is to the original."""
        original = self.original.reshape(len(self.original), -1)
        found = result.output.reshape(original.shape)
        unit = float(np.sqrt(np.mean(original**2))) or 1.0
        error = float(np.sqrt(np.mean((found - original) ** 2))) / unit
        shape = self.original.shape[1:]
        classifies = original.shape[1] > 1 and max(shape) == original.shape[1]
        agreement = float(np.mean(result.predictions == original.argmax(axis=1))) if classifies else None
        return Outcome(agreement=agreement, output_error=error)

    def measured(self, recipe: Recipe, duration: float) -> Outcome:
        """Convert, simulate, compare."""
        return self.outcome(self.run(self.converted(recipe, duration), duration))


def diagnosed(trials: Trials) -> tuple[Diagnosis, Outcome]:
    """The recipe as it is, on the samples held back: the terms of its error, and its outcome."""
    network = trials.converted(trials.recipe, trials.duration)
    observer = Observer(network, conversion.lower(trials.graph, trials.recipe))
    result = trials.run(network, trials.duration)
    observer.add(trials.held, result)
    return observer.found(), trials.outcome(result)


def advise(
    trials: Trials, seconds: float, confidence: Mapping[str, Confidence] = MappingProxyType({})
) -> tuple[Advice, ...]:
    """Remedies for a recipe, tried for at most about `seconds`, ranked by the gain measured.

    The recipe itself is always measured first, and a remedy is tried only if the time that it should take is left.
    Remedies that helped at no cost in duration are then tried together. `confidence` adds what is known about the
    thresholds.
    """
    begin = time.perf_counter()
    diagnosis, before = diagnosed(trials)
    once = time.perf_counter() - begin
    diagnosis = replace(diagnosis, confidence=confidence)
    situation = Situation(diagnosis=diagnosis, recipe=trials.recipe, duration=trials.duration)
    found: list[tuple[Remedy | None, Advice]] = []
    for remedy, reason in applying(situation):
        left = seconds - (time.perf_counter() - begin)
        advice = replace(proposal(remedy, reason, situation), samples=len(trials.held[0]), before=before)
        found.append((remedy, _tried(trials, remedy, advice, left, once)))
    left = seconds - (time.perf_counter() - begin)
    if (joint := _together(trials, found, left, once)) is not None:
        found.append((None, joint))
    return tuple(advice for _, advice in sorted(found, key=lambda pair: _rank(pair[1])))


def _tried(trials: Trials, remedy: Remedy, advice: Advice, left: float, once: float) -> Advice:
    if remedy.change is None:
        return replace(advice, untried="needs more data")
    if left < once * remedy.lengthen:
        return replace(advice, untried="no time was left")
    try:
        after = trials.measured(remedy.change(trials.recipe), trials.duration * remedy.lengthen)
    except SNNToolboxError as error:
        return replace(advice, untried=error.message.splitlines()[0])
    log.info("tried %s: %s", advice.setting, after)
    return replace(advice, after=after)


def _together(trials: Trials, found: Sequence[tuple[Remedy | None, Advice]], left: float, once: float) -> Advice | None:
    """All that helped without more steps at once, where that is more than one setting and better than each."""
    helpful = [(remedy, advice) for remedy, advice in found if remedy and advice.helps and remedy.lengthen == 1]
    if len(helpful) < 2 or left < once:
        return None
    settings: dict[str, tuple[Remedy, Advice]] = {}
    for remedy, advice in sorted(helpful, key=lambda pair: _rank(pair[1])):
        settings.setdefault(advice.setting.partition(" = ")[0], (remedy, advice))  # of two values of a key the better
    recipe = trials.recipe
    for remedy, _ in settings.values():
        assert remedy.change is not None
        recipe = remedy.change(recipe)
    best = min((advice for _, advice in helpful), key=_rank)
    joint = Advice(
        setting=" and ".join(advice.setting for _, advice in settings.values()),
        reason="each of them helps alone",
        cost=", ".join(dict.fromkeys(a.cost for _, a in settings.values() if a.cost)),
        samples=best.samples,
        before=best.before,
    )
    try:
        joint = replace(joint, after=trials.measured(recipe, trials.duration))
    except SNNToolboxError:
        return None
    return joint if len(settings) > 1 and joint.helps and _rank(joint) < _rank(best) else None


def _rank(advice: Advice) -> tuple[int, float, int, float]:
    """What helped, by agreement, what costs nothing first; then what was not tried; then what did not help."""
    if advice.after is None:
        return (1, -(advice.expected or 0.0), bool(advice.cost), 0.0)
    return (0 if advice.helps else 2, -(advice.gain or 0.0), bool(advice.cost), advice.after.output_error)
