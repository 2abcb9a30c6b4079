"""Sums of products of counts in Brian2: what spikes bring to two groups of factors becomes the current of a third."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from snntoolbox.ir.flat import Cells
from snntoolbox.ir.latching import Latched


class Summing:
    """The two factors of a group of neurons, and what multiplies and sums them in each step; called in each.

    The samples stand side by side. The rule is the part's own, in numpy: Brian2's synapses add to one neuron what they
    know of two, not what a third has counted. `factors` are its groups, which synapses add to.
    """

    def __init__(
        self, b2: Any, part: Latched, cells: Cells, group: Any, samples: int, clock: Any, name: Callable[[str], str]
    ) -> None:
        self.part, self.cells, self.group, self.samples, self.step = part, cells, group, samples, -cells.onset
        self.shapes = part.factor_shapes(cells.shape)
        self.factors = tuple(
            b2.NeuronGroup(samples * math.prod(shape), "came : 1", clock=clock, name=name(called))
            for shape, called in zip(self.shapes, ("factor", "counted"), strict=True)
        )
        self.memory = part.start((samples, *cells.shape))

    def __call__(self) -> None:
        """One step: all that has come, times what was counted before."""
        pairs = zip(self.factors, self.shapes, strict=True)
        came = [np.array(group.came[:]).reshape(self.samples, *shape) for group, shape in pairs]
        weight = self.cells.neuron.weight(self.step) if self.step >= 0 else 1.0
        current = self.part.current(self.part.weighed(self.part.beside(came), weight), self.memory)
        self.group.current = np.asarray(self.group.current[:]) + current.ravel()
        for group in self.factors:
            group.came = 0
        self.step += 1
