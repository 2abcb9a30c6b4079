"""A result's recordings as objects of Neo, which tools for electrophysiology and PyNN's users read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from snntoolbox.errors import DataError, SNNToolboxError
from snntoolbox.ir.finished import Finished
from snntoolbox.ir.node import Array

if TYPE_CHECKING:
    from neo import Block


def block_of(result: Finished) -> Block:
    """A block with a segment for each sample: a spike train per neuron, and potentials (in network units) per layer.

    A spike of step t is at its end, t times dt. Trains are annotated with their `layer` and their `neuron`.
    """
    try:
        import neo
    except ImportError as error:
        raise SNNToolboxError("Neo is not installed", hint="pip install 'snntoolbox[neo]'") from error
    if not result.spikes and not result.potentials:
        hint = "run with record=stb.Record(spikes=True)"
        raise DataError("neither spikes nor potentials were recorded", hint=hint)
    block = neo.Block(name="snntoolbox")
    for sample in range(result.samples):
        segment = neo.Segment(name=f"sample {sample}", index=sample)
        for layer, spikes in result.spikes.items():
            segment.spiketrains.extend(_trains(neo, layer, spikes[:, sample], result.dt))
        for layer, potentials in result.potentials.items():
            segment.analogsignals.append(_signal(neo, layer, potentials[:, sample], result.dt))
        block.segments.append(segment)
    return block


def _trains(neo: Any, layer: str, spikes: Array, dt: float) -> list[Any]:
    fired = spikes.reshape(len(spikes), -1) != 0
    return [
        neo.SpikeTrain((np.flatnonzero(train) + 1) * dt, units="ms", t_start=0.0, t_stop=len(fired) * dt,
                       name=f"{layer} {neuron}", layer=layer, neuron=neuron)
        for neuron, train in enumerate(fired.T)
    ]  # fmt: skip


def _signal(neo: Any, layer: str, potentials: Array, dt: float) -> Any:
    """The traces of all neurons of a layer; their values are after each step."""
    import quantities

    values = np.asarray(potentials, float).reshape(len(potentials), -1)
    period = dt * quantities.ms
    return neo.AnalogSignal(values, units="dimensionless", sampling_period=period, t_start=period, name=layer)
