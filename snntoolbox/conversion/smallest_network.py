"""The smallest network with all that a recipe asks for: what a simulator must run, before there is a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from snntoolbox.conversion.own_windows import as_pairs
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.conversion.spiking.bias_neuron import BiasNeuron
from snntoolbox.conversion.spiking.clamp import Clamp
from snntoolbox.conversion.spiking.delayed import delayed
from snntoolbox.conversion.spiking.synaptic import with_synaptic_currents
from snntoolbox.conversion.spiking.winner_take_all import WinnerTakeAll
from snntoolbox.conversion.stages import drawing
from snntoolbox.errors import Unsupported, UnsupportedError
from snntoolbox.ir.contraction import Contraction
from snntoolbox.ir.gating import Estimate
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.head import Head, usual_head
from snntoolbox.ir.network import Grid, Population, Readout, SpikingNetwork
from snntoolbox.ir.neurons import IF, MaxGate
from snntoolbox.ir.node import Node
from snntoolbox.ir.nodes import Input, MatrixProduct, MaxPool, Multiply, Tabulated
from snntoolbox.ir.tabulating import Table
from snntoolbox.ir.timing import steps_of

CELLS, POOL, LATER = "the neurons", "max pooling", "a factor"
PRODUCT = "a product of activations"
_SHAPE = (1, 1)
_ELSE = "products of activations or smooth functions"
_PARTS: dict[str, type[Node]] = {
    "pools": MaxPool,
    "products": Multiply,
    "sums": MatrixProduct,
    "tables": Tabulated,
}
"""Layers that some models have, by the option that gives the smallest network one."""


def smallest_network(
    recipe: Recipe,
    duration: float | None = None,
    *,
    pools: bool = False,
    products: bool = False,
    sums: bool = False,
    tables: bool = False,
    samples: bool = False,
) -> SpikingNetwork:
    """An input, one neuron and a read-out, with the coding, grid and schedule of a recipe, for runs of one step.

    With `pools` the neuron's spikes go through a max pool, with `products` they are multiplied, with `sums` so that
    neurons sum products of matrices, with `tables` its count is a table's, with `samples` there are some to correct
    layers on: what a recipe says of these is asked for then alone. The input is a sequence of one step, for schedules
    that need one. With a `duration` (ms) for those. UnsupportedError or ConversionError where there is none.
    """
    nodes = [Input(name=name, shape=_SHAPE) for name in ("x", CELLS)]
    populations = [_cells(recipe, samples)]
    if pools and recipe.max_pool != "relu_tree":
        nodes.append(Input(name=POOL, shape=_SHAPE))
        populations.append(_pool(recipe))
    last = populations[-1].name
    grid = Grid(weight_bits=recipe.weight_bits, start=1, growth=1) if recipe.weight_bits else None
    head = Head(kind="classes") if recipe.readout == "softmax" else usual_head(_SHAPE)
    output = Readout(name="output", current=last, shape=_SHAPE, head=head)
    wiring = Graph(nodes, list(dict.fromkeys(["x", CELLS, last])))
    network = SpikingNetwork(wiring, {"x": recipe.encoding}, populations, [output], grid=grid, dt=recipe.dt)
    network = with_synaptic_currents(delayed(network, recipe.delay), recipe.neuron.synaptic)
    duration = recipe.dt if duration is None else duration
    network = _of_the_neuron(recipe, duration).chosen_schedule.apply(network, duration=duration)
    network = _looking_up(network) if tables else network
    if products or sums:
        network = _multiplying(network, sums and recipe.products == "summed")
    return _finished(network, recipe)


def check_unopened(check: Callable[[SpikingNetwork], None], recipe: Recipe, duration: float | None = None) -> None:
    """Ask whether the network of a recipe can be taken, whatever the model is: before it is opened.

    What only some models have is named too where something else is refused already, so that all is told at once; of
    products and tables, which most have not, the ways out are, where these are others.
    """
    try:
        check(smallest_network(recipe, duration))
    except UnsupportedError:
        rest = {"pools": True, "samples": True}
        try:
            check(smallest_network(recipe, duration, **rest))
        except UnsupportedError as error:
            raise _with_ways_of_others(error, check, recipe, duration) from None
        raise


def _with_ways_of_others(
    error: UnsupportedError, check: Callable[[SpikingNetwork], None], recipe: Recipe, duration: float | None
) -> UnsupportedError:
    """A refusal that also tells a way out for models with products and tables, where its own would end in another."""
    if not recipe.chosen_schedule.multiplies:
        return error
    try:
        check(smallest_network(recipe, duration, pools=True, samples=True, products=True, sums=True, tables=True))
    except UnsupportedError as other:
        own, first = (str(e.hint).split(", or ")[0] for e in (error, other))
        if own != first:
            hint = f"{error.hint}; with {_ELSE} between layers: {first}"
            return UnsupportedError(error.subject, error.offenders, hint=hint)
    return error


def check_planned(
    check: Callable[[SpikingNetwork], None],
    recipe: Recipe,
    duration: float | None,
    graph: Graph,
    *,
    samples: bool = False,
) -> None:
    """Ask whether the network of a recipe can be taken for this graph, lowered for it: before it is converted.

    Refusals of what only some layers need name these layers. Errors: those of `check` and `smallest_network`.
    """
    layers = {part: [n.label for n in graph.nodes.values() if isinstance(n, kind)] for part, kind in _PARTS.items()}
    needed = {part: True for part, labels in layers.items() if labels}
    try:
        check(smallest_network(recipe, duration, samples=samples, **needed))
    except UnsupportedError as error:
        offenders = list(_refused(check, smallest_network(recipe, duration, samples=samples)))
        known = {o.reason for o in offenders}
        for part in needed:
            own = _refused(check, smallest_network(recipe, duration, samples=samples, **{part: True}))
            reasons = dict.fromkeys(o.reason for o in own if o.reason not in known)
            offenders += [Unsupported(label, reason) for reason in reasons for label in layers[part]]
        raise UnsupportedError(error.subject, offenders or error.offenders, hint=error.hint) from None


def _refused(check: Callable[[SpikingNetwork], None], network: SpikingNetwork) -> tuple[Unsupported, ...]:
    try:
        check(network)
    except UnsupportedError as error:
        return error.offenders
    return ()


def _cells(recipe: Recipe, samples: bool) -> Population:
    pulsed = recipe.bias_relaxation or (samples and recipe.layer_correction == "steps")
    return Population(
        name=CELLS,
        shape=_SHAPE,
        neuron=replace(recipe.neuron, synaptic=(0.0, 0.0)),
        current="x",
        bias=np.ones(_SHAPE) if recipe.bias == "neuron" else None,
        scale=np.ones(_SHAPE),
        activation=CELLS,
        pulses={0: np.zeros(_SHAPE)} if pulsed else {},
    )


def _of_the_neuron(recipe: Recipe, duration: float) -> Recipe:
    """The recipe with what its `bits` say of any layer said of the one neuron, if that is another number of digits."""
    others = [number for _, number in as_pairs(recipe.bits) if number != steps_of(duration, recipe.dt)]
    return replace(recipe, bits=((CELLS, others[0]),) if others else ())


def _with_more_windows(network: SpikingNetwork, more: int) -> SpikingNetwork:
    """With so many windows more behind the others, where these are not all as long: as long as the last one."""
    schedule = network.schedule
    if schedule is None or not schedule.ends:
        return network
    ends = (*schedule.ends, *(schedule.ends[-1] + schedule.lengths[-1] * (k + 1) for k in range(more)))
    neurons = {n: p.neuron for n, p in network.populations.items()}
    ready = {n: replace(neuron, ends=ends) for n, neuron in neurons.items() if isinstance(neuron, IF)}
    populations = [replace(p, neuron=ready.get(n, p.neuron)) for n, p in network.populations.items()]
    return network.replaced(populations=populations, schedule=replace(schedule, ends=ends, steps=ends[-1]))


def _multiplying(network: SpikingNetwork, summed: bool) -> SpikingNetwork:
    """With neurons that multiply what the others count, where the schedule does that: in their turn, as it has it.

    They are those of a product of matrices where it is `summed` in them.
    """
    network = _with_more_windows(network, 2)
    first = network.populations[CELLS]
    later = replace(first, name=LATER, neuron=_turns_later(first, 1), activation="")
    sums = Contraction(stack=1, rows=1, columns=1, terms=1) if summed else None
    neuron = replace(_turns_later(first, 2), latched=True, contraction=sums)
    own = replace(first, name=PRODUCT, neuron=neuron, current=LATER, latched=CELLS, activation="")
    nodes = [*network.wiring.nodes.values(), *(Input(name=name, shape=_SHAPE) for name in (LATER, PRODUCT))]
    wiring = Graph(nodes, [*network.wiring.outputs, LATER])
    return network.replaced(wiring=wiring, populations=[*network.populations.values(), later, own])


def _turns_later(population: Population, turns: int) -> IF:
    """Its neuron, so many windows later."""
    neuron = population.neuron
    assert isinstance(neuron, IF)
    if neuron.window is None:
        return neuron
    begin, end = neuron.window
    return replace(neuron, window=(begin + turns * (end - begin), end + turns * (end - begin)))


def _looking_up(network: SpikingNetwork) -> SpikingNetwork:
    """With a table for the neuron."""
    first = network.populations[CELLS]
    assert isinstance(first.neuron, IF)
    table = Table(np.ones((1, 1)), first=0, levels=1, step=np.ones(1))
    return network.replaced(populations=[replace(first, neuron=replace(first.neuron, table=table))])


def _pool(recipe: Recipe) -> Population:
    window = {"kernel": (1,), "stride": (1,), "dilation": (1,)}
    gate = MaxGate(**window, padding=((0, 0),), estimate=recipe.gate or Estimate.AVERAGE)
    return Population(name=POOL, shape=_SHAPE, neuron=gate, current=CELLS, scale=np.ones(_SHAPE), activation="")


def _finished(network: SpikingNetwork, recipe: Recipe) -> SpikingNetwork:
    """What comes behind the schedule: the circuits, the layers that wait, the read-outs that draw."""
    held = max((steps for _, steps in recipe.clamps), default=0)
    network = WinnerTakeAll()(network) if recipe.max_pool == "wta" else network
    network = Clamp({"0": held})(network) if held else network
    network = BiasNeuron()(network) if recipe.bias == "neuron" else network
    return drawing(network, recipe)
