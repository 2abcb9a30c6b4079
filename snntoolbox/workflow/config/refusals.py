"""Keys of the SNN Toolbox that are not available: each is accepted at its default, and refused with the way out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from snntoolbox.workflow.config.key import Refused


def _of_pynn(reason: str, **defaults: object) -> tuple[Refused, ...]:
    """Keys of [cell] that the toolbox reads for simulators of PyNN alone."""
    names = ("nest", "pynn.nest", "pynn.neuron", "pynn.brian2")
    whose = "simulators of PyNN and NEST"
    return tuple(Refused("cell", n, default, reason, names, whose) for n, default in defaults.items())


_CONDUCTANCE = "is for synapses that change conductances; a spike has one effect here, whatever the potential"

REFUSED: tuple[Refused, ...] = (
    *_of_pynn(_CONDUCTANCE, e_rev_E=10, e_rev_I=-10),
)
"""Known keys of the SNN Toolbox that are accepted only at their default."""

UNUSED_SECTIONS: Mapping[str, str] = {
    "restrictions": "what is supported is not a setting: frontends and simulators are plug-ins",
    "loihi": "it is for Loihi chips",
}
"""Sections that are read, whatever keys they have, and have no effect: why."""


@cache
def refused() -> Mapping[str, Refused]:
    """Return ``section.name`` -> `Refused` of every known key that is accepted only at its default."""
    return {row.path: row for row in REFUSED}
