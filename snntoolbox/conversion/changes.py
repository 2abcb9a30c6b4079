"""Changes of a recipe as data: fields and what they become, those of its neuron as ``neuron.initial``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from snntoolbox.conversion.recipe import Recipe

Changes = Mapping[str, Any]
"""Field of a `Recipe` -> its value; ``neuron.`` stands before those of the recipe's neuron."""

_NEURON = "neuron."


def changed(recipe: Recipe, changes: Changes) -> Recipe:
    """The recipe with other values of some fields; ConversionError where there is no such recipe."""
    neuron, fields = parted(changes)
    if neuron:
        fields["neuron"] = replace(fields.get("neuron", recipe.neuron), **neuron)
    return replace(recipe, **fields)


def parted(changes: Changes) -> tuple[dict[str, Any], dict[str, Any]]:
    """The changes of the neuron by the names of its fields, and the others."""
    neuron = {name.removeprefix(_NEURON): value for name, value in changes.items() if name.startswith(_NEURON)}
    return neuron, {name: value for name, value in changes.items() if not name.startswith(_NEURON)}
