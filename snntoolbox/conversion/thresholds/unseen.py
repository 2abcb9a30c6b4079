"""How far scales lie above what calibration samples ask for, as other samples have larger values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from snntoolbox.ir.node import Array

if TYPE_CHECKING:
    from snntoolbox.engine.histograms import ChannelHistogram

TIMES = (1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 4.0)
"""Multiples of each channel's scale that are tried."""

SHARES = (0.0, 0.05, 0.1, 0.2, 0.35, 0.6, 1.0)
"""Shares of its layer's scale that a channel has at least: those that are tried."""

FROM_LEVELS = 127
"""With fewer levels rounding decides: most layers ask for no room, and what some gain others lose."""

_ALIKE = 1.02
"""Less room is taken where its error is no more than so many times the least."""


@dataclass(frozen=True)
class Room:
    """Channels get `times` their scale, and at least `share` of their layer's, which is `layer`."""

    times: float = 1.0
    share: float = 0.0
    layer: float = 0.0

    def of(self, scales: Array) -> Array:
        """Scales with room; 0 stays, a channel that never fired."""
        return np.where(scales > 0, np.maximum(self.times * scales, self.share * self.layer), 0.0)


def room_for_unseen(
    halves: Sequence[ChannelHistogram],
    choose: Callable[[ChannelHistogram], Array],
    errors: Callable[[Array, Array, Array], Array],
    layer: float,
) -> Room:
    """The room with which scales chosen from one half of the samples leave least squared error on the other.

    `halves` are the histograms of both, `choose` what finds scales without room, `errors` the squared error of values
    and weights for each of some scales; `layer` is the scale of all channels together. Errors of all channels are added
    up: what a channel says that is faint in one half and loud in the other weighs as much as it is loud.
    """
    tried = [Room(times, share, layer) for share, times in product(SHARES, TIMES)]
    total = np.zeros(len(tried))
    for one, other in (halves, halves[::-1]):
        own = choose(one)
        own = np.where(own > 0, own, layer)
        scales = np.stack([room.of(own) for room in tried])
        centres = other.centres()
        for channel, counts in enumerate(other.counts.numpy()):
            filled = np.flatnonzero(counts)
            if own[channel] > 0 and len(filled):
                total += errors(centres[channel, filled], counts[filled], scales[:, channel])
    return tried[int(np.argmax(total <= _ALIKE * total.min()))]
