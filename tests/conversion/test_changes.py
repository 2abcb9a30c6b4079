"""Changes of a recipe as data."""

import pytest

from snntoolbox.conversion.changes import changed
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.errors import ConversionError
from snntoolbox.ir.neurons import IF, Reset


def test_fields_of_the_recipe_and_of_its_neuron():
    recipe = Recipe(neuron=IF(initial=0.25, refractory=2), percentile=99.0)
    other = changed(recipe, {"neuron.reset": "zero", "neuron.initial": 0.5, "max_pool": "gate"})
    assert (other.neuron.reset, other.neuron.initial, other.neuron.refractory) == (Reset.ZERO, 0.5, 2)
    assert (other.max_pool, other.percentile) == ("gate", 99.0)
    assert (recipe.neuron.initial, recipe.max_pool) == (0.25, "relu_tree")
    assert changed(recipe, {}).neuron is recipe.neuron


def test_what_goes_only_together_is_changed_at_once():
    phased = Recipe(schedule="phased")
    signed = {"schedule": "rate", "neuron.negative": "memory"}
    assert changed(phased, signed).neuron.graded
    with pytest.raises(ConversionError, match="phased"):
        changed(phased, {"neuron.negative": "memory"})
