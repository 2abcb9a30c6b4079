"""Which keys a sweep varies and by which values, and what keeps them from being swept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from numbers import Real

from snntoolbox.workflow.config.key import Key
from snntoolbox.workflow.config.naming import known_key, known_section, nearest_path
from snntoolbox.workflow.config.reading import value_of
from snntoolbox.workflow.config.schema import ParameterSweep, Settings, keys
from snntoolbox.workflow.config.values import show

_FIXED_SECTIONS = ("output", "tools", "parameter_sweep")
_FIXED = (
    *("paths.path_wd", "paths.runlabel", "paths.log_dir_of_current_run"),
    *("simulation.workers", "simulation.scheduler"),
)


Varied = Mapping[str, tuple[object, ...]]
"""``section.key`` -> its values; a sweep runs all combinations, the last key fastest."""


def swept_key(name: str) -> str:
    """Return ``section.key`` for the `name` in a configuration, where keys of [cell] stand alone."""
    section, _, key = (name if "." in name else f"cell.{name}").partition(".")
    section = known_section(section)
    return f"{section}.{known_key(section, key)}"


def varied(names: Sequence[str], values: Sequence[object]) -> Varied:
    """The keys and their values: of several keys `values` are one list for each."""
    lists = [values] if len(names) == 1 else values
    return {swept_key(n): tuple(own) for n, own in zip(names, lists, strict=True) if isinstance(own, (list, tuple))}


def problems_of_sweep(
    names: Sequence[str], values: Sequence[object], settings: Settings, *, logarithmic: bool = False
) -> list[str]:
    """Return what keeps `values` of the keys from being swept; whether each one is allowed is told elsewhere.

    Every value of one key may give the same beside the other `settings`; where several keys vary, each run tells that.
    """
    lists = [list(own) for own in ([values] if len(names) == 1 else values) if isinstance(own, (list, tuple)) and own]
    if len(lists) != len(names) or (len(names) > 1 and len(values) != len(names)):
        expected = f"must be a list of {len(names)} lists, one for each of {', '.join(names)}"
        return [f"parameter_sweep.param_values = {show(tuple(values))}: {expected}"]
    if len({swept_key(name) for name in names}) < len(names):
        return [f"parameter_sweep.param_name = {', '.join(names)}: a key comes more than once"]
    problems = [text for name, own in zip(names, lists, strict=True) for text in _problems_of_one(name, own)]
    if logarithmic and not all(isinstance(value, Real) and float(value) > 0 for value in lists[0]):
        problems.append(f"parameter_sweep.param_logscale: needs numbers above 0 of {names[0]}")
    return problems or (_idle(names[0], lists[0], settings) if len(names) == 1 else [])


def _idle(name: str, values: Sequence[object], settings: Settings) -> list[str]:
    """A key that none of its values that can be read gives an effect beside the other settings."""
    row = keys()[swept_key(name)]
    if row.idle is None:
        return []
    reasons = [row.idle(_with(row, value, settings)) for value in _read(row, values)]
    if not reasons or not all(reasons):
        return []
    return [f"parameter_sweep.param_name = {name}: every value gives the same: {reasons[0]}"]


def _with(row: Key, value: object, settings: Settings) -> Settings:
    part = replace(getattr(settings, row.section), **{row.name: value})
    return replace(settings, **{row.section: part})


def _read(row: Key, values: Sequence[object]) -> list[object]:
    """The values as settings have them, without those that are wrong, which is told elsewhere."""
    found = []
    for value in values:
        with suppress(ValueError):
            found.append(value_of(row, show(value)))
    return found


def first_point(sweep: ParameterSweep) -> dict[str, object]:
    """The keys that a sweep varies, each at the first of its values that can be read, as ``section.key`` -> value.

    What is set of them otherwise is never run.
    """
    names, values = sweep.param_name, sweep.param_values
    if not values or (len(names) > 1 and len(names) != len(values)):
        return {}
    lists = varied(names, values)
    free = {path: own for path, own in lists.items() if path in keys() and not _is_fixed(path)}
    found = {path: _read(keys()[path], own) for path, own in free.items()}
    return {path: own[0] for path, own in found.items() if own}


def _is_fixed(path: str) -> bool:
    """Whether a key is the same for all points."""
    return path in _FIXED or path.split(".")[0] in _FIXED_SECTIONS


def _problems_of_one(name: str, values: Sequence[object]) -> list[str]:
    key = swept_key(name)
    if key not in keys():
        near = nearest_path(name)
        return [f"parameter_sweep.param_name = {name}: is no key{f'; did you mean {near}?' if near else ''}"]
    if _is_fixed(key):
        return [f"parameter_sweep.param_name = {name}: is the same for all points of a sweep"]
    texts = [show(value) for value in values]
    if again := sorted({text for text in texts if texts.count(text) > 1}):
        return [f"parameter_sweep.param_values: {', '.join(again)} comes more than once"]
    return []
