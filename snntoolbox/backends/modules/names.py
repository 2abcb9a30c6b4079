"""Gives every layer of a network a name that a PyTorch module can have as an attribute."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterable, Mapping

_OWN = frozenset(
    (*("torch", "nn", "F", "Path", "neuron", "IAF", "Leaky", "Fire"),
     *("self", "current", "initial", "samples", "steps", "t", "unit", "held", "given", "sums", "forgotten"),
     *("zeros", "begin", "currents", "step"))
)  # fmt: skip
"""What the written file calls something itself."""

LONGEST = 60


def attribute_names(texts: Iterable[str], taken: Iterable[str]) -> Mapping[str, str]:
    """A Python name for each text, like it; `taken` are attributes that modules have already."""
    reserved = {*taken, *_OWN, *dir(builtins), *keyword.kwlist, *keyword.softkwlist}
    names: dict[str, str] = {}
    for text in dict.fromkeys(texts):
        stem = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_")[:LONGEST] or "layer"
        stem = f"layer_{stem}" if stem[0].isdigit() or stem in reserved else stem
        name, number = stem, 2
        while reserved & _with_buffers(name):
            name, number = f"{stem}_{number}", number + 1
        reserved |= _with_buffers(name)
        names[text] = name
    return names


def _with_buffers(name: str) -> set[str]:
    """A layer's name and those of its buffers, which have more behind."""
    return {name, *(f"{name}_{end}" for end in ENDS)}


ENDS = ("index", "values", "bias", "initial", "pulse")
"""What stands behind the name of a layer in those of its buffers."""
