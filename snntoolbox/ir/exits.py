"""An early exit as data: the rule, and when each sample of a run ends by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from snntoolbox.ir.labels import class_indices
from snntoolbox.ir.node import Array


@dataclass(frozen=True)
class ExitRule:
    """A sample ends in the first step t whose margin reaches `margin`: t/T times the gap of its two largest outputs.

    Outputs are means over the steps so far, so the gap times t is what the spikes until then have decided; early gaps
    are large by chance. Outputs of a network with a schedule are sums already, and their gap is the margin itself.
    `agreement` is the share of predictions that the rule was to keep, `assured` the share that its calibration samples
    are enough to be sure of: less, where they are too few; `samples` is their number.
    """

    margin: float
    agreement: float
    assured: float = 0.0
    samples: int = 0


@dataclass(frozen=True, eq=False)
class EarlyExit:
    """What a rule does to a result: `predictions` and `steps`, (samples,), and `kept`, (samples,) bool.

    `kept` says whether a prediction is that after the last step; `rule` is the rule, `classes` how many there are.
    """

    predictions: Array
    steps: Array
    kept: Array
    rule: ExitRule
    classes: int

    @property
    def mean_steps(self) -> float:
        """Steps per sample."""
        return float(self.steps.mean())

    @property
    def agreement(self) -> float:
        """The share of samples whose prediction is that after the last step."""
        return float(self.kept.mean())

    def accuracy(self, labels: Array) -> float:
        """The share of samples whose prediction is the label; labels are indices, alone or in a column, or one-hot."""
        return float(np.mean(self.predictions == class_indices(labels, len(self.predictions), self.classes)))


def joined_exits(parts: Sequence[EarlyExit]) -> EarlyExit:
    """The exits of consecutive batches, which have the same rule, as one."""
    predictions, steps, kept = (np.concatenate([getattr(p, n) for p in parts]) for n in _FIELDS)
    return EarlyExit(predictions=predictions, steps=steps, kept=kept, rule=parts[0].rule, classes=parts[0].classes)


_FIELDS = ("predictions", "steps", "kept")
