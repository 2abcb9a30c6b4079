"""From any graph to one of rectifiers and linear maps."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from snntoolbox.conversion.lowering.approximate import ApproximateActivations
from snntoolbox.conversion.lowering.binarize_weights import BinarizeWeights
from snntoolbox.conversion.lowering.factors_behind_sums import FactorsBehindSums
from snntoolbox.conversion.lowering.features_first import FeaturesFirst
from snntoolbox.conversion.lowering.filled_values import FilledValues
from snntoolbox.conversion.lowering.given_masks import GivenMasks
from snntoolbox.conversion.lowering.lower_logits import LowerLogits
from snntoolbox.conversion.lowering.lower_outputs import (
    LowerSoftmax,
    MaxToAveragePooling,
    OwnOutputs,
    RectifyOutputs,
    why_kept,
)
from snntoolbox.conversion.lowering.lower_products import LowerProducts
from snntoolbox.conversion.lowering.max_pool_tree import MaxPoolTree
from snntoolbox.conversion.lowering.normalise_tables import NormaliseTables
from snntoolbox.conversion.lowering.shared_values import as_neurons, share_values
from snntoolbox.conversion.lowering.single_products import SingleProducts
from snntoolbox.conversion.lowering.softmax_tables import SoftmaxTables, masked
from snntoolbox.conversion.lowering.spiking_pools import SpikingAveragePools
from snntoolbox.conversion.lowering.split_bounds import SplitBounds
from snntoolbox.conversion.lowering.tabulate import Tabulate
from snntoolbox.conversion.lowering.unseen_products import UnseenProducts
from snntoolbox.conversion.own_windows import as_pairs, own_windows
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.conversion.schedules.schedule import Schedule
from snntoolbox.conversion.spiking.clamp import named
from snntoolbox.conversion.spiking.invariants import check_same_function
from snntoolbox.conversion.spiking.populations import EACH_LINE, gateable, unsupported_nodes
from snntoolbox.errors import Unsupported, UnsupportedError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Array
from snntoolbox.ir.nodes import MaxPool, ReLU
from snntoolbox.ir.nodes.multiplying import PRODUCTS
from snntoolbox.ir.payloads import ResidueSpikes
from snntoolbox.ir.ways_out import WINDOWS

log = logging.getLogger(__name__)


def lower(graph: Graph, recipe: Recipe, data: Sequence[Array] | None = None) -> Graph:
    """The graph of rectifiers and linear maps that `recipe` converts; UnsupportedError lists what cannot be.

    Samples (`data`, one array for each input) show whether masks leave values out. ConversionError where the recipe
    holds layers that it has not.
    """
    kept, names = why_kept(graph), graph.outputs
    if recipe.binarize_weights:
        graph = BinarizeWeights()(graph)
    graph = LowerSoftmax(recipe.softmax_to_relu)(graph)
    graph = LowerLogits(keep_sigmoid="sigmoid" in recipe.approximate)(graph)
    graph = OwnOutputs(names)(graph)
    if recipe.chosen_schedule.multiplies:
        graph = _tabulated(graph)
    else:
        graph = ApproximateActivations(recipe.approximate)(graph)
    graph = FilledValues(data)(graph)
    if recipe.max2avg_pool:
        graph = MaxToAveragePooling()(graph)
    if recipe.chosen_schedule.multiplies:
        given = GivenMasks.of(graph, data)
        sample = None if data is None or given.graph is graph else [a[:1] for a in data]
        check_same_function(graph, given.graph, "masks that are inputs", sample)
        kept = kept | masked(given.graph, data) | given.refused
        graph = _normalised(_softmax_tabulated(given, kept, sample, single=recipe.products == "single"))
    pooled, graph = graph, MaxPoolTree(None if recipe.max_pool == "relu_tree" else _not_gateable(graph))(graph)
    check_same_function(pooled, graph, "max pooling by rectifiers")
    summed = graph
    graph = LowerProducts()(graph)
    if recipe.chosen_schedule.multiplies or recipe.chosen_schedule.always_fires:  # others know steps by their axis
        graph = FeaturesFirst()(graph)
    check_same_function(summed, graph, "products of rectifiers, and features first")
    if not recipe.chosen_schedule.saturates or isinstance(recipe.neuron.parts.spikes, ResidueSpikes):
        graph = _without_bounds(graph, f"schedule = {recipe.schedule}")
    elif recipe.per_step < 1:  # neurons may fire in every step, which is more than an activation at its bound
        graph = _without_bounds(graph, f"dt = {recipe.dt:g}")
    _tell_halves(graph)
    if recipe.readout == "spikes":
        _check_spikes_can_say(graph)
        graph = RectifyOutputs()(graph)
    if recipe.readout == "softmax":
        _check_classes_to_draw(graph)
    if recipe.avgpool_neurons:
        graph = SpikingAveragePools()(graph)
    _check_taken(graph, recipe.chosen_schedule, kept)
    own_windows(graph, as_pairs(recipe.bits))
    named(dict(recipe.clamps), [n.name for n in graph.nodes.values() if isinstance(n, (ReLU, MaxPool))])
    neurons = as_neurons(recipe.neurons_per_value)
    return graph if isinstance(neurons, str) else share_values(graph, neurons)


def _check_taken(graph: Graph, schedule: Schedule, kept: Mapping[str, str]) -> None:
    """UnsupportedError with all that has no spiking form and all that the schedule cannot fire, a node once."""
    formless = unsupported_nodes(graph, kept)
    known = {offender.layer for offender in formless}
    waiting = [*schedule.unsupported(graph), *without_windows(graph, schedule)]
    hints = [EACH_LINE] if formless else []
    if waiting := [offender for offender in waiting if offender.layer not in known]:
        hints.append(_WINDOWED if not schedule.multiplies and _products(graph) else schedule.hint)
    if hints:
        subject = "the conversion" if formless else f"schedule = {schedule.name}"
        raise UnsupportedError(subject, [*formless, *waiting], hint="; ".join(hints))


def _tabulated(graph: Graph) -> Graph:
    """The graph with tables for its smooth functions."""
    written = Tabulate()(graph)
    check_same_function(graph, written, "smooth functions by tables")
    return written


def _softmax_tabulated(
    given: GivenMasks, kept: Mapping[str, str], sample: Sequence[Array] | None, *, single: bool
) -> Graph:
    """The graph with tables and products for softmax between layers: few, and none that a mask makes idle."""
    written = SoftmaxTables(frozenset(kept), given.lowest)(given.graph)
    if single:
        written = SingleProducts()(written)
    check_same_function(given.graph, written, "softmax by tables", sample)
    behind = UnseenProducts()(FactorsBehindSums()(written))
    check_same_function(written, behind, "factors behind sums", sample)
    return behind


def _normalised(graph: Graph) -> Graph:
    """The graph with tables and products for normalisations by the sample's own values."""
    written = NormaliseTables()(graph)
    check_same_function(graph, written, "normalisation by tables")
    return written


