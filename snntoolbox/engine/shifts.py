"""How much higher the neurons of each channel should start, so that they count best what they stand for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from snntoolbox.ir.node import Array


def best_shifts(ready: Array, wanted: Array, levels: int, first: Sequence[float]) -> Array:
    """The shift d of each channel, (channels, 1, ...), in thresholds, for which clip(floor(Z + d), 0, T) errs least.

    Z are sums in thresholds and `wanted` the counts to come near to, (samples, channels, ...), T the `levels`. Tried
    are the `first` shifts, 0 being the first of them, and the mean error taken off once and twice; squared errors tell.
    """
    sums, counts = _flat(ready), _flat(wanted)
    channels = sums.shape[1]
    least, best = np.full(channels, np.inf), np.zeros(channels)
    tried = [np.full(channels, shift) for shift in first]
    for i, shift in enumerate(tried):
        fired = (sums + torch.from_numpy(shift.astype(np.float32))[:, None]).floor_().clamp_(0, levels)
        error = counts - fired
        mean = error.mean(dim=2).double().mean(dim=0).numpy()
        squared = error.square_().mean(dim=2).double().mean(dim=0).numpy()
        if i in (0, len(first)):  # of no shift, and of the one that this gave
            tried.append(shift + mean)
        least, best = np.minimum(squared, least), np.where(squared < least, shift, best)
    return best.reshape(-1, *[1] * (ready.ndim - 2))


def _flat(values: Array) -> Tensor:
    """In single precision, (samples, channels, places); one place where there are none."""
    tensor = torch.from_numpy(values.astype(np.float32))
    return tensor.flatten(2) if tensor.ndim > 2 else tensor[..., None]
