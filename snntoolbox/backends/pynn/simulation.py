"""How PyNN runs a network: some samples at a time on the simulator below it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from types import TracebackType
from typing import Self

import numpy as np

from snntoolbox.backends.pynn.engine import Engine
from snntoolbox.errors import BackendError
from snntoolbox.ir.flat import flattened
from snntoolbox.ir.host import HostInput, assembled, checked_batch
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.result import Record, Result

ENGINES = {
    "nest": "snntoolbox.backends.pynn.on_nest:NestEngine",
    "neuron": "snntoolbox.backends.pynn.on_neuron:NeuronEngine",
    "brian2": "snntoolbox.backends.pynn.on_brian2:Brian2Engine",
}


class Simulation:
    """A network in PyNN; the simulator below is named in `below`."""

    def __init__(self, network: SpikingNetwork, *, below: str) -> None:
        self.network = network
        module, _, name = ENGINES[below].partition(":")
        self.engine: Engine | None = getattr(import_module(module), name)(flattened(network))

    def run(
        self,
        *x: Array,
        steps: int,
        record: Record | None = None,
        first_sample: int = 0,
        progress: Callable[[int], None] | None = None,
    ) -> Result:
        """Run the samples of a batch; `progress` gets the steps done, as a share of the batch."""
        if self.engine is None:
            raise BackendError("the simulation is closed", hint="build the network again")
        record = record or Record()
        x = checked_batch(self.network, x, steps)
        host, engine = HostInput(self.network, x, steps, first_sample), self.engine
        cells = engine.flat.cells
        kinds = {n: float if c.neuron.graded else bool for n, c in cells.items()}
        spikes = {n: np.zeros((steps, host.samples, *c.shape), kinds[n]) for n, c in cells.items()}
        potentials = {n: np.zeros(spikes[n].shape) for n in cells if record.wants_potentials(n)}
        engine.makes_room(host.samples)
        for first in range(0, host.samples, engine.copies):
            last = min(first + engine.copies, host.samples)
            for kept, found in zip((spikes, potentials), engine.run(host, first, potentials), strict=True):
                for name, values in found.items():
                    kept[name][:, first:last] = values.reshape(steps, -1, *cells[name].shape)[:, : last - first]
            if progress is not None:
                progress(steps * last // host.samples)
        return assembled(self.network, host, spikes, potentials, record)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.engine is not None:
            self.engine.close()
        self.engine = None
