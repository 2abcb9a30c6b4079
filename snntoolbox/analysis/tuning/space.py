"""The space that is searched: for each axis its values, as configuration keys and as what they do to a recipe.

A new value is one entry of `AXES`; a test holds the keys and the change against one another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import numpy as np

from snntoolbox.conversion.recipe import AUTOMATIC, Recipe
from snntoolbox.conversion.thresholds.rules import rule_name
from snntoolbox.errors import ConversionError
from snntoolbox.ir.neurons import Negative

Change = Callable[[Recipe], Recipe]
Keys = Mapping[str, object]


@dataclass(frozen=True)
class Value:
    """One value of an axis: `keys` are ``section.key`` of a configuration and what they are set to."""

    keys: Keys
    change: Change


def _with(key: str, value: object, **changes: Any) -> Value:
    return Value({key: value}, lambda recipe: replace(recipe, **changes))


def _starting(potential: float) -> Value:
    keys = {"conversion.initial_potential": potential}
    return Value(keys, lambda recipe: replace(recipe, neuron=replace(recipe.neuron, initial=potential)))


def _coding(schedule: str, levels: tuple[float, ...] = (1.0,), negative: Negative = Negative.NEVER) -> Value:
    spikes = "signed" if negative is Negative.MEMORY else "unsigned"
    keys = {"conversion.schedule": schedule, "cell.levels": list(levels), "cell.spikes": spikes}

    def change(recipe: Recipe) -> Recipe:
        neuron = replace(recipe.neuron, levels=levels, negative=negative)
        return replace(recipe, neuron=neuron, schedule=schedule)  # type: ignore[arg-type]

    return Value(keys, change)


AXES: Mapping[str, Mapping[str, Value]] = {
    "coding": {
        "plain": _coding("rate"),
        "phased": _coding("phased"),
        "signed": _coding("rate", negative=Negative.MEMORY),
        "several levels": _coding("rate", (1.0, 0.5, 0.25)),
        "differential": _coding("differential"),
    },
    "rule": {
        name: _with("conversion.threshold_rule", name, threshold_rule=name)
        for name in ("mmse", "percentile", "ltb", "max")
    },
    "scope": {
        name: _with("conversion.threshold_scope", name, per_channel=name == "channel") for name in ("channel", "layer")
    },
    "start": {f"{v0:g}": _starting(v0) for v0 in (0.5, 0.25, 0.125, 0.0)},
    "correction": {
        name: _with("conversion.layer_correction", name, layer_correction=name)
        for name in ("search", "search+potential", "none", "bias", "potential", "both")
    },
    "readout": {f"{n}": _with("conversion.readout_correction", n, readout_correction=n) for n in (100, 0)},
    "pool": {name: _with("conversion.maxpool_type", name, max_pool=name) for name in ("relu_tree", "gate")},
}
"""What is searched, each axis from what is best on most networks on. Neurons and schedule are one: few go together."""

_FIXED: Mapping[tuple[str, str], Mapping[str, str]] = {
    # Phased layers have no other correction; differential ones none, and they start at half their smallest level.
    ("coding", "phased"): {"correction": "potential", "pool": "relu_tree"},
    ("coding", "differential"): {"correction": "none", "start": "0.5", "pool": "relu_tree"},
    ("coding", "several levels"): {"start": "0.125"},  # half the smallest level
    ("correction", "search"): {"start": "0.5"},  # it tries starts itself
    ("correction", "search+potential"): {"start": "0.5"},
}
"""A choice that fixes others, as they would do nothing or are known to be worse; earlier rows come first."""


@dataclass(frozen=True)
class Candidate:
    """A choice on every axis, (axis, value), for runs of `steps` steps; `distance` from the start in axes."""

    steps: int
    choices: tuple[tuple[str, str], ...]
    distance: int = field(default=0, compare=False)

    @property
    def chosen(self) -> dict[str, str]:
        """Axis -> value."""
        return dict(self.choices)

    def __str__(self) -> str:
        texts = {"scope": "per {}", "start": "V0 {}", "correction": "correction {}", "readout": "read-out {}"}
        return ", ".join(texts.get(axis, "{}").format(name) for axis, name in self.choices)


@dataclass(frozen=True, eq=False)
class Space:
    """The candidates around a recipe: `AXES` with the recipe's own values where they are on none, and without others.

    `left_out` are values (axis, name) that cannot be for this network or simulator.
    """

    base: Recipe
    axes: Mapping[str, Mapping[str, Value]]
    own: Mapping[str, str]

    @classmethod
    def around(cls, base: Recipe, left_out: frozenset[tuple[str, str]] = frozenset()) -> Space:
        """The space around a recipe."""
        own, axes = _own_values(base), {axis: dict(values) for axis, values in AXES.items()}
        for axis, (name, value) in own.items():
            axes[axis].setdefault(name, value)
        axes = {a: {n: v for n, v in values.items() if (a, n) not in left_out} for a, values in axes.items()}
        return cls(base, axes, {axis: name for axis, (name, _) in own.items()})

    def start(self, steps: int) -> Candidate:
        """The candidate that is the recipe itself, or the first that is possible where it is not."""
        chosen = {axis: self.own[axis] if self.own[axis] in self.axes[axis] else next(iter(self.axes[axis]))
                  for axis in self.axes if self.axes[axis]}  # fmt: skip
        if chosen.get("rule") == "auto" and len(self.axes["rule"]) > 1:  # else it is kept
            coded = None if chosen.get("coding") == "differential" else steps
            chosen["rule"] = rule_name("auto", coded, self.base.percentile)
        return Candidate(steps, tuple(chosen.items()))

    def candidates(self, steps: int) -> list[Candidate]:
        """Every candidate that makes a recipe, the start first and then by distance from it, the first axes first."""
        first = self.start(steps)
        names = [axis for axis, _ in first.choices]
        found = {first: first}
        for values in product(*(self.axes[axis] for axis in names)):
            one = Candidate(steps, tuple(zip(names, values, strict=True)))
            if one not in found and self._possible(one):
                found[one] = replace(one, distance=max(1, _distance(one, first)))
        same = {c: tuple(a == b for a, b in zip(c.choices, first.choices, strict=True)) for c in found}
        return sorted(found.values(), key=lambda c: (c.distance, same[c]))

    def _possible(self, one: Candidate) -> bool:
        chosen = one.chosen
        if chosen.get("rule") == "auto" and len(self.axes["rule"]) > 1:
            return False  # it is one of the others
        if chosen.get("coding") == "differential" and chosen.get("rule") == "mmse":
            return False  # it is for spikes of one size
        if any(chosen.get(axis, value) != value for axis, value in _forced(chosen).items()):
            return False
        if chosen.get("start") == "0.125" and chosen.get("coding") != "several levels":
            return False
        try:
            self.recipe(one)
        except ConversionError:
            return False
        return True

    def recipe(self, candidate: Candidate) -> Recipe:
        """The recipe of a candidate; ConversionError where there is none."""
        recipe = self.base
        for axis, name in candidate.choices:
            recipe = self.axes[axis][name].change(recipe)
        return recipe

    def keys(self, candidate: Candidate) -> dict[str, object]:
        """The configuration keys of a candidate, without its duration."""
        return {k: v for axis, name in candidate.choices for k, v in self.axes[axis][name].keys.items()}

    def never(self, tried: Iterable[Candidate], possible: Iterable[Candidate]) -> list[str]:
        """The values that some candidate has and none of those tried."""
        seen = {choice for candidate in tried for choice in candidate.choices}
        left = {choice for candidate in possible for choice in candidate.choices} - seen
        return [f"{axis} {name}" for axis, names in self.axes.items() for name in names if (axis, name) in left]


def _own_values(base: Recipe) -> dict[str, tuple[str, Value]]:
    """For each axis the name of the recipe's own value, and the value."""
    negative = Negative(base.neuron.negative)
    coding = _coding(base.schedule, tuple(base.neuron.levels), negative)
    known = [name for name, value in AXES["coding"].items() if value.keys == coding.keys]
    potential = float(np.mean(base.neuron.initial))
    rule, correction = base.threshold_rule, str(base.layer_correction)
    if correction == "auto":
        correction = AUTOMATIC.get(base.schedule, "search")
    scope, n = "channel" if base.per_channel else "layer", base.readout_correction
    return {
        "coding": (known[0] if known else "as it is", coding),
        "rule": (rule, _with("conversion.threshold_rule", rule, threshold_rule=rule)),
        "scope": (scope, AXES["scope"][scope]),
        "start": (f"{potential:g}", _starting(potential)),
        "correction": (correction, AXES["correction"][correction]),
        "readout": (f"{n}", _with("conversion.readout_correction", n, readout_correction=n)),
        "pool": (base.max_pool, AXES["pool"][base.max_pool]),
    }


def _forced(chosen: Mapping[str, str]) -> dict[str, str]:
    """Axis -> value that other choices fix."""
    forced: dict[str, str] = {}
    for choice, fixed in _FIXED.items():
        if (choice[0], forced.get(choice[0], chosen.get(choice[0]))) == choice:
            forced = {**fixed, **forced}
    return forced


def _distance(one: Candidate, first: Candidate) -> int:
    """The axes that differ and are not fixed by another choice."""
    a, b = one.chosen, first.chosen
    fixed = set(_forced(a))
    if a.get("coding") == "differential" and (a.get("rule"), b.get("rule")) == ("percentile", "mmse"):
        fixed.add("rule")  # as `auto` would have it
    return len({axis for axis in a if a[axis] != b[axis]} - fixed)
