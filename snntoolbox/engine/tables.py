"""Tables of counts in torch."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from snntoolbox.engine.tensors import Target
from snntoolbox.ir.node import Shape
from snntoolbox.ir.tabulating import Table


class Entries:
    """What stands in a table, for the neurons of a population of this shape: see `snntoolbox.ir.tabulating.Table`."""

    def __init__(self, table: Table, shape: Shape, target: Target) -> None:
        rows, entries = table.counts.shape
        self.first, self.last = table.first, entries - 1
        self.counts = torch.as_tensor(np.asarray(table.counts), device=target.device).reshape(-1)
        self.begin = torch.from_numpy(table.rows(shape) * entries).to(target.device) if rows > 1 else None

    def __call__(self, whole: Tensor) -> Tensor:
        """The counts at whole numbers (samples, *shape), which may be of any floating type."""
        index = whole.sub(self.first).clamp_(0, self.last).long()
        return self.counts[index if self.begin is None else index + self.begin].to(whole.dtype)
