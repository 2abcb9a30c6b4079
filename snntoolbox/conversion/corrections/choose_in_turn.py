"""The choice of corrections for layers that fire in turn, whose outcome one pass without time tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from snntoolbox.conversion.corrections.choose import HELD, Choose, output_errors
from snntoolbox.conversion.schedules.schedule import Schedule
from snntoolbox.engine.executor import Executor
from snntoolbox.engine.quantized import QuantizedRun
from snntoolbox.ir.encodings import ConstantCurrent
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.head import Head
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.nodes import ReLU

BATCH = 50


@dataclass(frozen=True, kw_only=True)
class ChooseInTurn(Choose):
    """The pass for a `schedule` whose networks equal their quantised ones (`Schedule.in_turn`).

    A trial is one pass, so every candidate is tried on as many samples as there are.
    """

    schedule: Schedule

    def errors(self, outputs: Array, targets: Array, head: Head) -> Array:
        """Finer, and whatever the scale of all outputs: what is cut off makes them smaller, and changes no class."""
        return output_errors(outputs, targets, head, parts=4, any_scale=True)

    def shares(self, samples: int, candidates: int, sample_steps: int) -> tuple[int, int, int]:
        """All candidates; a third of the samples judges, at most `HELD`."""
        held = min(HELD, samples // 3)
        return candidates, min(self.samples, samples - held), held

    def open(self, network: SpikingNetwork, graph: Graph) -> bool:
        """Whether there is a layer whose start potential can be chosen: see `CorrectPhased`."""
        constant = all(isinstance(e, ConstantCurrent) for e in network.encodings.values())
        free = any(isinstance(n, ReLU) and n.levels is None for n in graph.nodes.values())
        return network.grid is None and constant and free

    def outcome(
        self,
        network: SpikingNetwork,
        layers: str,
        graph: Graph,
        x: Sequence[Array],
        held: int,
        activations: dict[str, Array],
    ) -> tuple[SpikingNetwork | None, list[tuple[Array, Array]]]:
        """No network, as the schedule is to come; what it and the original say on the last `held` samples."""
        duration = self.steps * network.dt
        first, last = [a[:-held] for a in x], [a[-held:] for a in x]
        if layers != "none":
            network = self.schedule.corrected(network, graph, first, duration, layers)
        run = QuantizedRun(self.schedule.apply(network, duration), single=True)
        said = _in_batches(run, last)
        wanted = original_outputs(graph, last)
        if self.readouts:
            errors = [w - s for w, s in zip(original_outputs(graph, first), _in_batches(run, first), strict=True)]
            said = [s + e.mean(axis=0) for s, e in zip(said, errors, strict=True)]
        return None, list(zip(said, wanted, strict=True))


def _in_batches(run: QuantizedRun, x: Sequence[Array]) -> list[Array]:
    parts = [run.outputs([a[i : i + BATCH] for a in x]) for i in range(0, len(x[0]), BATCH)]
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


def original_outputs(graph: Graph, x: Sequence[Array]) -> list[Array]:
    """The outputs of a graph, (samples, *shape) each."""
    parts = list(Executor(graph).batches(*x, keep=dict.fromkeys(graph.outputs), batch_size=BATCH))
    return [np.concatenate([part[name] for part in parts]) for name in dict.fromkeys(graph.outputs)]
