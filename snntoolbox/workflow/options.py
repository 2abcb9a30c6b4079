"""What the settings say to a simulator: the options of its `build`, from the keys that name them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from snntoolbox.workflow.config.key import Key
from snntoolbox.workflow.config.schema import Settings, keys

BUILT_IN = "INI"
"""The simulator that everything is measured on which is not asked of another."""


def option_keys() -> Mapping[str, Key]:
    """The keys that are options of a simulator, by ``simulator.option``."""
    return {row.option: row for row in keys().values() if row.option}


def options_of(settings: Settings, simulator: str = "") -> dict[str, Any]:
    """The options of a simulator that are set, as others must not know them: name -> value.

    Without a `simulator` it is that of the settings, which gets all that are set: it says itself what it does not have.
    Keys of a section that is called like a simulator are for that one alone.
    """
    options = {}
    for path, row in option_keys().items():
        owner, _, name = path.rpartition(".")
        value = row.value_in(settings)
        idle = row.idle is not None and row.idle(settings)
        asked = simulator or (settings.simulation.simulator if row.section == owner else "")
        if value != row.default and not idle and asked in ("", owner):
            options[name] = value
    return options
