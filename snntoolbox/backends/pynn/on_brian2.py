"""PyNN on Brian2: a cell without units and with an order of work of its own, synapses connected as arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np

from snntoolbox.backends.pynn.engine import Engine, first_steps
from snntoolbox.ir.flat import Cells, Connection, FlatNetwork
from snntoolbox.ir.host import Timed
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

PARAMETERS = (
    *("vth", "initial", "bias", "timed", "until", "leak", "vreset", "pause", "first", "opens", "closes"),
    *("digits", "lead", "excites", "inhibits"),
)
USUAL = {"closes": np.inf, "digits": 1.0, "lead": 1.0}
"""What is not 0 unless it is set: no window, and steps that all count once, as numbers of one digit."""
STATE = ("v", "g", "h", "excited", "inhibited", "waiting", "awake", "own", "counts")
VARIABLES = "\n".join(f"{name} : 1" for name in (*STATE, *PARAMETERS))
TICK = """
awake = int(waiting <= 0)
waiting = clip(waiting - 1, 0, inf)
own = t_in_timesteps - first
counts = 2.0 ** (digits - 1 - own % digits) * (lead - own % lead)
excited = excites * excited + (1 - excites) * g
inhibited = inhibits * inhibited + (1 - inhibits) * h
arrived = excited + inhibited
v = leak * v + awake * counts * (arrived + int(own >= 0) * (bias + int(own < until) * timed)) + int(own == 0) * initial
g = 0
h = 0
"""
THRESHOLD = "v >= vth * counts and awake > 0 and own >= opens and own < closes"
PARTS: Mapping[type[Part], Callable[[Any], dict[str, Any]]] = {
    Delta: lambda part: {},
    Exponential: lambda part: {"excites": part.excitatory, "inhibits": part.inhibitory},
    PerfectIntegrator: lambda part: {"leak": 1.0},
    Leak: lambda part: {"leak": part.factor},
    ConstantThreshold: lambda part: {},
    BinarySpikes: lambda part: {},
    Subtract: lambda part: {"reset": "v -= vth * counts"},
    ToPotential: lambda part: {"reset": "v = vreset", "vreset": part.potential},
    Modulo: lambda part: {"reset": "v -= vth * floor(v / vth)"},
    RefractoryPeriod: lambda part: {"pause": float(part.steps)},
    FiringWindow: lambda part: {"opens": float(part.first), "closes": float(part.last)},
    DigitWindow: lambda part: {"opens": float(part.first), "closes": float(part.last), "digits": float(part.steps)},
    FirstSpikeWindow: lambda part: {"opens": float(part.first), "closes": float(part.last), "lead": float(part.steps)},
}
"""The parameters that stand for each part, and as 'reset' the code of a reset; thresholds are set cell by cell."""


class Brian2Engine(Engine):
    """Spikes add to `g`, those that inhibit apart to `h`, which the next step takes.

    So a reset, last in Brian2's step, cannot erase them.
    """

    offset = 0.0
    head_start = 1.0
    variable = "v"
    sampled = 1.0
    resets = True

    def __init__(self, flat: FlatNetwork) -> None:
        import brian2
        import pyNN.brian2

        # Generated C++ may reorder sums; and it takes longer to compile than small networks take to run.
        brian2.prefs.codegen.target = "numpy"
        super().__init__(flat, pyNN.brian2)
        self.brian2, self.pynn = brian2, _pynn_types(brian2)

    def setup(self) -> None:
        """Steps of 1 ms."""
        self.sim.setup(timestep=1.0, min_delay=1.0)
        # PyNN leaves its spike sources on Brian2's default clock.
        self.brian2.defaultclock.dt = 1 * self.brian2.ms

    def neurons(self, cells: Cells) -> Any:
        """The cells with everything but the current of a sample."""
        of_parts = {name: value for part in cells.neuron.parts for name, value in PARTS[type(part)](part).items()}
        reset, initial = of_parts.pop("reset"), of_parts["leak"] * cells.initial
        first = self.offset + 1 + cells.onset
        cell_type = self.pynn.cell_type(f"{reset}; waiting = pause")
        return cell_type(vth=cells.threshold, initial=initial, first=first, **of_parts)

    def synapse_type(self) -> Any:
        """Synapses whose weights have no unit."""
        return self.pynn.synapse(weight=0.0, delay=1.0)

    def connector(self, connection: Connection) -> Any:
        """Brian2's own array connect: PyNN would set weights one by one."""
        delay = connection.delay - self.head_start
        return self.pynn.connector(connection, delay)

    def drive(self, cells: Cells, current: Array, timed: Timed | None, steps: int) -> None:
        """The current is a bias; what a population does after its last step is not looked at."""
        self.populations[cells.name].set(bias=current, **first_steps(timed))


def _pynn_types(brian2: Any) -> SimpleNamespace:
    """PyNN's cell type for a reset, synapse type and connector, made once Brian2 is there."""
    group = _group(brian2)
    synapse, connector = _synapse(), _connector(brian2)
    return SimpleNamespace(cell_type=lambda reset: _cell_type(group, reset), synapse=synapse, connector=connector)


def _group(brian2: Any) -> Any:
    from pyNN.brian2 import simulator

    class Group(brian2.NeuronGroup):  # type: ignore[misc]
        """What PyNN makes of a population; it hands on the cell type's `eqs`, here the reset, and the parameters."""

        def __init__(self, size: int, reset: str, **parameters: Array) -> None:
            clock = simulator.state.network.clock
            super().__init__(size, VARIABLES, threshold=THRESHOLD, reset=reset, clock=clock)
            self.add_attribute("initial_values")
            self.initial_values: dict[str, Array] = {}
            for name, values in parameters.items():
                setattr(self, name, values)
            self.run_regularly(TICK, when="groups", clock=clock)

        def initialize(self) -> None:
            for name, values in self.initial_values.items():
                setattr(self, name, values)

    return Group


def _cell_type(group: Any, reset: str) -> Any:
    from pyNN.models import BaseCellType

    class CellType(BaseCellType):  # type: ignore[misc]
        default_parameters: ClassVar = {**dict.fromkeys(PARAMETERS, 0.0), **USUAL}
        default_initial_values: ClassVar = {"v": 0.0}
        recordable = ("spikes", "v")
        units: ClassVar = {"v": "dimensionless", "spikes": "ms"}
        receptor_types = ("input", "inhibition")
        post_synaptic_variables: ClassVar = {"input": "g", "inhibition": "h"}
        state_variable_translations: ClassVar = {
            "v": {"translated_name": "v", "forward_transform": lambda v: v, "reverse_transform": lambda v: v}
        }
        conductance_based = False
        injectable = False
        brian2_model = group
        eqs = reset

    return CellType


def _synapse() -> Any:
    from pyNN.brian2.standardmodels.synapses import StaticSynapse

    class Synapse(StaticSynapse):  # type: ignore[misc]
        eqs = "weight : 1"

        def _set_target_type(self, weight_units: Any) -> None:
            """No unit, no factor."""

    return Synapse


def _connector(brian2: Any) -> Any:
    from pyNN.connectors import Connector

    class Synapses(Connector):  # type: ignore[misc]
        parameter_names = ()

        def __init__(self, connection: Connection, delay: float) -> None:
            super().__init__()
            self.connection, self.delay = connection, delay

        def connect(self, projection: Any) -> None:
            made = projection._brian2_synapses[0][0]
            made.connect(i=self.connection.pre, j=self.connection.post)
            made.weight = self.connection.weight
            made.delay = np.full(len(self.connection.weight), self.delay) * brian2.ms

    return Synapses
