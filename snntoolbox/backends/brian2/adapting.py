"""Thresholds that follow the rates in Brian2: behind a step each sample looks at its layer as a whole."""

from __future__ import annotations

from typing import Any

import numpy as np

from snntoolbox.ir.adaptive import RateThreshold


class Adapting:
    """What sets `theta` of a group whose samples stand side by side; called behind each step.

    The rule is the part's own, in numpy: Brian2's language has no largest value of a group.
    """

    def __init__(self, part: RateThreshold, group: Any, samples: int, onset: int) -> None:
        self.part, self.group, self.samples = part, group, samples
        self.before, self.memory = onset, part.start((samples, len(group) // samples))

    def __call__(self) -> None:
        """Nothing moves before the onset."""
        if self.before:
            self.before -= 1
            return
        values = np.asarray(self.group.fired[:]).reshape(self.samples, -1)
        height = self.memory["height"]
        self.part.fired(values, self.memory)
        if self.memory["height"] is not height:
            self.group.theta = np.broadcast_to(self.memory["height"], values.shape).ravel()
