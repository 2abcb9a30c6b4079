"""Tables of counts in Brian2: when the window of a group opens, its potentials become what their tables have."""

from __future__ import annotations

from typing import Any

import numpy as np

from snntoolbox.ir.node import Shape
from snntoolbox.ir.tabulating import Table


class Tabulating:
    """What looks up the potentials of a group at the beginning of one step, counted from 0; called in each.

    The samples stand side by side. The rule is the part's own, in numpy: Brian2's language has no tables of one's own.
    """

    def __init__(self, table: Table, group: Any, samples: int, shape: Shape, step: int) -> None:
        self.table, self.group, self.shape, self.before = table, group, (samples, *shape), step

    def __call__(self) -> None:
        """Once."""
        self.before -= 1
        if self.before == -1:
            potential, height = (np.asarray(value[:]).reshape(self.shape) for value in (self.group.v, self.group.theta))
            self.group.v = self.table.opened(potential, height).ravel()
