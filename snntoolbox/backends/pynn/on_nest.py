"""PyNN on NEST: its exact neurons as native cells, pulses from spike sources."""

from __future__ import annotations

from typing import Any

import numpy as np

from snntoolbox.backends.nest.kernel import model, parameters, quiet_nest
from snntoolbox.backends.pynn.engine import Engine
from snntoolbox.ir.flat import Cells, Connection, FlatNetwork
from snntoolbox.ir.host import Timed
from snntoolbox.ir.node import Array


class NestEngine(Engine):
    """PyNN's reset of NEST leaves spikes on their way where they are, so every run has a network of its own.

    Sources of spikes act through a parrot, whose first spike cannot come before the least delay has passed.
    """

    offset = 2.0
    head_start = 0.0
    variable = "V_m"
    sampled = 0.0
    resets = False
    replicates = True

    def __init__(self, flat: FlatNetwork) -> None:
        self.nest = quiet_nest()
        import pyNN.nest

        super().__init__(flat, pyNN.nest)
        self.longest_delay = max((c.delay for c in flat.connections), default=1)

    def setup(self) -> None:
        """Steps of 1 ms and spikes on them."""
        delays = {"min_delay": 1.0, "max_delay": float(self.longest_delay)}
        self.sim.setup(timestep=1.0, spike_precision="on_grid", threads=1, **delays)

    def neurons(self, cells: Cells) -> Any:
        """A native cell with only the parameters that are set here: PyNN cannot pass all of the others on."""
        found = {k: v for k, v in parameters(cells.neuron).items() if k != "V_m"}
        kind = self.sim.native_cell_type(model(cells.neuron))
        kind.default_parameters, kind.default_initial_values = dict(found), {"V_m": 0.0}
        return kind(**{**found, "V_th": cells.threshold})

    def connector(self, connection: Connection) -> Any:
        """NEST's own array connect, with weights as they are."""
        from pyNN.connectors import Connector

        nest, delays = self.nest, np.full(len(connection.weight), connection.delay - self.head_start)

        class Synapses(Connector):  # type: ignore[misc]
            parameter_names = ()

            def connect(self, projection: Any) -> None:
                pre = projection.pre.first_id + connection.pre
                post = projection.post.first_id + connection.post
                nest.Connect(pre, post, "one_to_one", {"weight": connection.weight, "delay": delays})

        return Synapses()

    def drive(self, cells: Cells, current: Array, timed: Timed | None, steps: int) -> None:
        """A source that fires each step, with the current as weights, and one that fires with the first."""
        first = self.offset + cells.onset
        for weights, count in ((current, steps), (cells.neuron.leak * cells.initial, 1)):
            if weights.any():
                times = first + np.arange(count)
                source = self.population(1, self.sim.SpikeSourceArray(spike_times=times))
                every = np.arange(cells.size)
                pulses = Connection(
                    source="pulses",
                    target=cells.name,
                    pre=np.zeros_like(every),
                    post=every,
                    weight=weights,
                    delay=1,
                )
                self.connect(source, pulses)
