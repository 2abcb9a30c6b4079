"""The schedule in which one population serves all steps of a sequence: a step is a window, recurrence waits for it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from snntoolbox.backends.registry import backend_named
from snntoolbox.conversion.schedules.folded_steps import Folded, folded, of_a_step
from snntoolbox.conversion.schedules.plain_neurons import gates, hint_for, lossy_choices, not_plain
from snntoolbox.conversion.schedules.recurrent_windows import NAME, Timing, timing, with_windows
from snntoolbox.conversion.schedules.schedule import Choices
from snntoolbox.errors import ConversionError, GraphError, Unsupported, UnsupportedError
from snntoolbox.ir.encodings import ConstantCurrent
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array
from snntoolbox.ir.nodes import ReLU
from snntoolbox.ir.result import Record, Result
from snntoolbox.ir.timing import steps_of

MOST_VALUES = 1e8
"""Neurons times steps up to which a network is compared with its quantised one as it is made."""

TIES = 0.005
"""The share of counts that may differ there: a sum that ties with a level falls to either side."""


class Recurrent:
    """Each step of a sequence is a period of windows, in which every layer fires once: see `recurrent_windows`."""

    name = NAME
    hint = f"[conversion] schedule = phased takes networks without recurrent layers; {hint_for(NAME)}"
    corrections: tuple[str, ...] = ("none",)
    why_no_others = "which corrects nothing: all steps of a sequence have the same neurons"
    levels: tuple[float, ...] = (1.0,)
    always_fires = False
    counts_steps = True
    saturates = True
    rates = False
    ends_early = False
    own_start = False
    multiplies = False
    in_turn = False

    def resolution(self, steps: int) -> int:
        """As many levels as a window has steps."""
        return steps

    def steps_for(self, levels: int) -> int:
        """As many as levels."""
        return levels

    def cost(self, layers: int) -> float:
        """Two windows for each step of the sequence."""
        return 2.0 * (layers + 1)

    def misfits(self, recipe: Choices) -> list[str]:
        """Neurons that lose current or send values, random input, and the integer grid."""
        wrong = lossy_choices(self.name, recipe)
        if recipe.neuron.graded:
            wrong.append(f"schedule = {self.name} needs plain spikes, without levels and signs")
        if not isinstance(recipe.encoding, ConstantCurrent):
            wrong.append(f"schedule = {self.name} needs constant-current input for the steps of a sequence")
        if recipe.weight_bits:
            wrong.append(f"schedule = {self.name} needs weight_bits = 0: each step of a sequence has a grid of its own")
        return wrong

    def unsupported(self, lowered: Graph) -> list[Unsupported]:
        """Gates, and a network without a layer that recurs."""
        if any(isinstance(n, ReLU) and of_a_step(n.name) for n in lowered.nodes.values()):
            return gates(lowered)
        return [Unsupported(lowered.name or "the network", "no layer that recurs from step to step"), *gates(lowered)]

    def corrected(
        self, network: SpikingNetwork, graph: Graph, x: Sequence[Array], duration: float, layers: str
    ) -> SpikingNetwork:
        """The network as it is."""
        return network

    def apply(self, network: SpikingNetwork, duration: float | None) -> SpikingNetwork:
        """The network with one population for all steps of a sequence, in windows of `duration` ms."""
        if duration is None:
            hint = "stb.convert(..., schedule='recurrent', duration=16)"
            raise ConversionError(f"schedule = {self.name} needs the number of steps of a window", hint=hint)
        if offenders := not_plain(network):
            raise UnsupportedError(f"schedule = {self.name}", offenders, hint=self.hint)
        return with_windows(folded(network), steps_of(duration, network.dt))

    def verify(self, network: SpikingNetwork, before: SpikingNetwork, x: Sequence[Array]) -> None:
        """In one sample each layer sends, for each step, what its quantised sum says."""
        assert network.schedule is not None
        assert network.schedule.steps is not None
        steps = network.schedule.steps
        size = sum(p.size for p in network.populations.values())
        if not x or not len(x[0]) or size * steps > MOST_VALUES:
            return
        layers, sample = folded(before), np.asarray(x[0][:1])
        with backend_named("INI").build(network) as run:
            result = run.run(sample, steps=steps, record=Record(spikes=True))
        when = timing(layers, network.schedule.window)
        counts = counts_by_step(layers, when, result)
        wrong = np.concatenate([(counts[n] != c).ravel() for n, c in quantized(layers, when, sample, counts).items()])
        if wrong.mean() > TIES:
            message = f"schedule = {self.name}: {wrong.sum()} of {wrong.size} counts differ from the quantised network"
            raise GraphError(message, hint="please report this, with the model")


def counts_by_step(layers: Folded, when: Timing, result: Result) -> dict[str, Array]:
    """The spikes (steps of the sequence, samples, neurons) of each layer, from the rasters of a run."""
    found = {}
    for name, depth in when.depths.items():
        raster = np.asarray(result.spikes[name]).reshape(result.steps, result.samples, -1)
        starts = [when.opens(depth, k) for k in range(layers.steps)]
        found[name] = np.stack([raster[s : s + when.window].sum(axis=0, dtype=np.int64) for s in starts])
    return found


def quantized(layers: Folded, when: Timing, x: Array, counts: dict[str, Array]) -> dict[str, Array]:
    """What each layer would send for each step by the formula, if what it reads sent `counts`."""
    rows = np.asarray(x, np.float64).reshape(len(x), layers.steps, -1)
    expected = {}
    for name, layer in layers.layers.items():
        neuron = layer.last.neuron
        assert isinstance(neuron, IF)
        start, height = (np.broadcast_to(v, layer.last.shape).ravel() for v in (neuron.initial, neuron.threshold))
        sent = []
        for k in range(layers.steps):
            total = start + when.window * (layer.first_bias if k == 0 else layer.bias)
            total = total + (0 if layer.row is None else when.window * (rows[:, k] @ layer.row.T.toarray()))
            for (source, lag), matrix in layer.links.items():
                if k >= lag:
                    total = total + counts[source][k - lag] @ matrix.T.toarray()
            sent.append(np.clip(np.floor(total / height), 0, when.window))
        expected[name] = np.stack([np.broadcast_to(s, (len(x), layer.last.size)) for s in sent])
    return expected
