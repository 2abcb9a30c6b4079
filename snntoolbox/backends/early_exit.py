"""Stops each sample as soon as its read-out is clear enough, by a margin that is calibrated to a wanted agreement.

Of the samples that choose the margin a share is kept by luck, so the share itself promises too much. The margin is
chosen by its lower confidence bound (Clopper and Pearson, 1934). Margins are tried from the largest down and the first
that fails ends it, so the choice among many costs no confidence (fixed sequence testing, as in arXiv 2110.01052).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import betaincinv

from snntoolbox.errors import DataError
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.result import EarlyExit, ExitRule, Record, Result
from snntoolbox.ir.samples import checked_arrays

__all__ = ["CONFIDENCE", "EarlyExit", "ExitRule", "Exits", "assured", "calibrated_exit", "early_exit"]

CONFIDENCE = 0.95
"""How sure it is that samples like those of the calibration keep the share that was asked for."""


class Exits:
    """A rule applied to consecutive batches, of which it keeps no sample."""

    def __init__(self, rule: ExitRule) -> None:
        self.rule = rule
        self._samples = self._steps = self._kept = self._right = 0

    def add(self, result: Result, labels: Array | None = None) -> None:
        """Take in the result of a batch, and the labels of its samples where there are some."""
        part = early_exit(result, self.rule)
        self._samples += result.samples
        self._steps += int(part.steps.sum())
        self._kept += int(np.count_nonzero(part.kept))
        if labels is not None:
            self._right += round(part.accuracy(labels) * result.samples)

    def found(self, *, labelled: bool) -> dict[str, float]:
        """For a report: what was asked for, the margin, the mean steps, and what became of predictions."""
        report = {"target": self.rule.agreement, "assured": self.rule.assured, "margin": self.rule.margin}
        report |= {"mean_steps": self._steps / self._samples, "agreement": self._kept / self._samples}
        return {**report, "accuracy": self._right / self._samples} if labelled else report


def calibrated_exit(result: Result, agreement: float = 0.99, confidence: float = CONFIDENCE) -> ExitRule:
    """The least margin with which, and with every larger one, `result` makes sure that so many predictions are kept.

    `result` is a run, with its outputs per step, on calibration data that did not correct the network. Sure is that the
    lower bound of the share, to this `confidence`, is at least `agreement`. Samples too few for that must all be kept
    (`ExitRule.assured` is their bound). Where no margin keeps enough, none is reached.
    """
    if not 0 < agreement <= 1:
        raise DataError(f"an agreement of {agreement} is no share above 0 and at most 1")
    if not 0 < confidence < 1:
        raise DataError(f"a confidence of {confidence} is not between 0 and 1")
    margins, predictions = _margins(result), result.predictions_per_step
    if not result.samples:
        raise DataError("there are no samples to calibrate an early exit on")
    needed = _needed(result.samples, agreement, confidence)
    # The running maximum: a sample that has not ended by step t has reached no more than this.
    reached = np.maximum.accumulate(margins, axis=0)
    candidates = np.unique(reached[:-1])[::-1]
    best, sure = np.inf, 1.0  # that no sample ends early
    for margin in _thinned(candidates):
        found = int(_kept(reached, predictions, margin).sum())
        if found < needed:
            break
        best, sure = float(margin), assured(found, result.samples, confidence)
    return ExitRule(margin=best, agreement=agreement, assured=sure, samples=result.samples)


def assured(kept: int, samples: int, confidence: float = CONFIDENCE) -> float:
    """The share of predictions kept that so many of so many samples make sure of, to this confidence.

    The lower bound of Clopper and Pearson: with it, as many or more are kept with a probability of 1 - confidence.
    """
    return float(betaincinv(kept, samples - kept + 1, 1 - confidence)) if kept else 0.0


def _needed(samples: int, agreement: float, confidence: float) -> int:
    """The fewest samples kept that make sure of the agreement; all, where they are too few for that."""
    counts = range(max(1, int(agreement * samples)), samples)
    return next((k for k in counts if assured(k, samples, confidence) >= agreement), samples)


def early_exit(result: Result, rule: ExitRule) -> EarlyExit:
    """When each sample of a run with its outputs per step ends by `rule`, and with which prediction."""
    reached = np.maximum.accumulate(_margins(result), axis=0)
    predictions = result.predictions_per_step
    last = _last(reached, rule.margin)
    chosen: Array = np.take_along_axis(predictions, last[None], axis=0)[0]
    shape, kept = result.output.shape[1:], chosen == predictions[-1]
    return EarlyExit(
        predictions=chosen, steps=last + 1, kept=kept, rule=rule, head=result.head, shape=shape
    )


def _last(reached: Array, margin: float) -> Array:
    """The index of the step in which each sample ends."""
    decided = np.asarray(reached >= margin)
    decided[-1] = True
    return np.asarray(decided.argmax(axis=0))


def _kept(reached: Array, predictions: Array, margin: float) -> Array:
    """Whether each sample's prediction is that after the last step."""
    last = _last(reached, margin)
    return np.asarray(np.take_along_axis(predictions, last[None], axis=0)[0] == predictions[-1])


def _margins(result: Result) -> Array:
    """For each step and sample t/T times the gap between the two largest outputs, (steps, samples)."""
    if not result.outputs_per_step:
        raise DataError("outputs per step were not recorded", hint="run with Record(outputs_per_step=True)")
    values = next(iter(result.outputs_per_step.values()))
    if not result.head.decides_once(values.shape[2:]):
        raise DataError("an early exit needs an output that says one class per sample")
    scores = result.head.scores(values.reshape(-1, *values.shape[2:]))
    top = np.partition(scores, -2, axis=-1)[:, -2:].reshape(*values.shape[:2], 2)
    share = np.arange(1, len(values) + 1)[:, None] / len(values)
    return np.asarray((top[..., 1] - top[..., 0]) * (1.0 if result.window else share))


def _thinned(candidates: Array, most: int = 2000) -> Array:
    """At most so many of the candidates, evenly spread, from the first to the last."""
    if len(candidates) <= most:
        return candidates
    return np.asarray(candidates[np.linspace(0, len(candidates) - 1, most).round().astype(int)])


log = logging.getLogger(__name__)

EXIT_SAMPLES = 1000
"""At most so many calibration samples choose the margin of an early exit."""

Run = Callable[[Sequence[Array], Record], Result]


def chosen_exit(
    network: SpikingNetwork, calibration_data: Array | Sequence[Array], agreement: float, run: Run
) -> ExitRule:
    """The rule that keeps this share of the predictions, see `calibrated_exit`; `run` simulates samples.

    `calibration_data` are those that the network was converted with. The first ones have corrected it, which looks
    surer on them than it is: they are left out, as far as at least half of the samples remains. DataError where there
    is nothing to choose by.
    """
    data = checked_arrays({n: network.wiring.shapes[n] for n in network.encodings}, calibration_data, network.encodings)
    if not len(data[0]):
        raise DataError("there are no samples to calibrate an early exit on")
    first = min(network.corrected, len(data[0]) // 2)
    known = [a[first:][:EXIT_SAMPLES] for a in data]
    return calibrated_exit(run(known, Record(outputs_per_step=True)), agreement)


def shortfall(rule: ExitRule) -> str:
    """What to tell where the calibration samples were too few for the agreement; empty where they were enough."""
    if rule.assured >= rule.agreement or rule.agreement >= 1:  # nothing assures all
        return ""
    few = f"{rule.samples} calibration samples, all of them kept, assure no more than {rule.assured:.1%}"
    return f"early_exit = {rule.agreement:g}: {few}; more calibration samples (x_norm) assure more"
