"""Choices of a conversion that go together: what each value of ``[conversion] recipe`` sets."""

from __future__ import annotations

from collections.abc import Mapping

PRESETS: Mapping[str, Mapping[str, object]] = {
    "default": {},
    "rueckauer2017": {
        "initial_potential": 0.0,
        "threshold_scope": "layer",
        "readout": "spikes",
        "threshold_rule": "percentile",
        "layer_correction": "none",
        "readout_correction": 0,
        "avgpool_neurons": True,
        "maxpool_type": "gate",
    },
}
"""Keys of [conversion], unless the user has set them."""
