"""One figure of `latency.py`: a model converted by a recipe, run, and compared; kept in a file between runs."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from latency_rows import Limits, Row

BATCH = 50
CHECKED = 2e8
"""Neurons times steps times samples up to which a phased network is simulated too."""


@dataclass
class Model:
    """A graph with its samples, and what the original says of them."""

    name: str
    graph: Any
    x: np.ndarray
    labels: np.ndarray
    calibration: np.ndarray
    classes: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        from snntoolbox.engine.executor import Executor

        outputs = Executor.double(self.graph).run(self.x, batch_size=BATCH)
        self.classes = outputs.reshape(len(outputs), -1).argmax(axis=1)

    def accuracy(self, samples: int | None = None) -> float:
        """The original's own, on the first so many."""
        return float(np.mean(self.classes[:samples] == self.labels[:samples]))


@dataclass(frozen=True)
class Cell:
    """What one recipe came to at one number of steps, on the first `samples`; seconds of converting and running.

    `told` is more to say of it, a line beneath the table; `right` is which samples it classified rightly, as
    hexadecimal digits, so that two recipes can be compared sample by sample.
    """

    samples: int
    agreement: float
    accuracy: float
    converting: float
    running: float
    told: str = ""
    right: str = ""

    def correct(self) -> np.ndarray:
        """Whether each sample was classified rightly; empty where a cache of an earlier version does not know."""
        return np.unpackbits(np.frombuffer(bytes.fromhex(self.right), np.uint8))[: self.samples].astype(bool)


def cell_of(model: Model, found: np.ndarray, converting: float, running: float, told: str = "") -> Cell:
    """Compare the classes found for the first samples."""
    n = len(found)
    agreement, accuracy = (float(np.mean(found == wanted[:n])) for wanted in (model.classes, model.labels))
    right = np.packbits(found == model.labels[:n]).tobytes().hex()
    return Cell(n, agreement, accuracy, converting, running, told, right)


@dataclass(frozen=True)
class Bench:
    """How a model's rows are measured: `samples` for each number of steps (see `Limits`), and on which device."""

    model: Model
    limits: Limits
    device: str = "cpu"

    def samples(self, row: Row, steps: int) -> int:
        """How many are run for so many steps."""
        n = len(self.model.x)
        return min(n, self.limits.long or n) if steps > row.whole or steps >= self.limits.start else n

    def convert(self, row: Row, steps: int | None) -> Any:
        """The network; with `steps` None nothing of it may depend on them."""
        import snntoolbox as stb
        from snntoolbox.ir.neurons import IF

        neuron = IF(**{"initial": 0.5, **row.neuron})
        given = {"neuron": neuron, "device": self.device, **row.choices}
        return stb.convert(self.model.graph, self.model.calibration, duration=steps, **given)

    def classes(self, network: Any, part: slice, steps: int) -> np.ndarray:
        """The class of each of these samples after each step, (steps, samples)."""
        import snntoolbox as stb

        found = []
        for start in range(part.start, part.stop, BATCH):
            x = self.model.x[start : min(start + BATCH, part.stop)]
            found.append(stb.simulate(network, x, duration=steps, device=self.device).predictions_per_step)
        return np.concatenate(found, axis=1)

    def each(self, row: Row, steps: int) -> Cell:
        """Convert for so many steps, and run."""
        begin = time.perf_counter()
        network = self.convert(row, steps)
        converted = time.perf_counter()
        found = self.classes(network, slice(0, self.samples(row, steps)), steps)[-1]
        return cell_of(self.model, found, converted - begin, time.perf_counter() - converted)

    def once(self, row: Row, steps: Sequence[int]) -> dict[int, Cell]:
        """One conversion, and one run of each group of samples for the most steps that it is run for."""
        begin = time.perf_counter()
        network = self.convert(row, None)
        if any(readout.start for readout in network.readouts):
            raise ValueError("a network whose read-out forgets steps is another one for each number of them")
        converting, converted = time.perf_counter() - begin, time.perf_counter()
        counts = {t: self.samples(row, t) for t in sorted(steps)}
        found: dict[int, list[np.ndarray]] = {t: [] for t in counts}
        first = 0
        for last in sorted({*counts.values()}):
            reached = [t for t, n in counts.items() if n >= last]
            values = self.classes(network, slice(first, last), max(reached))
            for t in reached:
                found[t].append(values[t - 1])
            first = last
        share = converting / len(counts), (time.perf_counter() - converted) / len(counts)
        return {t: cell_of(self.model, np.concatenate(parts), *share) for t, parts in found.items()}

    def phased(self, row: Row, steps: int) -> Cell:
        """All samples by the quantised network, which the spiking one is seen to equal on a few."""
        from snntoolbox.engine.quantized import QuantizedRun
        from snntoolbox.ir.result import Result

        begin = time.perf_counter()
        network = self.convert(row, steps)
        converted = time.perf_counter()
        run, x = QuantizedRun(network), self.model.x[: self.samples(row, steps)]
        outputs = np.concatenate([run.outputs([x[i : i + BATCH]])[0] for i in range(0, len(x), BATCH)])
        told = self.equality(network, run, x)
        whole = Result(steps=network.schedule.steps, samples=len(x), counts={}, outputs={"output": outputs})
        return cell_of(self.model, whole.predictions, converted - begin, time.perf_counter() - converted, told)

    def equality(self, network: Any, run: Any, x: np.ndarray) -> str:
        """Simulate a few samples; ValueError where counts differ by more than sums that tie with a level."""
        import snntoolbox as stb
        from snntoolbox.conversion.schedules.quantized_reference import MOST_UNEQUAL
        from snntoolbox.ir.operations import fan_out

        few = x[: min(8, int(CHECKED / (max(1, network.neurons) * network.schedule.steps)))]
        told = f"{timing(network)}; {network.neurons:,} neurons"
        if not len(few):
            return f"too large to be simulated; {told}"
        options = {"dtype": "float64", "device": self.device, "record": stb.Record(outputs_per_step=False)}
        spikes, wanted = stb.simulate(network, few, **options), run.counts([few])
        unequal = sum(int(np.count_nonzero(spikes.counts[n] != wanted[n])) for n in wanted)
        compared = network.neurons * len(few)
        if unequal > MOST_UNEQUAL * compared:
            raise ValueError(f"{unequal} of {compared} neurons of a phased network do not fire as in its quantised one")
        fans = fan_out(network)
        fired = sum(float(z.sum(dtype=float)) for z in spikes.events.values()) / len(few)
        done = sum(float(np.vdot(z.sum(axis=0, dtype=float), fans[n])) for n, z in spikes.events.items()) / len(few)
        told += f", {fired:,.0f} spikes and {done:,.0f} operations a sample"
        return f"{unequal} of {compared:,} counts differ from the simulation ({len(few)} samples); {told}"


