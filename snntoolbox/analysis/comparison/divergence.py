"""Looks at the first cell that differs: which neuron, both membranes, who departs from the semantics, and why."""

from __future__ import annotations

import numpy as np

from snntoolbox.analysis.comparison.causes import Explanation, explain
from snntoolbox.analysis.comparison.comparison import Cause, Divergence, Membrane
from snntoolbox.analysis.comparison.rasters import FirstDifference
from snntoolbox.analysis.comparison.replay import MOST_VALUES, Replay, replay_of, replayable
from snntoolbox.analysis.comparison.side import Runner
from snntoolbox.ir.features import RECORDED_POTENTIALS
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.neurons import has_usual_parts
from snntoolbox.ir.node import Array
from snntoolbox.ir.result import Record, Result


class Trace:
    """One simulator around a difference: its rasters of the sample, and the potentials of a second run of it."""

    def __init__(self, runner: Runner, at: FirstDifference, raster: dict[str, Array]) -> None:
        self.name, self.raster = runner.backend.name, raster
        sources = runner.task.network.fed_by(at.population)
        self.replayable = all(replayable(s) for n, s in raster.items() if n in sources)
        trains = raster if self.replayable else {n: np.zeros_like(s, np.int8) for n, s in raster.items()}
        task = runner.task
        x = [np.asarray(a[at.sample]) for a in task.x]
        self.replay: Replay = replay_of(task.network, at.population, x, trains, at.sample)
        self.coded = dict(zip(task.network.encodings, x, strict=True))
        self.again = self._again(runner, at)
        kept = self.again.potentials.get(at.population) if self.again else None
        self.potentials = None if kept is None else np.asarray(kept[:, 0], np.float64)

    @staticmethod
    def _again(runner: Runner, at: FirstDifference) -> Result | None:
        potentials = RECORDED_POTENTIALS in runner.backend.capabilities.features
        recorded = frozenset({at.population}) if potentials else False
        return runner.again(at.sample, Record(spikes=True, potentials=recorded, outputs_per_step=False))

    @property
    def repeats(self) -> bool:
        """Whether a second run gave the same spikes (or could not be made)."""
        return self.again is None or all(np.array_equal(self.again.spikes[n][:, 0], s) for n, s in self.raster.items())

    @property
    def follows(self) -> bool:
        """Whether its spikes of this population are what the semantics give for what came in."""
        return not self.replayable or np.array_equal(self.replay.spikes(), self.raster[self.replay.population.name])

    def membrane(self, at: FirstDifference) -> Membrane:
        """The neuron's potential around the step."""
        population = self.replay.population
        spiked = bool(self.raster[at.population][at.step].reshape(-1)[at.neuron])
        neuron = population.neuron
        if self.potentials is None or not has_usual_parts(neuron) or not self.replayable:
            return Membrane(previous=None, before=None, after=None, spiked=spiked)
        traces = self.potentials.reshape(len(self.potentials), -1)[:, at.neuron]
        start = float(np.broadcast_to(neuron.initial, population.shape).reshape(-1)[at.neuron])
        previous = float(traces[at.step - 1]) if at.step else start
        current = self.replay.currents[at.step].reshape(-1)[at.neuron]
        return Membrane(
            previous=previous,
            before=float(neuron.leak * previous + current),
            after=float(traces[at.step]),
            spiked=spiked,
        )


def divergence(at: FirstDifference, ours: Runner, reference: Runner) -> Divergence:
    """All that can be told about the first difference of a simulator and the reference."""
    sides = [Trace(ours, at, dict(at.ours)), Trace(reference, at, dict(at.theirs))]
    departing = [s for s in sides if not s.follows]
    explanation = _explanation(sides, departing, ours.task.network, at)
    population = sides[0].replay.population
    threshold = None
    if has_usual_parts(population.neuron):
        threshold = float(np.broadcast_to(population.neuron.threshold, population.shape).reshape(-1)[at.neuron])
    return Divergence(
        population=at.population,
        layer=population.label,
        neuron=at.neuron,
        position=tuple(int(i) for i in np.unravel_index(at.neuron, population.shape)),
        sample=at.sample,
        step=at.step + 1,
        threshold=threshold,
        reference=sides[1].membrane(at),
        simulator=sides[0].membrane(at),
        cause=explanation.cause,
        departs=tuple(s.name for s in departing),
        evidence=_values(sides, at) + explanation.evidence,
    )


def _values(sides: list[Trace], at: FirstDifference) -> str:
    """What the spikes carry on both sides, where more than whether there is one."""
    spikes = [(s.name, s.raster[at.population][at.step].reshape(-1)[at.neuron]) for s in sides]
    if all(isinstance(value, np.bool_) for _, value in spikes):
        return ""
    return f"the spike is {' and '.join(f'{float(value):g} on {name}' for name, value in spikes)}; "


def _explanation(
    sides: list[Trace], departing: list[Trace], network: SpikingNetwork, at: FirstDifference
) -> Explanation:
    restless = " and ".join(s.name for s in sides if not s.repeats)
    if restless:
        return Explanation(Cause.UNKNOWN, f"a second run of the same sample on {restless} gives other spikes")
    if not all(s.replayable for s in sides):
        many = f"spikes that arrive carry more than {MOST_VALUES} values"
        return Explanation(Cause.UNKNOWN, f"{many}, which cannot be replayed")
    if not departing:
        return Explanation(Cause.UNKNOWN, "both follow the semantics for what came in")
    one = departing[0]
    raster = one.raster[at.population]
    return explain(raster, one.replay, network, at.sample, one.coded, one.potentials)
