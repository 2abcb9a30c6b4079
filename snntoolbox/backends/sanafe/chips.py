"""The chips whose architecture comes with SANA-FE, and what a core of each holds."""

from __future__ import annotations

from collections.abc import Mapping

_LOIHI = 128 * 1024, 4096
"""128 KiB of synaptic memory, one byte for each weight; axons in each direction."""

_TRUENORTH = 256 * 256, None
"""A crossbar of 256 axons and 256 neurons. SANA-FE's neurons on TrueNorth may have an axon to each target."""

BUNDLED: Mapping[str, tuple[int, int | None]] = {"loihi": _LOIHI, "truenorth": _TRUENORTH}
"""The synapses and axons of a core where no option says them, None without a limit."""
