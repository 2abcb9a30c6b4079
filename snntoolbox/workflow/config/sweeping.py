"""Which keys a sweep varies and by which values, and what keeps them from being swept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real

from snntoolbox.workflow.config.naming import known_key, known_section, nearest_path
from snntoolbox.workflow.config.schema import Settings, keys
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
    return problems or _idle(names, settings)


def _idle(names: Sequence[str], settings: Settings) -> list[str]:
    row = keys()[swept_key(names[0])]
    why = row.idle(settings) if len(names) == 1 and row.idle is not None else ""
    return [f"parameter_sweep.param_name = {names[0]}: every value gives the same: {why}"] if why else []


def _problems_of_one(name: str, values: Sequence[object]) -> list[str]:
    key = swept_key(name)
    if key not in keys():
        near = nearest_path(name)
        return [f"parameter_sweep.param_name = {name}: is no key{f'; did you mean {near}?' if near else ''}"]
    if key in _FIXED or key.split(".")[0] in _FIXED_SECTIONS:
        return [f"parameter_sweep.param_name = {name}: is the same for all points of a sweep"]
    texts = [show(value) for value in values]
    if again := sorted({text for text in texts if texts.count(text) > 1}):
        return [f"parameter_sweep.param_values: {', '.join(again)} comes more than once"]
    return []
