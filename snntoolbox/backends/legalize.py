"""The form of a network that a backend can run, exactly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from snntoolbox.backends.protocol import Plugin
from snntoolbox.backends.window_pulses import WindowPulses
from snntoolbox.ir.features import PRODUCTS, PULSES, TABLES, WINDOWS, features
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array


def legalized(network: SpikingNetwork, backend: Plugin, x: Sequence[Array]) -> SpikingNetwork:
    """The network as this backend or exporter can take it, exactly: windows become pulses where it has those alone.

    Not of tables and products, which go by windows: what has none of these refuses them, and who has is told.
    """
    held = backend.capabilities.features
    if WINDOWS in held or PULSES not in held or network.grid is None or not _has_windows(network):
        return network
    if {TABLES, PRODUCTS} & {asked.feature for asked in features(network)}:
        return network
    largest = max((float(np.abs(a).max(initial=0)) for a in x), default=0.0)
    return WindowPulses(largest or 1.0)(network)


def _has_windows(network: SpikingNetwork) -> bool:
    return any(asked.feature == WINDOWS for asked in features(network))
