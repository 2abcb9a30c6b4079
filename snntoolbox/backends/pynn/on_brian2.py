"""PyNN on Brian2: a cell without units and with an order of work of its own, synapses connected as arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np

from snntoolbox.backends.brian2.adapting import Adapting
from snntoolbox.backends.brian2.parts import digits_counted, shifted, values_fired
from snntoolbox.backends.pynn.engine import Engine, first_steps
from snntoolbox.ir.adaptive import RateThreshold, SubtractSent, ThresholdSpikes
from snntoolbox.ir.clamping import Clamped
from snntoolbox.ir.flat import Cells, Connection, FlatNetwork, spread
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
    GradedSpikes,
    Leak,
    Modulo,
    PerfectIntegrator,
    RefractoryPeriod,
    Subtract,
    ToPotential,
)
from snntoolbox.ir.payloads import ResidueSpikes
from snntoolbox.ir.synapses import Exponential
from snntoolbox.ir.uneven_digits import UnevenDigitWindow

PARAMETERS = (
    *("vth", "initial", "bias", "timed", "until", "leak", "vreset", "pause", "first", "opens", "closes"),
    *("digits", "lead", "excites", "inhibits", "clamped", "restart"),
)
USUAL = {"closes": np.inf, "digits": 1.0, "lead": 1.0}
"""What is not 0 unless it is set: no window, and steps that all count once, as numbers of one digit."""
STATE = ("v", "g", "h", "excited", "inhibited", "waiting", "awake", "own", "counts", "fired", "sent")
VARIABLES = "\n".join(f"{name} : 1" for name in (*STATE, *PARAMETERS))
TICK = """
awake = int(waiting <= 0)
waiting = clip(waiting - 1, 0, inf)
own = t_in_timesteps - first
counts = {counts}
excited = excites * excited + (1 - excites) * g
inhibited = inhibits * inhibited + (1 - inhibits) * h
arrived = excited + inhibited
v = leak * v + awake * counts * (arrived + int(own >= 0) * (bias + int(own < until) * timed)) + int(own == 0) * initial
v = int(own >= clamped) * v + int(own < clamped) * restart
g = 0
h = 0
"""
COUNTS = "2.0 ** (digits - 1 - own % digits) * (lead - own % lead)"
OPEN = "awake > 0 and own >= opens and own < closes"
THRESHOLD = f"v >= vth * counts and {OPEN}"


def _graded(part: GradedSpikes | ResidueSpikes) -> dict[str, str]:
    return {"fires": values_fired(part, "vth * counts") + f"fired = fired * int({OPEN})"}


PARTS: Mapping[type[Part], Callable[[Any], dict[str, Any]]] = {
    Delta: lambda part: {},
    Exponential: lambda part: {"excites": part.excitatory, "inhibits": part.inhibitory},
    PerfectIntegrator: lambda part: {"leak": 1.0},
    Leak: lambda part: {"leak": part.factor},
    ConstantThreshold: lambda part: {},
    BinarySpikes: lambda part: {},
    GradedSpikes: lambda part: _graded(part),
    ResidueSpikes: lambda part: _graded(part),
    Subtract: lambda part: {"reset": "v -= vth * counts * fired"},
    ToPotential: lambda part: {"reset": "v = vreset", "vreset": part.potential},
    Modulo: lambda part: {"reset": "v -= vth * floor(v / vth)"},
    RefractoryPeriod: lambda part: {"pause": float(part.steps)},
    FiringWindow: lambda part: {"opens": float(part.first), "closes": float(part.last)},
    DigitWindow: lambda part: {"opens": float(part.first), "closes": float(part.last), "digits": float(part.steps)},
    UnevenDigitWindow: lambda part: {
        **{"opens": float(part.first), "closes": float(part.last)},
        "counts": digits_counted(part),
    },
    Clamped: lambda part: {"opens": float(part.steps), "clamped": float(part.steps), "restart": part.potential},
    FirstSpikeWindow: lambda part: {"opens": float(part.first), "closes": float(part.last), "lead": float(part.steps)},
    RateThreshold: lambda part: {"adapts": part},
    ThresholdSpikes: lambda part: {"fires": f"fired = int({THRESHOLD.replace(OPEN, f'({OPEN})')}) * vth"},
    SubtractSent: lambda part: {"reset": "v -= fired"},
}
"""The parameters that stand for each part; thresholds are set cell by cell.

