"""The space that is searched: for each axis its values, as changes of a recipe.

A new value is one entry of `AXES`, a new schedule is one of `codings` by itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from types import MappingProxyType
from typing import Any

import numpy as np

from snntoolbox.conversion.changes import Changes, changed, parted
from snntoolbox.conversion.corrections.choose_neurons import COUNTS
from snntoolbox.conversion.lowering.shared_values import as_neurons
from snntoolbox.conversion.own_windows import as_pairs
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.conversion.schedules.radix import Radix
from snntoolbox.conversion.schedules.rate import Rate
from snntoolbox.conversion.schedules.registry import SCHEDULES
from snntoolbox.conversion.schedules.schedule import Schedule
from snntoolbox.conversion.thresholds.rules import FEW_STEPS, rule_name
from snntoolbox.errors import ConversionError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.neurons import IF, Negative
from snntoolbox.ir.nodes import Input, MaxPool, ReLU

Values = Mapping[str, Changes]
"""The values of an axis, by name."""


def _coding(
    schedule: str,
    levels: tuple[float, ...] = (1.0,),
    negative: Negative = Negative.NEVER,
    bits: Mapping[str, int] = MappingProxyType({}),
) -> Changes:
    return {"schedule": schedule, "neuron.levels": levels, "neuron.negative": negative, "bits": dict(bits)}


_GRADED: Mapping[str, tuple[tuple[float, ...], Negative]] = {
    "signed": ((1.0,), Negative.MEMORY),
    "several levels": ((1.0, 0.5, 0.25), Negative.NEVER),
}
"""Neurons other than plain ones, for rates: levels and signs."""


_FINER = (6, 8)
"""Digits of the layer behind the input that are tried in radix networks: what it rounds goes through all others."""


def codings() -> dict[str, Changes]:
    """Plain neurons with each schedule, and graded ones at a rate; those with fewer kinds of spikes come first.

    Radix networks with more digits in their first layer come last.
    """
    plain = {"plain" if s.name == Rate.name else s.name: (s, (1.0,), Negative.NEVER) for s in SCHEDULES.values()}
    graded = {name: (SCHEDULES[Rate.name], levels, negative) for name, (levels, negative) in _GRADED.items()}
    every = {**plain, **graded}

    def kinds(name: str) -> tuple[int, bool]:
        schedule, levels, negative = every[name]
        return max(len(levels), len(schedule.levels)), negative is not Negative.NEVER

    found = {name: _coding(every[name][0].name, *every[name][1:]) for name in sorted(every, key=kinds)}
    return found | {f"{Radix.name}+{n}": _coding(Radix.name, bits={"0": n}) for n in _FINER}


def axes() -> dict[str, dict[str, Changes]]:
    """What is searched, each axis from what is best on most networks on.

    Neurons and schedule are one axis: few go together.
    """
    every = {"coding": codings(), **{axis: dict(values) for axis, values in AXES.items()}}
    for schedule in SCHEDULES.values():  # what one of them alone corrects
        if not schedule.always_fires:
            every["correction"].setdefault(_corrected(schedule), {"layer_correction": _corrected(schedule)})
    return every


def _corrected(schedule: Schedule) -> str:
    """What becomes of layers unless it is said: what a conversion tries where that takes no simulation."""
    return "auto" if schedule.in_turn else schedule.corrections[0]


AXES: Mapping[str, Values] = {
    "rule": {name: {"threshold_rule": name} for name in ("mmse", "percentile", "ltb", "max")},
    "scope": {"channel": {"per_channel": True}, "layer": {"per_channel": False}},
    "start": {f"{v0:g}": {"neuron.initial": v0} for v0 in (0.5, 0.25, 0.125, 0.0)},
    "correction": {
        name: {"layer_correction": name} for name in ("search", "search+potential", "none", "bias", "potential", "both")
    },
    "readout": {f"{n}": {"readout_correction": n} for n in (100, 0)},
    "pool": {name: {"max_pool": name} for name in ("relu_tree", "gate")},
    "neurons": {f"{count}": {"neurons_per_value": count} for count in COUNTS},
}
"""The axes beside the coding."""

REFINED = "neurons"
"""The axis of which each value is finer than the one before, and costs more."""

_FIXED: Mapping[tuple[str, str], Mapping[str, str]] = {
    ("coding", "several levels"): {"start": "0.125"},  # half the smallest level
    ("correction", "search"): {"start": "0.5"},  # it tries starts itself
    ("correction", "search+potential"): {"start": "0.5"},
}
"""A choice that fixes others, as they would do nothing or are known to be worse; earlier rows come first."""


def fixed_by(schedule: Schedule) -> dict[str, str]:
    """Axis -> value that a schedule fixes in the same way: it has no other, or others would do nothing."""
    fixed = {} if schedule.always_fires else {"correction": _corrected(schedule)}
    if schedule.own_start:
        fixed["start"] = "0.5"
    if not schedule.in_turn:
        fixed["neurons"] = "1"
    if schedule.unsupported(_GATED):
        fixed["pool"] = "relu_tree"
    return fixed


_GATED = Graph(
    [
        Input(name="x", shape=(1, 2)),
        ReLU(name="rectifier", inputs=("x",)),
        MaxPool(name="gate", inputs=("rectifier",), kernel=(2,), stride=(2,), padding=((0, 0),), dilation=(1,)),
    ],
    ["gate"],
)
"""A graph with max pooling, which some schedules refuse."""


@dataclass(frozen=True)
class Candidate:
    """A choice on every axis, (axis, value), for runs of `steps` steps; `distance` from the start in axes.

    `window` is for how many steps it is converted: where a step is a binary digit fewer say as much. `coarser` is the
    same with fewer neurons for each value, of which there is no need to have more where it does.
    """

    steps: int
    choices: tuple[tuple[str, str], ...]
    distance: int = field(default=0, compare=False)
    window: int = field(default=0, compare=False)
    coarser: Candidate | None = field(default=None, compare=False, repr=False)

    @property
    def chosen(self) -> dict[str, str]:
        """Axis -> value."""
        return dict(self.choices)

    def __str__(self) -> str:
        texts = {"scope": "per {}", "start": "V0 {}", "correction": "correction {}", "readout": "read-out {}"}
        texts["coding"] = "{}" if self.window in (0, self.steps) else f"{{}} in {self.window}"
        texts["neurons"] = "neurons a value {}"
        told = [choice for choice in self.choices if choice != ("neurons", "1")]
        return ", ".join(texts.get(axis, "{}").format(name) for axis, name in told)


@dataclass(frozen=True, eq=False)
class Space:
    """The candidates around a recipe: `axes` with the recipe's own values where they are on none, and without others.

    `left_out` are values (axis, name) that cannot be for this network or simulator.
    """

    base: Recipe
    axes: Mapping[str, Values]
    own: Mapping[str, str]

    @classmethod
    def around(cls, base: Recipe, left_out: frozenset[tuple[str, str]] = frozenset()) -> Space:
        """The space around a recipe."""
        every = axes()
        own = _own_values(base, every)
        for axis, (name, value) in own.items():
            every[axis].setdefault(name, value)
        tried = {a: {n: v for n, v in values.items() if (a, n) not in left_out} for a, values in every.items()}
        return cls(base, tried, {axis: name for axis, (name, _) in own.items()})

    def schedule(self, coding: str) -> Schedule:
        """The schedule of a value of the axis `coding`."""
        return SCHEDULES[self.axes["coding"][coding]["schedule"]]

    @cached_property
    def fixed(self) -> dict[tuple[str, str], Mapping[str, str]]:
        """(axis, value) -> what it fixes on other axes; earlier rows come first."""
        schedules = {("coding", name): fixed_by(self.schedule(name)) for name in self.axes["coding"]}
        return {choice: {**schedules.get(choice, {}), **_FIXED.get(choice, {})} for choice in (*schedules, *_FIXED)}

    def start(self, steps: int) -> Candidate:
        """The candidate that is the recipe itself, or the first that is possible where it is not."""
        chosen = {axis: self.own[axis] if self.own[axis] in self.axes[axis] else next(iter(self.axes[axis]))
                  for axis in self.axes if self.axes[axis]}  # fmt: skip
        if chosen.get("rule") == "auto" and len(self.axes["rule"]) > 1:  # else it is kept
            levels, base = self._levels(self.window(steps, chosen), chosen), self.base
            few = math.inf if self._in_turn(chosen) else FEW_STEPS
            chosen["rule"] = rule_name("auto", levels, base.percentile, base.percentile_fall, few)
        return Candidate(steps, tuple(chosen.items()), window=self.window(steps, chosen))

    def window(self, steps: int, chosen: Mapping[str, str]) -> int:
        """In how many steps a choice says as many values as the recipe as it is does in `steps`."""
        return self.schedule(chosen["coding"]).steps_for(self.base.chosen_schedule.resolution(steps))

    def candidates(self, steps: int) -> list[Candidate]:
        """Every candidate that makes a recipe, the start first and then by distance from it, the first axes first."""
        first = self.start(steps)
        names = [axis for axis, _ in first.choices]
        possible = {first: first}
        windows = {coding: self.window(steps, {"coding": coding}) for coding in self.axes["coding"]}
        for values in product(*(self.axes[axis] for axis in names)):
            choices = tuple(zip(names, values, strict=True))
            one = Candidate(steps, choices, window=windows[dict(choices)["coding"]])
            if one not in possible and self._possible(one):
                possible[one] = replace(one, distance=max(1, self._distance(one, first)))
        same = {c: tuple(a == b for a, b in zip(c.choices, first.choices, strict=True)) for c in possible}
        refined = [replace(c, coarser=self._coarser(c, possible)) for c in possible.values()]
        return sorted(refined, key=lambda c: (c.distance, same[c]))

    def _coarser(self, one: Candidate, possible: Mapping[Candidate, Candidate]) -> Candidate | None:
        """The same with fewer neurons for each value, where that is possible and the recipe itself has not so many."""
        values, name = [n for n in AXES[REFINED] if n in self.axes[REFINED]], one.chosen.get(REFINED)
        if name not in values[1:] or name == self.own[REFINED]:
            return None
        fewer = values[values.index(name) - 1]
        before = replace(one, choices=tuple((a, fewer if a == REFINED else n) for a, n in one.choices))
        return possible.get(before)

    def neurons(self, candidate: Candidate) -> int:
        """How many neurons say a value, at most."""
        said = as_neurons(self.changes(candidate).get("neurons_per_value", self.base.neurons_per_value))
        return COUNTS[-1] if isinstance(said, str) else max((n for _, n in said), default=1)

    def _possible(self, one: Candidate) -> bool:
        chosen = one.chosen
        if chosen.get("rule") == "auto" and len(self.axes["rule"]) > 1:
            return False  # it is one of the others
        if chosen.get("correction") == "auto" and len(self.axes["correction"]) > 1 and not self._in_turn(chosen):
            return False  # so it is here
        if chosen.get("rule") == "mmse" and not self._counts_steps(chosen):
            return False  # it is for a rate in so many steps
        if any(chosen.get(axis, value) != value for axis, value in self._forced(chosen).items()):
            return False
        if chosen.get("start") == "0.125" and chosen.get("coding") != "several levels":
            return False
        try:
            self._levels(one.window, chosen)
        except ConversionError:
            return False
        if one.choices not in self._sound:
            self._sound[one.choices] = self._makes_a_recipe(one)
        return self._sound[one.choices]

    @cached_property
    def _sound(self) -> dict[tuple[tuple[str, str], ...], bool]:
        """Whether choices make a recipe, of those that were asked for: it is the same for every number of steps."""
        return {}

    def _makes_a_recipe(self, one: Candidate) -> bool:
        try:
            self.recipe(one).check_correction()
        except ConversionError:
            return False
        return True

    def _levels(self, steps: int, chosen: Mapping[str, str]) -> int | None:
        """The levels of so many steps, where these choose thresholds; ConversionError where there are no such runs."""
        return self.schedule(chosen["coding"]).resolution(steps) if self._counts_steps(chosen) else None

    def _in_turn(self, chosen: Mapping[str, str]) -> bool:
        return self.schedule(chosen["coding"]).in_turn

    def _counts_steps(self, chosen: Mapping[str, str]) -> bool:
        return self.schedule(chosen["coding"]).counts_steps

    def _forced(self, chosen: Mapping[str, str]) -> dict[str, str]:
        """Axis -> value that other choices fix."""
        forced: dict[str, str] = {}
        for choice, fixed in self.fixed.items():
            if (choice[0], forced.get(choice[0], chosen.get(choice[0]))) == choice:
                forced = {**fixed, **forced}
        return forced

    def _distance(self, one: Candidate, first: Candidate) -> int:
        """The axes that differ and are not fixed by another choice."""
        a, b = one.chosen, first.chosen
        fixed = set(self._forced(a))
        if not self._counts_steps(a) and (a.get("rule"), b.get("rule")) == ("percentile", "mmse"):
            fixed.add("rule")  # as `auto` would have it
        if (a.get("correction"), b.get("correction")) == (_corrected(self.schedule(a["coding"])), "auto"):
            fixed.add("correction")
        return len({axis for axis in a if a[axis] != b[axis]} - fixed)

    def recipe(self, candidate: Candidate) -> Recipe:
        """The recipe of a candidate; ConversionError where there is none."""
        changes = self.changes(candidate)
        parts, others = parted(changes)
        made = self._made.get(key := tuple(parts.items()))
        if made is None:
            made = self._made[key] = replace(self.base.neuron, **parts)
        return changed(self.base, {**others, "neuron": made})

    @cached_property
    def _made(self) -> dict[tuple[tuple[str, Any], ...], IF]:
        """The neurons of candidates by what makes them: there are few, and checking takes long."""
        return {}

    def changes(self, candidate: Candidate) -> Changes:
        """What makes it of the recipe, or keeps it so."""
        return {field: v for axis, name in candidate.choices for field, v in self.axes[axis][name].items()}

    def never(self, tried: Iterable[Candidate], possible: Iterable[Candidate]) -> list[str]:
        """The values that some candidate has and none of those tried."""
        seen = {choice for candidate in tried for choice in candidate.choices}
        left = {choice for candidate in possible for choice in candidate.choices} - seen
        return [f"{axis} {name}" for axis, names in self.axes.items() for name in names if (axis, name) in left]


def _own_values(base: Recipe, every: Mapping[str, Values]) -> dict[str, tuple[str, Changes]]:
    """For each axis the name of the recipe's own value, and the value; `every` are the values that there are."""
    bits = dict(as_pairs(base.bits))
    coding = _coding(base.schedule, tuple(base.neuron.levels), Negative(base.neuron.negative), bits)
    known = [name for name, changes in every["coding"].items() if changes == coding]
    potential = float(np.mean(base.neuron.initial))
    rule, correction = base.threshold_rule, str(base.layer_correction)
    if correction == "auto":
        correction = _corrected(base.chosen_schedule)
    scope, n = "channel" if base.per_channel else "layer", base.readout_correction
    return {
        "coding": (known[0] if known else "as it is", coding),
        "rule": (rule, {"threshold_rule": rule}),
        "scope": (scope, every["scope"][scope]),
        "start": (f"{potential:g}", {"neuron.initial": potential}),
        "correction": (correction, {"layer_correction": correction}),
        "readout": (f"{n}", {"readout_correction": n}),
        "pool": (base.max_pool, {"max_pool": base.max_pool}),
        "neurons": _own_neurons(base, every["neurons"]),
    }


def _own_neurons(base: Recipe, values: Values) -> tuple[str, Changes]:
    said = as_neurons(base.neurons_per_value)
    if isinstance(said, str):
        return said, {"neurons_per_value": said}
    known = [name for name, changes in values.items() if as_neurons(changes["neurons_per_value"]) == said]
    return known[0] if known else "as it is", {"neurons_per_value": dict(said)}
