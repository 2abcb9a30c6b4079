"""The form of a network that a backend can run, exactly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from snntoolbox.backends.protocol import Backend
from snntoolbox.backends.window_pulses import WindowPulses
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array


def legalized(network: SpikingNetwork, backend: Backend, x: Sequence[Array]) -> SpikingNetwork:
    """The network as this backend can run it, exactly: windows become pulses where it has those alone."""
    able = backend.capabilities
    windows = any(isinstance(p.neuron, IF) and p.neuron.window for p in network.populations.values())
    if not windows or able.windows or not able.pulses or network.grid is None:
        return network
    largest = max((float(np.abs(a).max(initial=0)) for a in x), default=0.0)
    return WindowPulses(largest or 1.0)(network)
