"""Which key a sweep varies, and what it may vary."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from snntoolbox.config.schema import keys
from snntoolbox.config.values import show

_FIXED_SECTIONS = ("output", "tools", "parameter_sweep")
_FIXED = {
    "cell.v_thresh": "weights are scaled to the threshold: every value gives the same; vary "
    "normalization.percentile or simulation.duration",
    **dict.fromkeys(
        (
            "paths.path_wd",
            "paths.runlabel",
            "paths.log_dir_of_current_run",
            "simulation.workers",
            "simulation.scheduler",
        ),
        "is the same for all points of a sweep",
    ),
}


def swept_key(name: str) -> str:
    """Return ``section.key`` for the `name` in a configuration, where keys of [cell] stand alone."""
    return name if "." in name else f"cell.{name}"


def problems_of_sweep(name: str, values: Sequence[object]) -> list[str]:
    """Return what keeps `values` of the key `name` from being swept; whether each one is allowed is told elsewhere."""
    key = swept_key(name)
    if key not in keys():
        near = get_close_matches(key, keys(), 1) or get_close_matches(f"simulation.{name}", keys(), 1)
        return [f"parameter_sweep.param_name = {name}: is no key{f'; did you mean {near[0]}?' if near else ''}"]
    if key in _FIXED:
        return [f"parameter_sweep.param_name = {name}: {_FIXED[key]}"]
    if key.split(".")[0] in _FIXED_SECTIONS:
        return [f"parameter_sweep.param_name = {name}: is the same for all points of a sweep"]
    texts = [show(value) for value in values]
    if again := sorted({text for text in texts if texts.count(text) > 1}):
        return [f"parameter_sweep.param_values: {', '.join(again)} comes more than once"]
    return []
