"""How much each calibration sample counts, so that no few of them choose the thresholds for all."""

from __future__ import annotations

import numpy as np

from snntoolbox.ir.node import Array


class SampleWeights:
    """The weights of samples for one layer: ``1 / (1 + e / m)``, with the mean square e of a sample's activations.

    m is the median of e over the first batch. Squared errors of a sample grow with its e, while its class depends on
    errors as a share of its activations: weighted, samples much larger than the usual count alike, none by more than
    some usual ones do. Small ones keep their weight.
    """

    def __init__(self) -> None:
        self.usual = 0.0

    def __call__(self, values: Array) -> Array:
        """The weights (samples,) of a batch of activations (samples, ...)."""
        squares = np.square(values, dtype=np.float64).reshape(len(values), -1).mean(axis=1)
        if not self.usual and np.any(squares):
            self.usual = float(np.median(squares[squares > 0]))
        return np.asarray(1 / (1 + squares / (self.usual or 1.0)))
