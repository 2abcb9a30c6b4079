"""Several neurons for each value of a layer, whose counts together are finer than the levels of a window."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from snntoolbox.conversion.named_layers import Pairs, Said
from snntoolbox.errors import ConversionError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.nodes import ReLU

COMMON = 4
"""How many neurons share the factor of a row, which many products have in common."""

MOST_NEURONS = 16
"""Of one value."""

AUTO = "auto"

ALL = "*"
"""The pattern that fits all layers."""

NEURONS = Said(
    name="neurons_per_value",
    numbers="numbers of neurons",
    most=MOST_NEURONS,
    so="neurons_per_value=2 for all layers, {'conv1': 2, 'block*': 4} for some, or 'auto'",
)

Neurons = int | str | Mapping[str, int] | Pairs
"""What a recipe says of them: a number for all layers, numbers by names or patterns, or 'auto'."""


def as_neurons(given: Neurons | Iterable[tuple[str, int]]) -> Pairs | str:
    """The numbers as pairs, of all layers as one of a pattern that fits all; 'auto' as it is. ConversionError else."""
    if given == AUTO:
        return AUTO
    if isinstance(given, str):
        raise ConversionError(f"neurons_per_value = {given!r} is no number of neurons", hint=NEURONS.so)
    if isinstance(given, int):
        return () if given == 1 and not isinstance(given, bool) else NEURONS.pairs(((ALL, given),))
    return NEURONS.pairs(given)


def share_values(lowered: Graph, neurons: Pairs) -> Graph:
    """The graph whose rectifiers and tables say that each of their values has so many neurons.

    Those that have more already keep them. ConversionError for names of nothing; all layers may be none.
    """
    if not any(isinstance(node, ReLU) for node in lowered.nodes.values()):
        neurons = tuple(pair for pair in neurons if pair[0] != ALL)
    found = NEURONS.of(lowered, neurons)
    nodes = {name: node for name in found if isinstance(node := lowered.nodes[name], ReLU)}
    more = [replace(node, neurons=found[n]) for n, node in nodes.items() if node.neurons < found[n]]
    return lowered.edited(more) if more else lowered
