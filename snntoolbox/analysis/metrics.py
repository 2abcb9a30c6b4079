"""How well a spiking network agrees with its analogue one: correlations, agreement, accuracy and errors.

What runs over many batches is streamed: accumulators keep a few numbers, whatever the number of samples.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from snntoolbox.ir.agreement import AT_ONCE, Pearson, same_samples
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array
from snntoolbox.ir.result import Result


class RegressionError:
    """Largest and root mean square difference between two outputs over all values so far."""

    def __init__(self) -> None:
        self.count = 0
        self.largest = 0.0
        self._squares = 0.0

    def add(self, outputs: Array, targets: Array) -> None:
        """Take in outputs and what they should be, in the user's units."""
        same_samples(outputs, targets)
        outputs, targets = np.asarray(outputs, np.float64), np.asarray(targets, np.float64)
        difference = outputs.reshape(len(outputs), -1) - targets.reshape(len(targets), -1)
        self.count += difference.size
        self.largest = max(self.largest, float(np.abs(difference).max(initial=0)))
        self._squares += float(np.sum(difference**2))

    @property
    def rmse(self) -> float:
        """Root mean square difference; nan where there are no values."""
        return math.sqrt(self._squares / self.count) if self.count else math.nan


class OutputErrors:
    """How far each read-out is from the analogue output of the same place, in the user's units, batch by batch."""

    def __init__(self, outputs: Sequence[str]) -> None:
        self._errors = {name: RegressionError() for name in outputs}
        self._scale = dict.fromkeys(self._errors, 0.0)

    def add(self, result: Result, values: Mapping[str, Array]) -> None:
        """Take in a batch: its result and the values of the analogue outputs; read-outs are in their order."""
        for (name, error), outputs in zip(self._errors.items(), result.outputs.values(), strict=False):
            error.add(outputs, values[name])
            self._scale[name] = max(self._scale[name], float(np.abs(values[name]).max(initial=0)))

    @property
    def report(self) -> dict[str, dict[str, float]]:
        """For each output the root mean square error, the largest one, and the largest |output|."""
        return {
            name: {"rmse": error.rmse, "largest": error.largest, "scale": self._scale[name]}
            for name, error in self._errors.items()
        }


class PopulationStatistics:
    """Spikes, mean rates and correlations with the analogue network of each population, batch by batch."""

    def __init__(self, network: SpikingNetwork) -> None:
        self.network = network
        self.samples = 0
        self._spikes = dict.fromkeys(network.populations, 0)
        self._neuron_steps = dict.fromkeys(network.populations, 0)
        self._pearson = {name: Pearson() for name in network.populations}

    def add(self, result: Result, activations: Mapping[str, Array] | None = None) -> None:
        """Take in the result of a batch and the values of the analogue nodes, (samples, *shape) by node.

        The activation of a population is the node that it names; populations without one here, or with
        several, are not correlated.
        """
        self.samples += result.samples
        schedule = self.network.schedule
        steps = result.steps if schedule is None else schedule.window
        for name, counts in result.counts.items():
            population = self.network.populations[name]
            self._spikes[name] += int(result.events[name].sum())
            window = population.neuron.window if isinstance(population.neuron, IF) else None
            self._neuron_steps[name] += counts.size * (steps if window is None else window[1] - window[0])
            analogue = (activations or {}).get(population.activation)
            if analogue is not None and not population.recurs:
                together = max(1, AT_ONCE // population.size)
                for start in range(0, len(counts), together):  # what is made of them stays in a cache
                    part = slice(start, start + together)
                    rates = counts[part] * (population.scale / result.span)
                    self._pearson[name].add(rates, analogue[part].reshape(rates.shape))

    @property
    def correlations(self) -> dict[str, float]:
        """Pearson's r of rate times scale and activation over all neurons and samples; nan where there is none."""
        return {name: pearson.value for name, pearson in self._pearson.items()}

    @property
    def mean_rates(self) -> dict[str, float]:
        """Spikes per neuron and step, of a window where there is a schedule, whatever they count there.

        nan before the first batch.
        """
        return {n: s / self._neuron_steps[n] if self._neuron_steps[n] else math.nan for n, s in self._spikes.items()}

    @property
    def spikes(self) -> dict[str, float]:
        """Mean number of spikes per sample; nan before the first batch."""
        return {name: spikes / self.samples if self.samples else math.nan for name, spikes in self._spikes.items()}


def agreement(predictions: Array, others: Array) -> float:
    """The share of samples that two networks put into the same class."""
    same_samples(predictions, others)
    return float(np.mean(np.asarray(predictions) == np.asarray(others)))


def confidence_interval(share: float, samples: int) -> tuple[float, float]:
    """Where the share of so many samples lies with 95 % confidence (Wilson 1927)."""
    z = 1.959964
    middle, whole = share + z * z / (2 * samples), 1 + z * z / samples
    spread = z * math.sqrt(share * (1 - share) / samples + (z / (2 * samples)) ** 2)
    return max(0.0, (middle - spread) / whole), min(1.0, (middle + spread) / whole)


def first_step_within(per_step: Sequence[float] | Array, goal: float) -> int | None:
    """The step, counted from 1, from which on all shares reach `goal`; None where the last does not."""
    below = np.flatnonzero(np.asarray(per_step) < goal - 1e-12)
    first = int(below[-1]) + 2 if len(below) else 1
    return first if first <= len(per_step) else None


def accuracy_per_step(predictions: Array, labels: Array) -> Array:
    """The share of right predictions (steps, samples, *places) after each step, for labels (samples, *places)."""
    shares = AgreementPerStep()
    shares.add(predictions, labels)
    return shares.shares


class AgreementPerStep:
    """The share of predictions after each step that are the expected classes, batch by batch."""

    def __init__(self) -> None:
        self._right: Array | int = 0
        self._places = 0

    def add(self, predictions: Array, expected: Array) -> None:
        """Take in predictions (steps, samples, *places) and classes (samples, *places)."""
        same_samples(predictions.swapaxes(0, 1), expected)
        right = np.asarray(predictions == expected)
        self._right = self._right + right.reshape(len(right), -1).sum(axis=1)
        self._places += expected.size

    @property
    def shares(self) -> Array:
        """One for each step."""
        return np.asarray(self._right / self._places)