def timing(network: Any) -> str:
    """The latency and the throughput of a phased network."""
    from snntoolbox.ir.timing import timing

    found, window = timing(network, None), network.schedule.window
    if network.schedule.ends:
        one, two = (round(1 / found["throughput"][n]) for n in ("one_membrane", "two_membranes"))
        every = f"a sample every {one} steps (two membranes: {two})"
        return f"latency {found['latency_steps']} steps in windows of several lengths, {every}"
    one, two = (round(1 / found["throughput"][n] / window) for n in ("one_membrane", "two_membranes"))
    latency = found["latency_steps"] // window
    return f"latency (L + 1) T = {latency} T, a sample every {one} T steps (two membranes: {two} T)"


@dataclass
class Cache:
    """Cells in a file of JSON lines, one each, so that a run that was interrupted goes on; None keeps nothing."""

    path: Path | None
    cells: dict[str, Cell] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.path is None or not self.path.exists():
            return
        for line in self.path.read_text().splitlines():
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:  # the last line of a run that was killed
                continue
            self.cells[entry["key"]] = Cell(**entry["cell"])

    def key(self, bench: Bench, name: str, row: Row, steps: int) -> str:
        """What a cell depends on: another recipe, or another number of samples, is another cell."""
        recipe = json.dumps([dict(row.choices), dict(row.neuron)], sort_keys=True)
        counts = f"{bench.samples(row, steps)} {len(bench.model.calibration)}"
        return f"{bench.model.name} {name} {steps} {counts} {recipe}"

    def add(self, key: str, cell: Cell) -> None:
        self.cells[key] = cell
        if self.path is not None:
            with self.path.open("a") as file:
                file.write(json.dumps({"key": key, "cell": asdict(cell)}) + "\n")


def measured(bench: Bench, name: str, row: Row, steps: Sequence[int], cache: Cache) -> Mapping[int, Cell]:
    """The row's cells, those of the cache as they are; each new one is printed."""
    wanted = {t: cache.key(bench, name, row, t) for t in steps if t <= row.most}
    missing = [t for t, key in wanted.items() if key not in cache.cells]
    if missing and row.once:
        for t, cell in bench.once(row, missing).items():
            cache.add(wanted[t], cell)
            tell(bench, name, t, cell)
    else:
        for t in missing:
            cell = bench.phased(row, t) if row.phased else bench.each(row, t)
            cache.add(wanted[t], cell)
            tell(bench, name, t, cell)
    return {t: cache.cells[key] for t, key in wanted.items()}


def tell(bench: Bench, name: str, steps: int, cell: Cell) -> None:
    shares = f"{100 * cell.agreement:.1f} {100 * cell.accuracy:.1f} of {cell.samples} samples"
    seconds = f"{cell.converting:.1f} s + {cell.running:.1f} s"
    print(f"{bench.model.name} {name} T = {steps}: {shares} ({seconds})", flush=True)
