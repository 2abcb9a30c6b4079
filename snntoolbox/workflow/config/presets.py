"""Choices that go together: what each value of ``[conversion] recipe`` sets."""

from __future__ import annotations

from collections.abc import Mapping

PRESETS: Mapping[str, Mapping[str, object]] = {
    "default": {},
    "rueckauer2017": {
        "conversion.initial_potential": 0.0,
        "conversion.threshold_scope": "layer",
        "conversion.readout": "spikes",
        "conversion.threshold_rule": "percentile",
        "conversion.layer_correction": "none",
        "conversion.readout_correction": 0,
        "conversion.avgpool_neurons": True,
        "conversion.maxpool_type": "gate",
    },
    "spinnaker": {
        "cell.reset": "zero",
        "conversion.weight_bits": 8,
    },
}
"""Keys with their sections, unless the user has set them."""
