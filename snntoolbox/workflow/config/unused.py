"""Keys that are set and change nothing: those of other simulators, and those that other settings put out of use."""

from __future__ import annotations

from collections.abc import Mapping

from snntoolbox.workflow.config.naming import Names, nearest_key
from snntoolbox.workflow.config.refusals import UNUSED_SECTIONS, refused
from snntoolbox.workflow.config.schema import Settings, keys
from snntoolbox.workflow.config.values import is_default


def of_others(texts: Mapping[Names, str], settings: Settings) -> tuple[list[str], dict[Names, str]]:
    """Of keys that set nothing here: what to say of those without effect, and what is wrong with the others."""
    unused: dict[str, list[str]] = {}
    problems = {}
    for (section, name), text in texts.items():
        row = refused().get(f"{section}.{name}")
        if section in UNUSED_SECTIONS:
            unused.setdefault(UNUSED_SECTIONS[section], []).append(f"{section}.{name}")
        elif row is None:
            problems[section, name] = f"{section}.{name}: unknown key{nearest_key(section, name)}"
        elif is_default(text, row.default):
            continue
        elif row.only and settings.simulation.simulator not in row.only:
            unused.setdefault(f"only {row.whose} may use it", []).append(row.path)
        else:
            problems[section, name] = f"{row.path} = {text}: {row.reason}"
    where = f"no effect with simulator = {settings.simulation.simulator}"
    return [f"{where}: {', '.join(names)} ({why})" for why, names in unused.items()], problems


def idle(settings: Settings, user_keys: frozenset[str]) -> list[str]:
    """What to say of keys of ours that the user set to another value, and that other settings put out of use."""
    told = []
    for row in keys().values():
        value = row.value_in(settings)
        if row.path in user_keys and row.idle is not None and value != row.default and (why := row.idle(settings)):
            told.append(f"{row.path} has no effect: {why}")
    return told
