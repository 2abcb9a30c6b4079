"""How Brian2 runs a network: one group of neurons per population, on an explicit order of work within each step."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, Self

import brian2 as b2
import numpy as np

from snntoolbox.backends.brian2.adapting import Adapting
from snntoolbox.backends.brian2.gates import Gates
from snntoolbox.backends.brian2.parts import Code, code_of, shifted
from snntoolbox.backends.brian2.summing import Summing
from snntoolbox.backends.brian2.tabulating import Tabulating
from snntoolbox.errors import BackendError
from snntoolbox.ir.flat import Cells, Connection, FlatNetwork, flattened, spread
from snntoolbox.ir.flat_gates import GateCells
from snntoolbox.ir.host import HostInput, assembled, checked_batch, raster
from snntoolbox.ir.latching import Latched
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.progress import counted
from snntoolbox.ir.result import Record, Result, joined

log = logging.getLogger(__name__)

SCHEDULE = ["start", "synapses", "groups", "thresholds", "resets", "end"]
"""Brian2's own order has the synapses behind the thresholds: a reset to zero would erase a step's input."""

STEP = 1 * b2.ms
"""Brian2's step. A step is all that counts: delays, onsets and refractory periods are whole numbers of them."""

ALWAYS = ("v : 1", "current : 1", "theta : 1", "drive : 1 (constant)")
WHERE_USED = (
    *("inhibition : 1", "excited : 1", "inhibited : 1", "latching : 1", "latched : 1", "waiting : integer"),
    *("weight : 1", "fired : 1", "sent : 1", "restart : 1 (constant)", "own : integer"),
)
"""Brian2 looks through all variables of a group whenever it makes code, so each has those alone that it needs."""

AWAKE_FROM = "t_in_timesteps >= {onset}"
INTEGRATE = """
v = {decayed} + {awake}weight * ({current})
current = 0
"""
INTEGRATE_LATER = """
active = int(t_in_timesteps >= {onset})
v = (1 - active) * v + active * ({decayed} + {awake}weight * ({current}))
current = 0
"""
WEIGH = "own = t_in_timesteps - {onset}\nweight = {weight}\n"
ANEW = """
since = t_in_timesteps - {start}
anew = int(since > 0 and since % {period} == 0)
v = (1 - anew) * v + anew * restart
"""
HELD = """
held = int(t_in_timesteps >= {onset} and t_in_timesteps < {last})
v = (1 - held) * v + held * restart
"""
RECURS = "t_in_timesteps >= {first} and (t_in_timesteps - {first}) % {period} < {steps}"
BETWEEN = "t_in_timesteps >= {first} and t_in_timesteps < {last}"


