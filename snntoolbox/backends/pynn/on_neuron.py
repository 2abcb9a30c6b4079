"""PyNN on NEURON: an artificial cell of our own with a clock, and one network for all samples."""

from __future__ import annotations

import gc
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from snntoolbox.backends.pynn.engine import Engine, first_steps
from snntoolbox.backends.pynn.mechanism import MECHANISM, compiled_mechanism, pynn_compiles
from snntoolbox.errors import BackendError
from snntoolbox.ir.flat import Cells, Connection, FlatNetwork
from snntoolbox.ir.host import HostInput, Timed
from snntoolbox.ir.node import Array
from snntoolbox.ir.part import Part
from snntoolbox.ir.parts import (
    BinarySpikes,
    ConstantThreshold,
    Delta,
    DigitWindow,
    FiringWindow,
    FirstSpikeWindow,
    Leak,
    Modulo,
    PerfectIntegrator,
    RefractoryPeriod,
    Subtract,
    ToPotential,
)
from snntoolbox.ir.synapses import Exponential
from snntoolbox.ir.uneven_digits import UnevenDigitWindow

FIELDS = (
    *("vth", "vreset", "start", "bias", "timed", "until", "leak", "refractory", "mode", "first"),
    *("opens", "closes", "digits", "turns", "lead", "excites", "inhibits"),
)
MOST_WINDOWS = 1024
"""Of several lengths: as many as the mechanism has room for."""
USUAL = {"closes": 1e12, "digits": 1.0, "lead": 1.0}
"""What is not 0 unless it is set: no window, and steps that all count once, as numbers of one digit."""
PARTS: Mapping[type[Part], Callable[[Any], dict[str, float]]] = {
    Delta: lambda part: {},
    Exponential: lambda part: {"excites": part.excitatory, "inhibits": part.inhibitory},
    PerfectIntegrator: lambda part: {"leak": 1.0},
    Leak: lambda part: {"leak": part.factor},
    ConstantThreshold: lambda part: {},
    BinarySpikes: lambda part: {},
    Subtract: lambda part: {"mode": 0.0},
    ToPotential: lambda part: {"mode": 1.0, "vreset": part.potential},
    Modulo: lambda part: {"mode": 2.0},
    RefractoryPeriod: lambda part: {"refractory": float(part.steps)},
    FiringWindow: lambda part: {"opens": float(part.first), "closes": float(part.last)},
    DigitWindow: lambda part: {"opens": float(part.first), "closes": float(part.last), "digits": float(part.steps)},
    UnevenDigitWindow: lambda part: {
        **{"opens": float(part.first), "closes": float(part.last)},
        "turns": float(len(part.ends)),
    },
    FirstSpikeWindow: lambda part: {"opens": float(part.first), "closes": float(part.last), "lead": float(part.steps)},
}
"""The parameters of the mechanism that stand for each part; thresholds are set cell by cell."""


