"""From a spiking network to its results, on any simulator, batch by batch."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from snntoolbox import building, plugins
from snntoolbox.conversion.samples import checked_arrays
from snntoolbox.conversion.scaling import Progress
from snntoolbox.errors import DataError
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.result import Record, Result, joined
from snntoolbox.schedules import legalized, run_steps
from snntoolbox.workers.batches import Job, run_batches
from snntoolbox.workers.cluster import check as check_workers

log = logging.getLogger(__name__)


def simulate(
    network: SpikingNetwork,
    x: Array | Sequence[Array],
    *,
    duration: float | None = None,
    simulator: str = "INI",
    batch_size: int = 100,
    record: Record | None = None,
    progress: Progress | None = None,
    force: bool = False,
    workers: int = 0,
    scheduler: str = "",
    **options: Any,
) -> Result:
    """Run samples for `duration` ms on a simulator, in batches; `progress` is told the number of samples done.

    Without a duration the one that the network was fitted to (else 64 ms), and a phased network as long as it takes;
    one that is given must be that of its windows.
    With `workers` the batches are spread over so many processes, with `scheduler` (tcp://host:port) over a Dask
    cluster; 0 or 1 is this process. The result is the same. `options` go to the simulator's `build` (device, chunk).
    UnsupportedError lists what the simulator cannot run; TooLargeError says that the network is estimated to be too
    large for it, unless `force`.
    """
    if duration is not None and network.duration not in (None, duration) and network.schedule is None:
        told = "the network was fitted to a run of %g ms, not %s ms: convert it for that duration"
        log.warning(told, network.duration, duration)
    results = []
    spread: dict[str, Any] = {"workers": workers, "scheduler": scheduler, "force": force, **options}
    for result in simulate_batches(network, x, duration, simulator, batch_size, record, **spread):
        results.append(result)
        if progress:
            progress(result.samples)
    return joined(results)


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
    **options: Any,
) -> Iterator[Result]:
    """The results of consecutive batches, each handed out as soon as it is there; `workers` as for `simulate`."""
    arrays = checked_arrays({n: network.wiring.shapes[n] for n in network.encodings}, x, network.encodings)
    steps = run_steps(network, duration)
    backend = plugins.backend(simulator)
    network = legalized(network, backend, arrays)
    building.check(backend, network, force=force)
    if not len(arrays[0]):
        raise DataError("there are no samples to simulate")
    if batch_size < 1:
        raise DataError(f"batch_size = {batch_size} is not at least 1")
    for (name, encoding), array in zip(network.encodings.items(), arrays, strict=True):
        encoding.check(array, name)
    check_workers(workers, scheduler)
    starts = range(0, len(arrays[0]), batch_size)
    batches = ((start, [a[start : start + batch_size] for a in arrays]) for start in starts)
    if workers > 1 or scheduler:
        run = Job(network=network, simulator=simulator, steps=steps, record=record, options=options)
        job = replace(run, samples=len(arrays[0]))
        yield from run_batches(job, batches, workers=workers, scheduler=scheduler)
        return
    with building.build(backend, network, options, force=force) as executable:
        # A simulator that prepares more for more samples has this beside what every one has.
        getattr(executable, "expect", lambda samples: None)(len(arrays[0]))
        for start, batch in batches:
            yield executable.run(*batch, steps=steps, record=record, first_sample=start)
