"""Streaming histograms of activations per channel: percentiles from any number of samples in constant memory."""

from __future__ import annotations

import numpy as np
import torch

from snntoolbox.ir.node import Array


class ChannelHistogram:
    """Counts of the positive values of each channel (axis 1 of a batch) in bins that widen as larger values come.

    Each channel's range is a power of two; when a value exceeds it, neighbouring bins are merged and the range
    doubles, so earlier counts stay exact. A percentile is right to half a bin, max / `bins`; the maximum is exact.
    """

    def __init__(self, channels: int, bins: int = 2048) -> None:
        self.bins = bins
        self.counts = torch.zeros(channels, bins, dtype=torch.int64)
        self.upper = torch.zeros(channels, dtype=torch.float64)
        self.maximum = torch.zeros(channels, dtype=torch.float64)
        self.seen = 0

    def update(self, values: Array) -> None:
        """Add a batch (samples, channels, ...)."""
        flat = torch.from_numpy(values).to(torch.float64).transpose(0, 1).reshape(len(self.counts), -1)
        self.seen += flat.shape[1]
        largest = flat.amax(dim=1)
        self._widen(largest)
        self.maximum = torch.maximum(self.maximum, largest.clamp(min=0))
        rows, columns = torch.nonzero(flat > 0, as_tuple=True)
        # A bin includes its upper end, so that a value equal to the range stays where it is when the range doubles.
        bins = (flat[rows, columns] / self.upper[rows] * self.bins).ceil().long().sub(1).clamp(0, self.bins - 1)
        self.counts += torch.bincount(rows * self.bins + bins, minlength=self.counts.numel()).view_as(self.counts)

    def _widen(self, largest: torch.Tensor) -> None:
        new = (self.upper == 0) & (largest > 0)
        self.upper[new] = torch.exp2(torch.ceil(torch.log2(largest[new])))
        while bool((short := (largest > self.upper) & (self.upper > 0)).any()):
            merged = self.counts[short].view(int(short.sum()), self.bins // 2, 2).sum(dim=2)
            self.counts[short] = torch.nn.functional.pad(merged, (0, self.bins - self.bins // 2))
            self.upper[short] *= 2

    def percentile(self, percent: float) -> Array:
        """The percentile of the positive values of each channel, float64 (channels,); 0 for one that never fired."""
        return _percentiles(self.counts.numpy(), self.upper.numpy(), self.maximum.numpy(), percent)

    def pooled_percentile(self, percent: float) -> float:
        """The percentile of the positive values of all channels together."""
        widest = float(self.upper.max()) if len(self.upper) else 0.0
        if widest == 0:
            return 0.0
        total = np.zeros((1, self.bins), np.int64)
        # A channel's bin lies inside one bin of the widest range, their ranges being powers of two.
        ratio = np.where(self.upper.numpy() > 0, self.upper.numpy() / widest, 1.0)
        for counts, part in zip(self.counts.numpy(), ratio, strict=True):
            centres = (np.arange(self.bins) + 0.5) * part
            np.add.at(total[0], centres.astype(np.int64), counts)
        maximum = np.array([float(self.maximum.max())])
        return float(_percentiles(total, np.array([widest]), maximum, percent)[0])


def _percentiles(counts: Array, upper: Array, maximum: Array, percent: float) -> Array:
    """Linear interpolation inside the bin where the cumulative count reaches the wanted share; 100 is the maximum."""
    if percent >= 100:
        return maximum.copy()
    cumulative = counts.cumsum(axis=1)
    wanted = cumulative[:, -1] * (percent / 100)
    index = (cumulative < wanted[:, None]).sum(axis=1).clip(max=counts.shape[1] - 1)
    rows = np.arange(len(counts))
    inside = counts[rows, index]
    share = np.where(inside > 0, (wanted - (cumulative[rows, index] - inside)) / np.maximum(inside, 1), 0.0)
    return np.asarray(np.minimum((index + share) * upper / counts.shape[1], maximum))
