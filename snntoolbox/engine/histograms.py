"""Streaming histograms of activations per channel: percentiles from any number of samples in constant memory."""

from __future__ import annotations

import numpy as np
import torch

from snntoolbox.ir.node import Array


class ChannelHistogram:
    """Counts of the positive values of each channel (axis 1 of a batch) in bins that widen as larger values come.

    Each channel's range is a power of two; when a value exceeds it, neighbouring bins are merged and the range
    doubles, so earlier counts stay exact. A percentile is right to half a bin, max / `bins`; the maximum is exact.
    Where samples are `weighted`, a count is the sum of their weights.
    """

    def __init__(self, channels: int, bins: int = 2048, weighted: bool = False) -> None:
        self.bins, self.weighted = bins, weighted
        self.counts = torch.zeros(channels, bins, dtype=torch.float64 if weighted else torch.int64)
        self.upper = torch.zeros(channels, dtype=torch.float64)
        self.maximum = torch.zeros(channels, dtype=torch.float64)
        self.seen = 0

    def update(self, values: Array, weights: Array | None = None) -> None:
        """Add a batch (samples, channels, ...), where they are weighted with the weight of each sample."""
        flat = torch.from_numpy(values).transpose(0, 1).reshape(len(self.counts), -1)
        self.seen += flat.shape[1]
        largest = flat.amax(dim=1).double()
        self._widen(largest)
        self.maximum = torch.maximum(self.maximum, largest.clamp(min=0))
        # A bin includes its upper end, so that a value equal to the range stays where it is when the range doubles.
        # Ranges are powers of two, so the product is exact. Column 0 is for what is not positive.
        width = torch.where(self.upper > 0, self.bins / self.upper, 0.0).to(flat.dtype)
        bins = (flat * width[:, None]).ceil_().clamp_(0, self.bins).long()
        bins += torch.arange(len(self.counts))[:, None] * (self.bins + 1)
        each = None
        if weights is not None:
            each = torch.from_numpy(weights).repeat_interleave(flat.shape[1] // len(values)).repeat(len(self.counts))
        counted = torch.bincount(bins.reshape(-1), weights=each, minlength=len(self.counts) * (self.bins + 1))
        self.counts += counted.view(len(self.counts), -1)[:, 1:]

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

    def pooled(self) -> ChannelHistogram:
        """All channels as one."""
        one = ChannelHistogram(1, self.bins, self.weighted)
        one.upper = self.upper.amax(dim=0, keepdim=True)
        one.maximum = self.maximum.amax(dim=0, keepdim=True)
        one.seen = self.seen * len(self.counts)
        total = np.zeros(self.bins, self.counts.numpy().dtype)
        # A channel's bin lies inside one bin of the widest range, their ranges being powers of two.
        ratio = np.where(self.upper.numpy() > 0, self.upper.numpy() / (float(one.upper) or 1.0), 1.0)
        for counts, part in zip(self.counts.numpy(), ratio, strict=True):
            centres = (np.arange(self.bins) + 0.5) * part
            np.add.at(total, centres.astype(np.int64), counts)
        one.counts = torch.from_numpy(total[None])
        return one

    def centres(self) -> Array:
        """The middle of each bin, float64 (channels, bins)."""
        return np.asarray((np.arange(self.bins) + 0.5) / self.bins * self.upper.numpy()[:, None])


def _percentiles(counts: Array, upper: Array, maximum: Array, percent: float) -> Array:
    """As of numpy: linear between the two values next to place ``(n - 1) percent / 100`` of the n in order."""
    cumulative = counts.cumsum(axis=1)
    place = (cumulative[:, -1] - 1).clip(min=0) * (percent / 100)
    below, share = np.floor(place).astype(np.int64), place % 1
    low, high = (_in_order(counts, cumulative, upper, maximum, k) for k in (below, below + 1))
    return np.asarray(np.where(share > 0, low + share * (high - low), low))


def _in_order(counts: Array, cumulative: Array, upper: Array, maximum: Array, place: Array) -> Array:
    """The value at a place, counted from 0, of those in order: spread evenly in its bin; the last is known exactly."""
    rows = np.arange(len(counts))
    index = (cumulative <= place[:, None]).sum(axis=1).clip(max=counts.shape[1] - 1)
    inside = counts[rows, index]
    share = (place - (cumulative[rows, index] - inside) + 0.5) / np.maximum(inside, 1)
    value = np.minimum((index + share) * upper / counts.shape[1], maximum)
    return np.asarray(np.where(place >= cumulative[:, -1] - 1, maximum, value))