def _tell_halves(graph: Graph) -> None:
    """Warn of values half-way between two levels, of which neurons take the upper one."""
    rounding = (n.label for n in graph.nodes.values() if isinstance(n, ReLU) and n.halves_to_even)
    if even := [*dict.fromkeys(rounding)]:
        shown = ", ".join(even[:3]) + (f" and {len(even) - 3} more" if len(even) > 3 else "")
        told = "values half-way between two levels go to the even one in the model, here to the upper one: %s"
        log.warning(told, shown)


_WINDOWED = f"{WINDOWS} multiplies counts: 8 steps of [simulation] duration, for instance"


def _products(graph: Graph) -> list[str]:
    """The layers that multiply two activations, as the user knows them."""
    return list(dict.fromkeys(n.label for n in graph.nodes.values() if isinstance(n, PRODUCTS)))


def without_windows(graph: Graph, schedule: Schedule) -> list[Unsupported]:
    """Products in a schedule whose layers do not count before others fire."""
    if schedule.multiplies:
        return []
    why = "a product of two activations needs counts of whole windows"
    return [Unsupported(label, why) for label in _products(graph)]


def _without_bounds(graph: Graph, choice: str) -> Graph:
    """The graph with two rectifiers for each that has an upper bound."""
    if levels := [n.label for n in graph.nodes.values() if isinstance(n, ReLU) and n.levels is not None]:
        log.warning("%s has no levels: %s are bounded and not rounded", choice, ", ".join(levels))
    split = SplitBounds()(graph)
    check_same_function(graph, split, "rectifiers without bounds")
    return split


def _check_spikes_can_say(graph: Graph) -> None:
    """UnsupportedError where an output says several labels by the sign of its values, which spikes do not show."""
    signs = [o for o, head in zip(graph.outputs, graph.heads, strict=True) if head.kind == "logits"]
    if signs:
        why = "says several labels by the signs of its values, which spikes do not show"
        offenders = [Unsupported(f"the output '{output}'", why) for output in signs]
        raise UnsupportedError("a read-out by spikes", offenders, hint="readout = linear")


def _check_classes_to_draw(graph: Graph) -> None:
    """UnsupportedError where an output says no classes, over which a softmax could run."""
    others = [o for o, head in zip(graph.outputs, graph.heads, strict=True) if head.kind != "classes"]
    if others:
        offenders = [Unsupported(f"the output '{output}'", "says no classes to draw one of") for output in others]
        raise UnsupportedError("a read-out by softmax", offenders, hint="readout = linear")


def _not_gateable(graph: Graph) -> frozenset[str]:
    """Max pools that a gate cannot do, as they do not read the spikes of one population: they become trees."""
    trees: set[str] = set()
    for node in graph.nodes.values():
        if isinstance(node, MaxPool) and (node.inputs[0] in trees or not gateable(graph, node)):
            trees.add(node.name)
    if trees:
        log.warning("no gate for %s, which read no spikes: a tree of rectifiers instead", ", ".join(sorted(trees)))
    return frozenset(trees)