class Simulation:
    """A network in Brian2; the samples of a batch are copies of it side by side, as many as there is room for."""

    def __init__(self, network: SpikingNetwork, *, codegen: str = "numpy", synapses: int = 4_000_000) -> None:
        self.network, self.codegen = network, codegen
        self.flat = flattened(network, with_gates=True)
        self.together = max(1, synapses // max(1, self.flat.synapses))
        log.info("%d neurons, %d synapses per sample", self.flat.neurons, self.flat.synapses)

    def run(
        self,
        *x: Array,
        steps: int,
        record: Record | None = None,
        first_sample: int = 0,
        progress: Callable[[int], None] | None = None,
    ) -> Result:
        """Run one batch; every sample begins at the initial potentials."""
        record, x = record or Record(), checked_batch(self.network, x, steps)
        samples, results = len(x[0]), []
        parts = max(1, -(-samples // self.together))
        together = max(1, -(-samples // parts))  # parts of one size, not a small one at last
        for first in range(0, max(samples, 1), together):
            part = tuple(a[first : first + together] for a in x)
            host = HostInput(self.network, part, steps, first_sample + first)

            def report(done: float, first: int = first, count: int = len(part[0])) -> None:
                if progress is not None:
                    progress(int(steps * (first + done * count) / max(samples, 1)))

            results.append(self._side_by_side(host, record, report))
        return joined(results)

    def _side_by_side(self, host: HostInput, record: Record, report: Callable[[float], None]) -> Result:
        if not host.samples:
            every: dict[str, Cells | GateCells] = {**self.flat.cells, **self.flat.gates}
            kinds = {n: float if _graded(c) else bool for n, c in every.items()}
            spikes = {n: np.zeros((host.steps, 0, *c.shape), kinds[n]) for n, c in every.items()}
            potentials = {n: np.zeros(s.shape) for n, s in spikes.items()}
            return assembled(self.network, host, spikes, potentials, record)
        # Connecting by arrays is fast in numpy, and one piece of code less to compile.
        b2.prefs.codegen.target = "numpy"
        network = _Network(self.flat.replicated(host.samples), host, record)
        b2.prefs.codegen.target = self.codegen
        network.run(report)
        return assembled(self.network, host, network.spikes(), network.potentials(), record)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held between runs."""


class _Network:
    """Brian2's objects for one batch."""

    def __init__(self, flat: FlatNetwork, host: HostInput, record: Record) -> None:
        self.flat, self.host = flat, host
        self.clock = b2.Clock(dt=STEP, name="clock_of_steps")
        # Names stand in the compiled code: the same ones each time, so that nothing is compiled twice.
        self.numbers = {name: i for i, name in enumerate([*flat.inputs, *flat.cells, *flat.gates])}
        self.groups = {name: self._source(name, size) for name, size in flat.inputs.items()}
        self.adapting: list[Any] = []
        self.sums: dict[str, Summing] = {}
        self.groups |= {name: self._neurons(cells) for name, cells in flat.cells.items()}
        self.gates = {n: Gates(b2, g, self.clock, partial(self._name_of, n)) for n, g in flat.gates.items()}
        self.groups |= {name: gates.windows for name, gates in self.gates.items()}
        connections = counted("Making synapses", flat.connections, lambda c: len(c.weight))
        synapses = [self._synapses(c) for c in connections if len(c.weight)]
        self.monitors = {n: self._monitor(n) for n in (*flat.cells, *flat.gates)}
        self.silent = [n for n in flat.gates if record.wants_potentials(n)]
        self.traces = {n: self._trace(n) for n in flat.cells if record.wants_potentials(n)}
        self.whole = b2.Network(*self.groups.values(), *synapses, *self.monitors.values(), *self.traces.values())
        self.whole.add(*self.adapting, *(made for gates in self.gates.values() for made in gates.objects))
        self.whole.schedule = SCHEDULE

    def _name(self, kind: str, *populations: str) -> str:
        return "_".join([kind, *(str(self.numbers[name]) for name in populations)])

    def _name_of(self, population: str, kind: str) -> str:
        return self._name(kind, population)

    def _monitor(self, name: str) -> Any:
        carried = "fired" if _graded(self.flat.cells.get(name)) else None
        return b2.SpikeMonitor(self.groups[name], carried, name=self._name("spikes", name))

    def _trace(self, name: str) -> Any:
        group, called = self.groups[name], self._name("potentials", name)
        return b2.StateMonitor(group, "v", record=True, when="end", clock=self.clock, name=called)

    def _source(self, name: str, size: int) -> Any:
        steps, sources = self.host.source_spikes(name)
        called = self._name("input", name)
        return b2.SpikeGeneratorGroup(size, sources, steps * STEP, clock=self.clock, sorted=True, name=called)

    def _neurons(self, cells: Cells) -> Any:
        code = code_of(cells.neuron)
        timed = [part for part in self.host.timed[cells.name] if part.current.any()]
        parts = ["current", "drive"]
        for k, part in enumerate(timed):
            during = BETWEEN.format(first=cells.onset + part.first, last=cells.onset + part.last)
            parts.append(f"int({during}) * timed{k}")
        fires = AWAKE_FROM.format(onset=cells.onset) if cells.onset else ""
        if code.window is not None:
            first, last = code.window
            fires = BETWEEN.format(first=cells.onset + first, last=cells.onset + last)
        if code.clamped is not None:
            fires = AWAKE_FROM.format(onset=cells.onset + code.clamped.steps)
        recurring, begin = code.recurring, code.begin
        if recurring is not None:
            first = cells.onset + recurring.first
            fires = RECURS.format(first=first, steps=recurring.steps, period=recurring.period)
            begin += ANEW.format(start=first - recurring.steps, period=recurring.period)
        integrate = (INTEGRATE_LATER if cells.onset else INTEGRATE).format(
            onset=cells.onset, decayed=code.decayed, awake=f"int({code.awake}) * " if code.awake else "",
            current=" + ".join(parts),
        )  # fmt: skip
        earlier = self._earlier(cells)
        weigh = WEIGH.format(weight=code.weight, onset=cells.onset) if code.weight else ""
        step = begin + weigh + code.latching + integrate
        if code.fires:
            step = shifted(earlier) + step + code.fires + (f"fired = fired * int({fires})\n" if fires else "")
        more = [*(f"timed{k} : 1 (constant)" for k in range(len(timed))), *(f"{name} : 1" for name in earlier)]
        threshold = " and ".join(filter(None, ["v >= theta * weight", fires, code.awake]))
        group = self._group(cells, code, step, "fired != 0" if code.fires else threshold, more)
        kept = code.clamped if recurring is None else recurring
        if kept is not None:
            group.restart = np.tile(spread(kept.potential, cells.shape), self.host.samples)
        for k, part in enumerate(timed):
            setattr(group, f"timed{k}", part.current.ravel())
        if code.table is not None and code.window is not None:
            looks = Tabulating(code.table, group, self.host.samples, cells.shape, cells.onset + code.window[0])
            called = self._name("tabulating", cells.name)
            self.adapting.append(b2.NetworkOperation(looks, clock=self.clock, when="start", name=called))
        if code.sums is not None:
            self._sum(code.sums, cells, group)
        group.run_regularly(step, when="groups", clock=self.clock, name=self._name("integrate", cells.name))
        self._end(group, cells, code)
        return group

    def _sum(self, part: Latched, cells: Cells, group: Any) -> None:
        """The factors whose products are the current of a group, and what multiplies them before it integrates."""
        about = (self.host.samples, self.clock, partial(self._name_of, cells.name))
        self.sums[cells.name] = sums = Summing(b2, part, cells, group, *about)
        called = self._name("summing", cells.name)
        operation = b2.NetworkOperation(sums, clock=self.clock, when="groups", order=-1, name=called)
        self.adapting += [operation, *sums.factors]

    def _group(self, cells: Cells, code: Code, step: str, threshold: str, more: list[str]) -> Any:
        """The group with the variables that its code has; what spikes count and carry is 1 where nothing sets it."""
        varies = {"weight": bool(code.weight), "fired": bool(code.fires or code.adapts)}
        ones = {name: 1 for name, own in varies.items() if not own}
        held = "restart" if code.clamped is not None or code.recurring is not None else ""
        words = set(re.findall(r"\w+", " ".join([step, threshold, code.reset, code.kept, held])))
        words |= {name for name, own in varies.items() if own}
        used = [line for line in WHERE_USED if line.split()[0] in words - ones.keys()]
        group = b2.NeuronGroup(
            cells.size, "\n".join([*ALWAYS, *used, *more]), threshold=threshold, reset=code.reset, clock=self.clock,
            name=self._name("cells", cells.name), namespace=ones,
        )  # fmt: skip
        group.v, group.theta, group.drive = cells.initial, cells.threshold, self.host.drive[cells.name].ravel()
        for name, own in varies.items():
            if own:
                setattr(group, name, 0 if name == "fired" and code.fires else 1)
        return group

    def _end(self, group: Any, cells: Cells, code: Code) -> None:
        """What happens to potentials at the end of a step, before they are recorded."""
        if code.kept:  # before potentials are recorded, which is at the end too; nothing moves before the onset
            limits = {"when": "end", "order": -1, "clock": self.clock, "name": self._name("limits", cells.name)}
            group.run_regularly(code.kept, **limits)
        if code.clamped is not None:
            held = HELD.format(onset=cells.onset, last=cells.onset + code.clamped.steps)
            about = {"clock": self.clock, "name": self._name("clamp", cells.name)}
            group.run_regularly(held, when="end", order=-1, **about)
        if code.adapts is not None:
            follow = Adapting(code.adapts, group, self.host.samples, cells.onset)
            called = self._name("adapting", cells.name)
            self.adapting.append(b2.NetworkOperation(follow, clock=self.clock, when="end", name=called))

    def _earlier(self, cells: Cells) -> list[str]:
        """The variables that hold the values of spikes on their way, of the step before and those before that."""
        delays = [c.delay for c in self.flat.connections if c.source == cells.name] if _graded(cells) else []
        return [f"fired{k}" for k in range(1, max(delays, default=1))]

    def _synapses(self, connection: Connection) -> Any:
        """A spike found at the end of a step reaches its synapses at the beginning of the next: one step is spent.

        A value is read where the spike arrives, from as many steps before.
        """
        source, target = self.groups[connection.source], self.groups[connection.target]
        if connection.target in self.gates:
            target = self.gates[connection.target].cells
        if connection.target in self.sums:
            target = self.sums[connection.target].factors[connection.latched]
        arrives = "latching" if connection.latched else "inhibition" if connection.inhibitory else "current"
        kind = f"{'synapses' if arrives == 'current' else arrives}{connection.lag or ''}"
        delay, name = (connection.delay - 1) * STEP, self._name(kind, connection.source, connection.target)
        graded = _graded(self.flat.cells.get(connection.source))
        value = f" * fired{connection.delay - 1 or ''}_pre" if graded else ""
        model = "w : 1 (constant)"
        arrival = f"{'came' if connection.target in self.sums else arrives}_post += w{value}"
        made = b2.Synapses(source, target, model, on_pre=arrival, delay=delay, clock=self.clock, name=name)
        made.connect(i=connection.pre, j=connection.post)
        made.w = connection.weight
        return made

    def run(self, report: Callable[[float], None]) -> None:
        """All steps; `report` gets the share that is done."""

        def said(elapsed: Any, completed: float, start: Any, duration: Any) -> None:
            report(completed)

        try:
            self.whole.run((self.host.steps + self.flat.lead) * STEP, report=said, report_period=1 * b2.second)
        except b2.BrianObjectException as error:
            raise BackendError(f"Brian2 cannot run the network: {error.__cause__ or error}") from error

    def spikes(self) -> dict[str, Array]:
        """The raster of each population in its own steps, (steps, samples, *shape)."""
        found = {}
        every: dict[str, Cells | GateCells] = {**self.flat.cells, **self.flat.gates}
        for name, cells in every.items():
            monitor = self.monitors[name]
            steps = np.rint(np.asarray(monitor.t / STEP)).astype(np.int64) - cells.onset
            shape = (self.host.steps, self.host.samples, *cells.shape)
            values = np.asarray(monitor.fired) if _graded(cells) else None
            found[name] = raster(steps, np.asarray(monitor.i), shape, values)
        return found

    def potentials(self) -> dict[str, Array]:
        """The potentials asked for, after the reset, (steps, samples, *shape)."""
        shapes = {name: self.flat.gates[name].shape for name in self.silent}  # gates have no potential
        found = {n: np.zeros((self.host.steps, self.host.samples, *shape)) for n, shape in shapes.items()}
        for name, monitor in self.traces.items():
            cells = self.flat.cells[name]
            own = np.asarray(monitor.v).T[cells.onset : cells.onset + self.host.steps]
            found[name] = own.reshape(self.host.steps, self.host.samples, *cells.shape).copy()
        return found


def _graded(cells: Cells | GateCells | None) -> bool:
    """Whether these, if they are neurons, have spikes that carry values."""
    return isinstance(cells, Cells) and cells.neuron.graded