As 'reset' the code of a reset, as 'fires' that of the value of a spike, where spikes have some, as 'counts' how often a
step counts where parameters do not say it, and as 'adapts' what thresholds follow.
"""


@dataclass(frozen=True)
class Code:
    """The code of cells: of a reset, and of the value of a spike (empty where it is 1), kept for so many steps more.

    counts: how often a step counts. adapts: what their thresholds follow, in each of the samples that stand side by
    side.
    """

    reset: str
    fires: str = ""
    counts: str = COUNTS
    kept: int = 0
    adapts: RateThreshold | None = None
    samples: int = 1

    @property
    def earlier(self) -> tuple[str, ...]:
        """The values of the steps before, the last one first."""
        return tuple(f"fired{k}" for k in range(1, self.kept + 1))


class Brian2Engine(Engine):
    """Spikes add to `g`, those that inhibit apart to `h`, which the next step takes.

    So a reset, last in Brian2's step, cannot erase them.
    """

    offset = 0.0
    head_start = 1.0
    variable = "v"
    carried = "fired"
    sampled = 1.0
    resets = True
    replicates = True

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
        fires, adapts = of_parts.pop("fires", ""), of_parts.pop("adapts", None)
        of_parts["restart"] = np.tile(spread(of_parts.get("restart", 0.0), cells.shape), self.copies)
        delays = [c.delay for c in self.flat.connections if fires and c.source == cells.name]
        resets, kept = f"sent += fired * counts; {reset}; waiting = pause", max(delays, default=1) - 1
        code = Code(resets, fires, of_parts.pop("counts", COUNTS), kept, adapts, self.copies)
        cell_type = self.pynn.cell_type(code)
        return cell_type(vth=cells.threshold, initial=initial, first=first, **of_parts)

    def restart(self) -> None:
        """Go back to the start of time, with the thresholds of then."""
        super().restart()
        for name in self.flat.cells:
            if (adapting := self.populations[name].brian2_group.adapting) is not None:
                adapting.restart()

    def synapse_type(self, connection: Connection) -> Any:
        """Synapses whose weights have no unit, times the value of a spike when it was fired."""
        made, cells = self.pynn.synapse(weight=0.0, delay=1.0), self.flat.cells.get(connection.source)
        if cells is not None and cells.neuron.graded:
            made.pre = f"{made.pre} * fired{connection.delay - 1 or ''}_pre"
        return made

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
    return SimpleNamespace(cell_type=lambda code: _cell_type(group, code), synapse=synapse, connector=connector)


def _group(brian2: Any) -> Any:
    from pyNN.brian2 import simulator

    class Group(brian2.NeuronGroup):  # type: ignore[misc]
        """What PyNN makes of a population; it hands on the cell type's `eqs`, here its code, and the parameters."""

        def __init__(self, size: int, code: Code, **parameters: Array) -> None:
            clock = simulator.state.network.clock
            variables = "\n".join([VARIABLES, *(f"{name} : 1" for name in code.earlier)])
            fires = "fired != 0" if code.fires else THRESHOLD
            super().__init__(size, variables, threshold=fires, reset=code.reset, clock=clock)
            self.fired = 0 if code.fires else 1
            self.add_attribute("initial_values")
            self.initial_values: dict[str, Array] = {}
            for name, values in parameters.items():
                setattr(self, name, values)
            step = shifted(code.earlier) + TICK.format(counts=code.counts) + code.fires
            self.run_regularly(step, when="groups", clock=clock)
            self.add_attribute("adapting")
            self.adapting: Adapting | None = None
            if code.adapts is not None:
                self.adapting = Adapting(code.adapts, self, code.samples, round(float(self.first[0])), "vth")
                simulator.state.network.add(brian2.NetworkOperation(self.adapting, clock=clock, when="end"))

        def initialize(self) -> None:
            for name, values in self.initial_values.items():
                setattr(self, name, values)

    return Group


def _as_it_is(**value: Any) -> Any:
    """The one value that PyNN gives by its name."""
    return next(iter(value.values()))


def _cell_type(group: Any, code: Code) -> Any:
    from pyNN.models import BaseCellType

    class CellType(BaseCellType):  # type: ignore[misc]
        default_parameters: ClassVar = {**dict.fromkeys(PARAMETERS, 0.0), **USUAL}
        default_initial_values: ClassVar = {"v": 0.0, "fired": 0.0 if code.fires else 1.0}
        recordable = ("spikes", "v", "fired")
        units: ClassVar = {"v": "dimensionless", "fired": "dimensionless", "spikes": "ms"}
        receptor_types = ("input", "inhibition")
        post_synaptic_variables: ClassVar = {"input": "g", "inhibition": "h"}
        state_variable_translations: ClassVar = {
            name: {"translated_name": name, "forward_transform": _as_it_is, "reverse_transform": _as_it_is}
            for name in ("v", "fired")
        }
        conductance_based = False
        injectable = False
        brian2_model = group
        eqs = code

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
