"""From a spiking network to its results, on any simulator, batch by batch."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from snntoolbox.backends.checking import announce, build_network, check_record, check_simulator
from snntoolbox.backends.early_exit import chosen_exit, shortfall
from snntoolbox.backends.early_exit import early_exit as exits_by
from snntoolbox.backends.estimates import tell_time
from snntoolbox.backends.films import ALL, Films
from snntoolbox.backends.legalize import legalized
from snntoolbox.backends.protocol import Costly, Executable
from snntoolbox.backends.registry import backend_named
from snntoolbox.backends.room import bytes_per_step, check_room
from snntoolbox.backends.workers.batches import Job, run_batches
from snntoolbox.backends.workers.cluster import check as check_workers
from snntoolbox.errors import DataError
from snntoolbox.ir.arguments import checked
from snntoolbox.ir.data_range import tell_differences
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.large_arrays import piece
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.progress import Advance, bar, is_watched, portion
from snntoolbox.ir.ran import Analogue, Ran
from snntoolbox.ir.result import ExitRule, Record, Result, joined
from snntoolbox.ir.samples import Progress, check_truths, checked_arrays
from snntoolbox.ir.timing import duration_of, run_steps

log = logging.getLogger(__name__)


@checked
def simulate(
    network: SpikingNetwork,
    x: Array | Sequence[Array],
    *,
    duration: float | None = None,
    T: int | None = None,
    simulator: str = "INI",
    batch_size: int = 100,
    record: Record | None = None,
    progress: Progress | None = None,
    force: bool = False,
    workers: int = 0,
    scheduler: str = "",
    early_exit: float | ExitRule = 0.0,
    calibration_data: Array | Sequence[Array] | None = None,
    reset_every: int = 1,
    **options: Any,
) -> Result:
    """Run samples for `duration` ms, or `T` steps, on a simulator; `progress` is told the number of samples done.

    They run in batches; a single sample may come without a batch axis.
    Without a duration the one that the network was fitted to (else 64 ms), and a phased network as long as it takes.
    With `workers` the batches are spread over so many processes, with `scheduler` (tcp://host:port) over a Dask
    cluster; 0 or 1 is this process. The result is the same. `options` go to the simulator's `build` (device, chunk).
    With `early_exit`, a share of predictions to keep such as 0.99, samples end when their read-out is clear: by a
    margin that the `calibration_data` of the conversion choose on the built-in simulator (see `chosen_exit`), or by a
    rule that is given. `Result.early_exit` has predictions and steps, and `Result.mean_steps` the mean of these; all
    else is after all steps, as the simulator itself runs them.
    Potentials are reset before every `reset_every`th sample, and with 0 before the first alone: samples may be frames
    of films (see `Films`).
    DataError where samples do not fit, or nothing can choose a margin; UnsupportedError lists what the simulator cannot
    run; TooLargeError says that the network is estimated to be too large for it, unless `force`.
    """
    duration = duration_of(duration, T, network.dt)
    if duration is not None and network.duration not in (None, duration) and network.schedule is None:
        warning = "the network was fitted to a run of %g ms, not %s ms: convert it for that duration"
        log.warning(warning, network.duration, duration)
    if reset_every != 1 and early_exit:
        raise DataError("an early exit resets before each sample", hint="reset_every = 1, or early_exit = 0")
    rule = _rule(network, early_exit, calibration_data, duration, batch_size)
    kept, record = record, _with_outputs(record) if rule else record
    results = []
    spread: dict[str, Any] = {"workers": workers, "scheduler": scheduler, "force": force, **options}
    arrays = _checked(network, x)
    tell_differences(network.calibrated, network.encodings, arrays)
    for result in _filmed(network, arrays, duration, simulator, batch_size, record, reset_every, **spread):
        results.append(result if rule is None else _with_exits(result, rule, kept))
        if progress:
            progress(result.samples)
    return replace(joined(results), ran=Ran(network, arrays, _analogue(network)))


def _analogue(network: SpikingNetwork) -> Analogue | None:
    """What gives the values of the network's original."""
    return None if network.original is None else partial(_values, network.original)


def _values(graph: Graph, x: Sequence[Array], names: Sequence[str]) -> dict[str, Array]:
    from snntoolbox.engine.executor import Executor

    kept = [name for name in names if name in graph.nodes]
    parts = list(Executor(graph).batches(*x, keep=kept))
    return {name: np.concatenate([part[name] for part in parts]) for name in kept}


def _rule(
    network: SpikingNetwork,
    early_exit: float | ExitRule,
    data: Array | Sequence[Array] | None,
    duration: float | None,
    batch_size: int,
) -> ExitRule | None:
    """The rule of the early exit, None where there is none; DataError where it cannot be chosen."""
    if isinstance(early_exit, ExitRule):
        return early_exit
    if early_exit == 0:
        return None
    if not 0 < early_exit <= 1:
        raise DataError(f"an early exit of {early_exit:g} is no share from 0 to 1", hint="0.99, for instance; 0 is off")
    if data is None:
        hint = "simulate(..., early_exit=0.99, calibration_data=x_norm), those that the network was converted with"
        raise DataError("an early exit needs calibration samples to choose its margin on", hint=hint)

    def run(x: Sequence[Array], record: Record) -> Result:
        return simulate(network, x, duration=duration, batch_size=batch_size, record=record)

    rule = chosen_exit(network, data, early_exit, run)
    if few := shortfall(rule):
        log.warning(few)
    return rule


def _with_outputs(record: Record | None) -> Record:
    return replace(record or Record(), outputs_per_step=True)


def _with_exits(result: Result, rule: ExitRule, record: Record | None) -> Result:
    """The result with its early exits; without the outputs per step where these were not asked for."""
    exits = exits_by(result, rule)
    kept = record is None or record.outputs_per_step
    return replace(result, early_exit=exits, outputs_per_step=result.outputs_per_step if kept else {})


def simulate_batches(
    network: SpikingNetwork,
    x: Array | Sequence[Array],
    duration: float | None,
    simulator: str,
    batch_size: int,
    record: Record | None = None,
    *,
    force: bool = False,
    workers: int = 0,
    scheduler: str = "",
    reset_every: int = 1,
    **options: Any,
) -> Iterator[Result]:
    """The results of consecutive batches, each handed out as soon as it is there; the rest as for `simulate`."""
    spread: dict[str, Any] = {"workers": workers, "scheduler": scheduler, "force": force, **options}
    arrays = _checked(network, x)
    yield from _filmed(network, arrays, duration, simulator, batch_size, record, reset_every, **spread)


def _filmed(
    network: SpikingNetwork,
    arrays: Sequence[Array],
    duration: float | None,
    simulator: str,
    batch_size: int,
    record: Record | None,
    reset_every: int,
    **spread: Any,
) -> Iterator[Result]:
    """The same for arrays that are checked; potentials are reset before every so many samples, 0 is never again."""
    if reset_every == 1:
        yield from _batches(network, arrays, duration, simulator, batch_size, record, **spread)
        return
    if reset_every < 0:
        raise DataError(f"reset_every = {reset_every} is no number of samples", hint="0 resets before the first alone")
    left, steps, record = len(arrays[0]), run_steps(network, duration), record or Record()
    films = Films(min(reset_every or left, max(left, 1)), steps)
    for (name, encoding), array in zip(network.encodings.items(), arrays, strict=True):
        encoding.check(array, name)
    long, time = films.network(network, arrays), films.frames * steps * network.dt
    kept, together = replace(ALL, potentials=record.potentials), max(1, batch_size // films.frames)
    for result in _batches(long, films.samples(network, arrays), time, simulator, together, kept, **spread):
        frames = min(left, result.samples * films.frames)
        left -= frames
        yield films.split(result, network, record, frames)


def _checked(network: SpikingNetwork, x: Array | Sequence[Array]) -> tuple[Array, ...]:
    arrays = checked_arrays({n: network.wiring.shapes[n] for n in network.encodings}, x, network.encodings)
    check_truths(network.wiring, dict(zip(network.encodings, arrays, strict=True)))
    return arrays


def _batches(
    network: SpikingNetwork,
    arrays: Sequence[Array],
    duration: float | None,
    simulator: str,
    batch_size: int,
    record: Record | None,
    *,
    force: bool,
    workers: int,
    scheduler: str,
    **options: Any,
) -> Iterator[Result]:
    """The same for arrays that are checked."""
    steps = run_steps(network, duration)
    if record is not None:
        record.check(network.populations)
    backend = backend_named(simulator)
    check_record(backend, record or Record())
    network = legalized(network, backend, arrays)
    check_simulator(backend, network, force=force)
    if not len(arrays[0]):
        raise DataError("there are no samples to simulate")
    if batch_size < 1:
        raise DataError(f"batch_size = {batch_size} is not at least 1")
    for (name, encoding), array in zip(network.encodings.items(), arrays, strict=True):
        encoding.check(array, name)
    starts = range(0, len(arrays[0]), batch_size)
    workers = min(workers, len(starts))
    check_workers(workers, scheduler)
    check_room(steps, bytes_per_step(network, record), min(batch_size, len(arrays[0])))
    if isinstance(backend, Costly):
        run = {"samples": len(arrays[0]), "steps": steps, "batch": batch_size, "cores": workers}
        tell_time(simulator, network, backend.cost, **run)
    batches = ((start, [piece(a, start, start + batch_size) for a in arrays]) for start in starts)
    if workers > 1 or scheduler:
        given = Job(network=network, simulator=simulator, steps=steps, record=record, options=options)
        job = replace(given, samples=len(arrays[0]))
        with bar(f"Simulating on {simulator}", len(arrays[0])) as advance:
            for result in run_batches(job, batches, workers=workers, scheduler=scheduler):
                advance(result.samples)
                yield result
        return
    with build_network(backend, network, options, force=force) as executable:
        announce(executable, len(arrays[0]))
        with bar(f"Simulating on {simulator}", len(arrays[0])) as advance:
            for start, batch in batches:
                yield _ran(executable, batch, advance, steps=steps, record=record, first_sample=start)


def _ran(executable: Executable, x: Sequence[Array], advance: Advance, *, steps: int, **given: Any) -> Result:
    """The result of one batch, whose samples advance with the steps that are done."""
    done = portion(advance, len(x[0]), steps)
    told: dict[str, Any] = {"progress": done} if is_watched() else {}
    result = executable.run(*x, steps=steps, **given, **told)
    done(steps)
    return result
