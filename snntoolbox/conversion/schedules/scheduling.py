"""Gives a converted network its schedule, and says how long a run of it takes."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from snntoolbox.backends.protocol import Backend
from snntoolbox.conversion.schedules.differential import Differential
from snntoolbox.conversion.schedules.phased import HINT, Phased
from snntoolbox.conversion.schedules.quantized_reference import quantized_counts
from snntoolbox.errors import ConversionError, GraphError, Unsupported, UnsupportedError
from snntoolbox.ir.encodings import ConstantCurrent, Encoding
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import Grid, Population, Readout, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array
from snntoolbox.ir.nodes import Input, MaxPool
from snntoolbox.ir.result import Record
from snntoolbox.ir.timing import steps_of

log = logging.getLogger(__name__)

SCHEDULES = ("rate", "phased", "differential")
MOST_VALUES = 1e8
"""Neurons times steps up to which a phased network is compared with its quantised one as it is made."""
MOST_UNEQUAL = 0.005
"""The share of counts that may differ there: a sum that ties with a level falls to either side."""


def check_schedule(lowered: Graph, schedule: str) -> None:
    """UnsupportedError for what cannot wait for its window, before any work: max pooling by a gate."""
    gates = [n for n in lowered.nodes.values() if isinstance(n, MaxPool)]
    if schedule != "rate" and gates:
        reason = "max pooling by a gate, which needs its input's spikes step by step"
        raise UnsupportedError(f"schedule = {schedule}", [Unsupported(g.label, reason) for g in gates], hint=HINT)


def scheduled(network: SpikingNetwork, schedule: str, duration: float | None) -> SpikingNetwork:
    """The network with this schedule; a phased one needs the `duration` (ms) of a window."""
    if schedule == "differential":
        return Differential()(network)
    if schedule != "phased":
        return network
    if duration is None:
        hint = "stb.convert(..., schedule='phased', duration=8)"
        raise ConversionError("schedule = phased needs the number of steps of a window", hint=hint)
    return Phased(steps_of(duration, network.dt))(network)


def probe(neuron: IF, encoding: Encoding, schedule: str, weight_bits: int) -> SpikingNetwork:
    """One neuron of this kind with this schedule: what a simulator must be able to run, before there is a network."""
    nodes = [Input(name="x", shape=(1,)), Input(name="the neurons", shape=(1,))]
    cells = Population(
        name="the neurons", shape=(1,), neuron=neuron, current="x", scale=np.ones(1), activation="the neurons"
    )
    grid = Grid(weight_bits=weight_bits, start=1, growth=1) if weight_bits else None
    output = Readout(name="output", current="the neurons", shape=(1,))
    network = SpikingNetwork(Graph(nodes, ["x", "the neurons"]), {"x": encoding}, [cells], [output], grid=grid)
    return scheduled(network, schedule, 1.0)


def check_phased(
    network: SpikingNetwork, before: SpikingNetwork, x: Sequence[Array], backend: Backend
) -> float | None:
    """Run one sample in float64 and compare every count with its quantised value: the share that differs.

    `before` is the network without its windows. On an integer grid nothing may differ; else sums that tie with a level
    up to rounding may fall to either side. GraphError where more differs; None for what is not compared: large
    networks (`MOST_VALUES`), and inputs that are not constant.
    """
    schedule = network.schedule
    constant = all(isinstance(e, ConstantCurrent) for e in network.encodings.values())
    if schedule is None or schedule.steps is None or not constant or not len(x[0]):
        return None
    if network.neurons * schedule.steps > MOST_VALUES:
        log.info("too large to be compared with its quantised network at once")
        return None
    sample = [np.asarray(a[:1]) for a in x]
    with backend.build(network, dtype="float64") as executable:
        found = executable.run(*sample, steps=schedule.steps, record=Record(outputs_per_step=False))
    wanted = quantized_counts(before, sample, schedule.window)
    unequal = sum(int(np.count_nonzero(wanted[n] != found.counts[n])) for n in network.populations)
    share = unequal / max(network.neurons, 1)
    if share > (0 if network.grid else MOST_UNEQUAL):
        raise GraphError(
            f"a phased network differs from its quantised one in {share:.1%} of its counts",
            hint="this is a defect of snntoolbox: please report the model",
        )
    return share
