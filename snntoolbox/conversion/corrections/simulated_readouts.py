"""Read-outs fitted to what the built-in simulator gives, where no layer needs to be changed on the way."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from snntoolbox.backends.checking import announce, build_network
from snntoolbox.backends.registry import backend_named
from snntoolbox.conversion.corrections.correct import timed
from snntoolbox.conversion.corrections.correct_readouts import at_end, fitted
from snntoolbox.conversion.spiking.quantize import bounded_anew
from snntoolbox.engine.executor import Executor
from snntoolbox.engine.tensors import device_named
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.progress import counted
from snntoolbox.ir.readout import Readout
from snntoolbox.ir.result import Record

log = logging.getLogger(__name__)

BATCH = 50

ENOUGH = 8
"""Samples that tell how far a read-out is off."""

FAR = (
    "the output '%s' is off by %.3g times what samples differ by, more than a constant would be: longer windows or "
    "other settings may help; snntoolbox diagnose, or stb.diagnose, says which layers lose it"
)


def with_read_outs_fitted(
    network: SpikingNetwork, graph: Graph, x: Sequence[Array], steps: int, device: str
) -> SpikingNetwork:
    """The network with each read-out fitted to a run of `steps` steps, see `correct_readouts.fitted`.

    `graph` is the analogue network and `x` samples for each of its inputs. It is what `Correct` does without layers,
    by the fast paths of the simulator.
    """
    count = len(x[0])
    if timed(network) or not count:
        return network
    whole = network.schedule is not None  # then the value after the last step is all that counts
    plain = network if whole else network.replaced(readouts=[replace(r, start=0) for r in network.readouts])
    values: dict[str, list[Array]] = {r.name: [] for r in network.readouts}
    # Not by `simulate`: it refuses what Poisson input cannot present, and here that is cut off, as by `Correct`.
    with build_network(backend_named("INI"), plain, {"device": device}, force=True) as executable:
        announce(executable, count)
        for first in counted("Fitting read-outs", range(0, count, BATCH)):
            part = [a[first : first + BATCH] for a in x]
            result = executable.run(*part, steps=steps, record=Record(outputs_per_step=not whole), first_sample=first)
            for name, output in result.outputs.items():
                values[name].append(output[None] if whole else result.outputs_per_step[name])
    names = dict.fromkeys(graph.outputs)
    parts = list(Executor(graph, device=device_named(device)).batches(*x, keep=names, batch_size=BATCH))
    targets = [np.concatenate([part[name] for part in parts]) for name in names]
    grid, readouts = network.grid is not None, list[Readout]()
    for readout, target in zip(network.readouts, targets, strict=True):
        said = np.concatenate(values[readout.name], axis=1)
        readouts.append(fitted(readout, said, target, grid=grid, whole=whole))
        _tell_far(readout.name, at_end(readouts[-1], readout, said, whole=whole), target)
    return bounded_anew(network.replaced(readouts=readouts))


def _tell_far(name: str, said: Array, target: Array) -> None:
    """Warn of a read-out that says less than a constant would."""
    error, spread = (float(np.sqrt(np.mean(np.square(a)))) for a in (said - target, target - target.mean(0)))
    if len(target) >= ENOUGH and spread > 0 and error > spread:
        log.warning(FAR, name, error / spread)