class NeuronEngine(Engine):
    """Cells tick at half past each ms and spikes arrive at the full ms, so all of a step's input is there in time."""

    offset = 0.5
    head_start = 0.5
    variable = "m"
    sampled = 0.5
    resets = True
    replicates = False

    def __init__(self, flat: FlatNetwork) -> None:
        import neuron

        with pynn_compiles():
            import pyNN.neuron
        if not hasattr(neuron.h, MECHANISM):
            pyNN.neuron.simulator.load_mechanisms(str(compiled_mechanism(neuron.__version__)))
        super().__init__(flat, pyNN.neuron)
        self.cell_type = _cell_type(neuron)

    def setup(self) -> None:
        """Steps of which a half ms is a multiple."""
        self.sim.setup(timestep=0.25, min_delay=0.25)

    def close(self) -> None:
        """PyNN keeps every projection ever made, and with it the cells, which would go on ticking."""
        super().close()
        getattr(self.sim.projections, "_projections", []).clear()
        self.sim.simulator.state.clear()
        self.sim.simulator.initializer.clear()
        gc.collect()

    def neurons(self, cells: Cells) -> Any:
        """The cells with everything but the current of a sample."""
        of_parts = {name: value for part in cells.neuron.parts for name, value in PARTS[type(part)](part).items()}
        first = self.offset + 1 + cells.onset
        return self.cell_type(vth=cells.threshold, start=cells.initial, first=first, **of_parts)

    def connector(self, connection: Connection) -> Any:
        """NEURON's own synapses: PyNN would make an object with four attributes around each."""
        import neuron
        from pyNN.connectors import Connector

        delay, synapse = connection.delay - self.head_start, neuron.h.NetCon

        class Synapses(Connector):  # type: ignore[misc]
            parameter_names = ()

            def connect(self, projection: Any) -> None:
                sources = [cell._cell.source for cell in projection.pre.all_cells]
                targets = [cell._cell.source for cell in projection.post.all_cells]
                pairs = zip(connection.pre.tolist(), connection.post.tolist(), connection.weight.tolist(), strict=True)
                # They live as long as the projection.
                projection.synapses = [synapse(sources[i], targets[j], 0.0, delay, w) for i, j, w in pairs]
                for made in projection.synapses if connection.inhibitory else ():
                    made.weight[1] = 1.0

        return Synapses()

    def drive(self, cells: Cells, current: Array, timed: Timed | None, steps: int) -> None:
        """The current is a bias; what a population does after its last step is not looked at."""
        self.populations[cells.name].set(bias=current, **first_steps(timed))

    def run(self, host: HostInput, first: int, watched: Iterable[str]) -> tuple[dict[str, Array], dict[str, Array]]:
        """The same once all cells have the ends of windows: the mechanism holds those of one network."""
        for cells in self.flat.cells.values():
            for part in cells.neuron.parts:
                if isinstance(part, UnevenDigitWindow):
                    _tell(part.ends)
        return super().run(host, first, watched)

    def restart(self) -> None:
        """NEURON's own way: PyNN would first file everything that was recorded, a Python object per neuron."""
        self.sim.simulator.state.reset()

    def fired(self, population: Any) -> tuple[Array, Array]:
        """From the cells themselves: PyNN would make an object with units for each. NEURON empties them at a reset."""
        trains = [cell._cell.spike_times.as_numpy().copy() for cell in population.all_cells]
        return np.concatenate(trains), np.repeat(np.arange(len(trains)), [len(t) for t in trains])


def _tell(ends: Sequence[int]) -> None:
    """Tell the mechanism where windows end; BackendError where it has no room for so many."""
    import neuron

    if len(ends) > MOST_WINDOWS:
        told = f"NEURON's cells know {MOST_WINDOWS} windows of several lengths, the network has {len(ends)}"
        raise BackendError(told, hint="[conversion] bits = {} makes windows of one length")
    place = getattr(neuron.h, f"ends_{MECHANISM}")
    for k, end in enumerate(ends):
        place[k] = float(end)


def _cell_type(neuron: Any) -> Any:
    """PyNN's description of the mechanism."""
    from pyNN.neuron.cells import NativeCellType

    section = neuron.h.Section(name="snntoolbox")

    class Cell:
        """One neuron, with the attributes that PyNN asks a cell for."""

        def __init__(self, **parameters: float) -> None:
            self.source = self.default = getattr(neuron.h, MECHANISM)()
            self.source_section = section
            self.parameter_names = FIELDS
            self.traces: defaultdict[Any, list[Any]] = defaultdict(list)
            self.spike_times = neuron.h.Vector(0)
            self.rec = neuron.h.NetCon(self.source, None)
            self.recording_time = False
            self.initial_values: dict[str, float] = {}
            for name, value in parameters.items():
                setattr(self.source, name, value)

        def __setattr__(self, name: str, value: Any) -> None:
            if name in FIELDS:
                setattr(self.source, name, value)
            else:
                super().__setattr__(name, value)

        def __getattr__(self, name: str) -> Any:
            if name in FIELDS:
                return getattr(self.source, name)
            raise AttributeError(name)

    class CellType(NativeCellType):  # type: ignore[misc]
        default_parameters: ClassVar = {**dict.fromkeys(FIELDS, 0.0), **USUAL}
        default_initial_values: ClassVar[dict[str, float]] = {}
        recordable = ("spikes", "m")
        units: ClassVar = {"m": "dimensionless", "spikes": "ms"}
        receptor_types = ("default", "inhibition")
        injectable = False
        conductance_based = False
        model = Cell

    return CellType
