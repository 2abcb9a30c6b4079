"""The space of a search: its axes, what is no candidate, and that a configuration can have every value."""

from dataclasses import fields
from functools import cache

import pytest

from snntoolbox.analysis.settings import written
from snntoolbox.analysis.tuning.space import Space, axes
from snntoolbox.conversion.changes import changed
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.conversion.schedules.registry import SCHEDULES
from snntoolbox.ir.neurons import IF, Negative
from snntoolbox.workflow.choices import as_key, recipe_of
from snntoolbox.workflow.config.load import load_config
from snntoolbox.workflow.config.values import show


def plain(recipe, *without):
    """The fields of a recipe, its neuron's too, for comparison."""
    neuron = {field.name: getattr(recipe.neuron, field.name) for field in fields(recipe.neuron)}
    return {k: v for k, v in {**vars(recipe), **neuron, "neuron": None}.items() if k not in without}


VALUES = [(axis, name) for axis, values in axes().items() for name in values]


@pytest.fixture
def recipe(tmp_path):
    """The recipe of a configuration whose keys say these changes."""
    (tmp_path / "config.ini").write_text("[paths]\nfilename_ann = model.onnx\n")

    def configured(changes):
        sets = [f"{setting.path}={show(setting.value)}" for setting in written(changes, as_key)]
        return recipe_of(load_config(tmp_path / "config.ini", sets), 1.0, (0.0, 1.0))

    return configured


@pytest.mark.parametrize(("axis", "name"), VALUES, ids=[f"{a} {n}" for a, n in VALUES])
def test_keys_say_every_value(axis, name, recipe):
    windows = {"schedule": "radix"} if axis == "neurons" else {}
    changes = {**windows, **axes()[axis][name]}
    assert plain(recipe(changes)) == plain(changed(recipe({}), changes))


BASES = {
    "default": Recipe(),
    "2017": Recipe(
        neuron=IF(), threshold_rule="percentile", per_channel=False, layer_correction="none", readout_correction=0
    ),
    "phased": Recipe(schedule="phased"),
    "digits of its own": Recipe(schedule="radix", bits={"conv*": 5}),
    "two neurons a value": Recipe(schedule="radix", neurons_per_value=2),
    "neurons of its own": Recipe(schedule="radix", neurons_per_value={"conv*": 3}),
    "neurons by trials": Recipe(schedule="radix", neurons_per_value="auto"),
    "differential": Recipe(schedule="differential"),
    "signed": Recipe(neuron=IF(initial=0.5, negative=Negative.MEMORY)),
    "own values": Recipe(
        neuron=IF(initial=0.3, levels=(1.0, 2.0)), readout_correction=50, threshold_rule="weights", max_pool="gate"
    ),
    "on the grid": Recipe(weight_bits=8),
    "a bias in each step": Recipe(layer_correction="steps"),
    "own levels of changes": Recipe(schedule="differential", neuron=IF(initial=0.5, levels=(1.0, 0.5))),
}


@cache
def candidates(base):
    return Space.around(BASES[base]).candidates(8)


@pytest.mark.parametrize("base", BASES)
def test_the_first_candidate_is_the_recipe_itself(base, recipe):
    found = Space.around(BASES[base]).recipe(candidates(base)[0])
    open_ones = ("threshold_rule", "layer_correction")
    assert plain(found, *open_ones) == plain(BASES[base], *open_ones)
    assert found.threshold_rule in (BASES[base].threshold_rule, "mmse", "percentile")
    assert found.layer_correction in (BASES[base].layer_correction, BASES[base].chosen_schedule.corrections[0])


@pytest.mark.parametrize("base", BASES)
def test_candidates_are_distinct_and_near_ones_come_first(base):
    found = candidates(base)
    assert len(set(found)) == len(found)
    distances = [c.distance for c in found]
    assert distances == sorted(distances)
    assert distances.count(0) == 1
    for axis in ("coding", "rule", "scope"):  # all of them are one step away, wherever they can be
        near = {c.chosen[axis] for c in found if c.distance <= 1}
        possible = {c.chosen[axis] for c in found}
        assert axis == "rule" or near == possible, axis


def test_what_does_nothing_is_no_candidate():
    for candidate in candidates("default"):
        chosen = candidate.chosen
        if chosen["coding"] in ("phased", "differential"):
            assert chosen["correction"] == ("auto" if chosen["coding"] == "phased" else "none")
            assert chosen["pool"] == "relu_tree"
        if chosen["coding"] == "differential":
            assert chosen["rule"] != "mmse"
            assert chosen["start"] == "0.5"
        assert (chosen["coding"] == "several levels") == (chosen["start"] == "0.125")


