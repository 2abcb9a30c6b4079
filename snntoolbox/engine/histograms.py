"""Streaming histograms of activations per channel: percentiles from any number of samples in constant memory."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from snntoolbox.engine.fast import histogram_loops
from snntoolbox.engine.fast.bytes_layout import rows
from snntoolbox.engine.fast.jit import compiled, in_parallel
from snntoolbox.ir.node import Array

SECONDS = 1e-8
"""About how long the general path takes to count a value, on one core of today."""

_LARGEST = 2**31
"""Compiled loops count the places of bins in 32 bits."""


class ChannelHistogram:
    """Counts of the positive values of each channel (axis 1 of a batch) in bins that widen as larger values come.

    Each channel's range is a power of two; when a value exceeds it, neighbouring bins are merged and the range
    doubles, so earlier counts stay exact. A percentile is right to half a bin, max / `bins`; the maximum is exact.
    Where samples are `weighted`, a count is the sum of their weights; `fused` counts in one compiled pass.
    """

    def __init__(self, channels: int, bins: int = 2048, weighted: bool = False, fused: bool = False) -> None:
        self.bins, self.weighted, self.fused = bins, weighted, fused and channels * (bins + 1) < _LARGEST
        self.counts = torch.zeros(channels, bins, dtype=torch.float64 if weighted else torch.int64)
        self.upper = torch.zeros(channels, dtype=torch.float64)
        self.maximum = torch.zeros(channels, dtype=torch.float64)
        self.seen = 0

    def update(self, values: Array, weights: Array | None = None) -> bool:
        """Add a batch (samples, channels, ...), where they are weighted with the weight of each sample.

        Not where one of the values is infinite or none: then nothing is added, and the answer is False.
        """
        channels = len(self.counts)
        each = rows(torch.from_numpy(values))
        flat, largest = each.reshape(-1, channels), each.amax(dim=0).view(-1, channels).amax(dim=0).double()
        if not bool(largest.isfinite().all()):
            return False
        self.seen += len(flat)
        self._widen(largest)
        self.maximum = torch.maximum(self.maximum, largest.clamp(min=0))
        # A bin includes its upper end, so that a value equal to the range stays where it is when the range doubles.
        # Ranges are powers of two, so the product is exact.
        width = torch.where(self.upper > 0, self.bins / self.upper, 0.0).to(flat.dtype)
        self.counts += self._compiled(flat, len(values), weights, width) if self.fused else self._counted(
            flat, len(values), weights, width
        )
        return True

    def _counted(self, flat: Tensor, samples: int, weights: Array | None, width: Tensor) -> Tensor:
        """How many of the values (rows, channels) there are in each bin; a place below the bins is for the others."""
        bins = (flat * width).ceil_().clamp_(0, self.bins).long()
        bins += torch.arange(len(self.counts)) * (self.bins + 1)
        each = None if weights is None else torch.from_numpy(weights).repeat_interleave(flat.numel() // samples)
        counted = torch.bincount(bins.reshape(-1), weights=each, minlength=len(self.counts) * (self.bins + 1))
        return counted.view(len(self.counts), -1)[:, 1:]

    def _compiled(self, flat: Tensor, samples: int, weights: Array | None, width: Tensor) -> Tensor:
        """The same in one compiled pass."""
        counted = np.zeros((len(self.counts), self.bins + 1), self.counts.numpy().dtype)
        values, channels = flat.contiguous().numpy().reshape(-1), len(counted)
        each = np.empty(0) if weights is None else weights
        places = values, channels, len(values) // samples, each, width.numpy(), self.bins, counted.reshape(-1)
        in_parallel(compiled(histogram_loops.count_bins), channels, *places)
        return torch.from_numpy(counted[:, 1:])

    def _widen(self, largest: Tensor) -> None:
        new = (self.upper == 0) & (largest > 0)
        self.upper[new] = torch.exp2(torch.ceil(torch.log2(largest[new])))
        while bool((short := (largest > self.upper) & (self.upper > 0)).any()):
            merged = self.counts[short].view(int(short.sum()), self.bins // 2, 2).sum(dim=2)
            self.counts[short] = torch.nn.functional.pad(merged, (0, self.bins - self.bins // 2))
            self.upper[short] *= 2

    def percentile(self, percent: float) -> Array:
        """The percentile of the positive values of each channel, float64 (channels,); 0 for one that never fired."""
        return _percentiles(self.counts.numpy(), self.upper.numpy(), self.maximum.numpy(), percent)

    def joined(self, other: ChannelHistogram) -> ChannelHistogram:
        """The values of both, of as many channels and bins."""
        both = ChannelHistogram(len(self.counts), self.bins, self.weighted, self.fused)
        both.maximum, both.seen = torch.maximum(self.maximum, other.maximum), self.seen + other.seen
        for part in (self, other):
            part._widen(both.maximum)  # a channel of one range in both
        both.upper, both.counts = torch.maximum(self.upper, other.upper), self.counts + other.counts
        return both

    def pooled(self) -> ChannelHistogram:
        """All channels as one."""
        one = ChannelHistogram(1, self.bins, self.weighted)
        one.upper = self.upper.amax(dim=0, keepdim=True)
        one.maximum = self.maximum.amax(dim=0, keepdim=True)
        one.seen = self.seen * len(self.counts)
        # A channel's bin lies inside one bin of the widest range, their ranges being powers of two.
        ratio = np.where(self.upper.numpy() > 0, self.upper.numpy() / (float(one.upper) or 1.0), 1.0)
        total, counts = np.zeros(self.bins, self.counts.numpy().dtype), self.counts.numpy()
        filled = counts != 0
        places = ((np.nonzero(filled)[1] + 0.5) * np.repeat(ratio, filled.sum(axis=1))).astype(np.int64)
        np.add.at(total, places, counts[filled])
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
