"""Thresholds that follow the rates in Brian2: behind a step each sample looks at its layer as a whole."""

from __future__ import annotations

from typing import Any

import numpy as np

from snntoolbox.ir.adaptive import RateThreshold


class Adapting:
    """What sets the thresholds `name` of a group whose samples stand side by side; called behind each step.

    The rule is the part's own, in numpy: Brian2's language has no largest value of a group.
    """

    def __init__(self, part: RateThreshold, group: Any, samples: int, onset: int, name: str = "theta") -> None:
        self.part, self.group, self.samples, self.onset, self.name = part, group, samples, onset, name
        self.restart()

    def restart(self) -> None:
        """Begin anew, as at the start of time."""
        self.before = self.onset
        self.memory = self.part.start((self.samples, len(self.group) // self.samples))

    def __call__(self) -> None:
        """Nothing moves before the onset."""
        if self.before:
            self.before -= 1
            return
        values = np.asarray(self.group.fired[:]).reshape(self.samples, -1)
        height = self.memory["height"]
        self.part.fired(values, self.memory)
        if self.memory["height"] is not height:
            setattr(self.group, self.name, np.broadcast_to(self.memory["height"], values.shape).ravel())