@pytest.mark.parametrize("base", ["default", "phased"])
def test_trials_choose_corrections_where_layers_fire_in_turn_alone(base):
    in_turn = {name for name, schedule in SCHEDULES.items() if schedule.in_turn}
    for candidate in candidates(base):
        chosen = candidate.chosen
        assert (chosen["correction"] == "auto") == (chosen["coding"].partition("+")[0] in in_turn), str(candidate)


def test_a_coding_of_its_own_has_what_its_schedule_fixes():
    own = [c.chosen for c in candidates("own levels of changes")]
    changes = [chosen for chosen in own if chosen["coding"] == "as it is"]
    assert {c["correction"] for c in changes} == {"none"}
    assert "mmse" not in {c["rule"] for c in changes}


def test_what_a_recipe_cannot_be_is_no_candidate():
    codings = {c.chosen["coding"] for c in candidates("on the grid")}
    assert codings == {"plain", "phased", "radix", "radix+6", "radix+8", "first-spike", "signed"}


def test_values_left_out_are_not_tried():
    space = Space.around(Recipe(), frozenset({("coding", "phased"), ("pool", "gate"), ("pool", "relu_tree")}))
    found = space.candidates(8)
    assert all(c.chosen["coding"] != "phased" and "pool" not in c.chosen for c in found)
    assert "coding phased" not in space.never(found[:1], found)
    assert "coding signed" in space.never(found[:1], found)
    assert space.never(found, found) == []


def test_auto_is_spelled_out():
    space = Space.around(Recipe())
    assert space.changes(space.start(64))["threshold_rule"] == "mmse"
    assert space.changes(space.start(65))["threshold_rule"] == "percentile"


@pytest.mark.parametrize(
    ("base", "steps", "windows"),
    [
        (Recipe(), 64, {"plain": 64, "phased": 64, "radix": 7, "first-spike": 64}),
        (Recipe(), 15, {"plain": 15, "radix": 4}),
        (Recipe(schedule="radix"), 6, {"radix": 6, "plain": 63, "phased": 63}),
    ],
)
def test_codings_are_compared_in_runs_that_tell_as_many_values_apart(base, steps, windows):
    found = Space.around(base).candidates(steps)
    assert {name: w for c in found if (name := c.chosen["coding"]) in windows for w in [c.window]} == windows
    radix = next(c for c in found if c.chosen["coding"] == "radix")
    assert str(radix).startswith("radix, " if base.schedule == "radix" else f"radix in {windows['radix']}, ")
    assert {c.steps for c in found} == {steps}


def of_neurons(base):
    """Of candidates that differ from the recipe in neurons alone their number and that of the coarser one."""
    first, *others = candidates(base)
    same = [c for c in others if {**c.chosen, "neurons": ""} == {**first.chosen, "neurons": ""}]
    return {c.chosen["neurons"]: c.coarser and c.coarser.chosen["neurons"] for c in (first, *same)}


@pytest.mark.parametrize(
    ("base", "found"),
    [
        ("default", {"1": None}),
        ("phased", {"1": None, "2": "1", "4": "2"}),
        ("two neurons a value", {"2": None, "1": None, "4": "2"}),
        ("neurons of its own", {"as it is": None, "1": None, "2": "1", "4": "2"}),
        ("neurons by trials", {"auto": None, "1": None, "2": "1", "4": "2"}),
    ],
)
def test_more_neurons_for_each_value_follow_the_same_with_fewer(base, found):
    assert of_neurons(base) == found


def test_layers_that_do_not_fire_in_turn_have_one_neuron_for_each_value():
    in_turn = {name for name, schedule in SCHEDULES.items() if schedule.in_turn}
    more = {c.chosen["coding"].partition("+")[0] for c in candidates("default") if c.chosen["neurons"] != "1"}
    assert more == in_turn
    space = Space.around(BASES["phased"])
    by_neurons = {space.neurons(c): str(c) for c in space.candidates(8)}
    assert by_neurons.keys() == {1, 2, 4}
    assert "neurons a value 4" in by_neurons[4]
    assert "a value" not in str(space.start(8))


def test_more_neurons_are_for_as_many_steps():
    for candidate in candidates("default"):
        assert candidate.coarser is None or candidate.coarser.window == candidate.window
