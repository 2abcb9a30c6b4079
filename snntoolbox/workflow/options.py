"""What the settings say to a simulator: the options of its `build`, from the keys that name them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from snntoolbox.workflow.config.key import Key
from snntoolbox.workflow.config.schema import Settings, keys

SHARED = "simulation"
"""The section whose options any simulator may be given."""

BUILT_IN = "INI"
"""The simulator that everything is measured on which is not asked of another."""


def option_keys() -> Mapping[str, Key]:
    """The keys that are options of a simulator, by ``simulator.option``."""
    return {row.option: row for row in keys().values() if row.option}


def options_of(settings: Settings, simulator: str = "") -> dict[str, Any]:
    """The options of a simulator that are set, as others must not know them: name -> value.

    Without a `simulator` it is that of the settings, which gets all that are set: it says itself what it does not have.
    Keys of a section of a simulator's own are for that one alone.
    """
    options = {}
    for path, row in option_keys().items():
        owner, _, name = path.rpartition(".")
        value = row.value_in(settings)
        # What is idle beside the simulator of the settings is not beside the one that is asked for.
        idle = not simulator and row.idle is not None and row.idle(settings)
        asked = simulator or ("" if row.section == SHARED else settings.simulation.simulator)
        if value != row.default and not idle and asked in ("", owner):
            options[name] = value
    return options


def used_by(settings: Settings, names: Collection[str]) -> Settings:
    """The settings where these simulators or exporters get their options, whatever the simulator of the settings is.

    So it is not said of these keys that they have no effect.
    """
    options = {row.path for option, row in option_keys().items() if option.rpartition(".")[0] in names}
    told = tuple(text for text in settings.without_effect if text.partition(" ")[0] not in options)
    return replace(settings, without_effect=told)
