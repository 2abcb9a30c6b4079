"""Local threshold balancing: scales that grow with what they cut off, while the clipped network runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from snntoolbox.conversion.thresholds.thresholds import Scales, completed
from snntoolbox.errors import ConversionError, DataError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Array
from snntoolbox.ir.nodes import ReLU


@dataclass(frozen=True)
class BalancedThresholds:
    """Scale = where stochastic descent on the squared error of clipping arrives, from 0 on (arXiv 2409.03368, eq. 14).

    Every rectifier is replaced by ``min(relu(z), s)``. After each batch of n values per channel

        s += rate / n * sum_i 2 (z_i - s) over the values z_i above s

    where z is what the layer gets in the *clipped* network. It knows no number of steps: rare large values move s
    little, so a share of them stays cut off. One pass over the data.
    """

    rate: float = 4.0
    per_channel: bool = True
    batch_size: int = 10

    def __post_init__(self) -> None:
        if not self.rate > 0 or self.batch_size < 1:
            raise ConversionError(f"rate = {self.rate} and batch_size = {self.batch_size} must be above 0")

    def __call__(self, graph: Graph, x: Sequence[Array], progress: Callable[[int], None] | None = None) -> Scales:
        """The scales for calibration data `x`, one array per input."""
        from snntoolbox.engine.clipped import Clipped

        if not len(x) or not len(x[0]):
            raise DataError("the calibration set is empty", hint="give samples, or no data: then weights decide")
        clipped = Clipped(graph)
        scales = {n.name: self._nothing(graph, n.name) for n in graph.nodes.values() if isinstance(n, ReLU)}
        for start in range(0, len(x[0]), self.batch_size):
            batch = [a[start : start + self.batch_size] for a in x]
            clipped.run(batch, lambda name, z: self._moved(graph, scales, name, z))
            if progress:
                progress(len(batch[0]))
        return completed(graph, scales)

    def _nothing(self, graph: Graph, name: str) -> Array:
        shape = graph.shapes[name]
        return np.zeros((shape[0] if self.per_channel else 1, *[1] * (len(shape) - 1)))

    def _moved(self, graph: Graph, scales: dict[str, Array], name: str, z: Array) -> Array:
        """The scale with which this batch is clipped: after its own step."""
        if not np.all(np.isfinite(z)):
            label = graph.nodes[name].label
            raise ConversionError("its activations overflow", layer=label, hint="check the scale of the data")
        axes = (0, *range(2 if self.per_channel else 1, z.ndim))
        step = 2 * np.maximum(z - scales[name], 0).mean(axis=axes, dtype=np.float64)
        scales[name] = scales[name] + self.rate * step.reshape(scales[name].shape)
        return scales[name]
