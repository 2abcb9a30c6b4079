"""One neuron of the kind that a recipe asks for: what a simulator must be able to run, before there is a network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from snntoolbox.conversion.recipe import Recipe
from snntoolbox.conversion.spiking.delayed import delayed
from snntoolbox.conversion.spiking.synaptic import with_synaptic_currents
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import Grid, Population, Readout, SpikingNetwork
from snntoolbox.ir.nodes import Input


def smallest_network(recipe: Recipe, duration: float | None = None) -> SpikingNetwork:
    """An input, one neuron and a read-out, with the coding, grid and schedule of a recipe, for runs of one step.

    The input is a sequence of one step, for schedules that need one. With a `duration` (ms) for those.
    UnsupportedError or ConversionError where there is none.
    """
    shape = (1, 1)
    nodes = [Input(name="x", shape=shape), Input(name="the neurons", shape=shape)]
    cells = Population(
        name="the neurons",
        shape=shape,
        neuron=replace(recipe.neuron, synaptic=(0.0, 0.0)),
        current="x",
        scale=np.ones(shape),
        activation="the neurons",
        pulses={0: np.zeros(shape)} if recipe.bias_relaxation else {},
    )
    grid = Grid(weight_bits=recipe.weight_bits, start=1, growth=1) if recipe.weight_bits else None
    output = Readout(name="output", current="the neurons", shape=shape)
    wiring = Graph(nodes, ["x", "the neurons"])
    network = SpikingNetwork(wiring, {"x": recipe.encoding}, [cells], [output], grid=grid, dt=recipe.dt)
    network = with_synaptic_currents(delayed(network, recipe.delay), recipe.neuron.synaptic)
    return recipe.chosen_schedule.apply(network, duration=recipe.dt if duration is None else duration)
