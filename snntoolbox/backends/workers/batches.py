"""Batches of samples on worker processes: what is sent there, what is done there, and the results in order."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from itertools import islice
from typing import Any

from snntoolbox.backends.checking import announce
from snntoolbox.backends.protocol import Executable
from snntoolbox.backends.registry import backend_named
from snntoolbox.backends.room import bytes_per_step
from snntoolbox.backends.workers.cluster import AHEAD, Cluster
from snntoolbox.errors import BackendError, SNNToolboxError
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.result import Record, Result
from snntoolbox.ir.unfolded import folded

VERSION = version("snntoolbox")

Batch = tuple[int, list[Array]]
"""The number of its first sample, and an array per input."""

SECONDS = 1.0
"""So long a worker is to be busy with what it is handed out at once."""

LIMIT = 2**23
"""Bytes of samples and results that are handed out at once, if it is more than one batch."""

_TICK = 1e-6
"""No batch is done sooner."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What every batch of a run shares: it goes to each worker once. `token` tells jobs apart there.

    `samples` is their number in the whole run: a simulator prepares for it alike wherever it runs.
    """

    network: SpikingNetwork
    simulator: str
    steps: int
    record: Record | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    samples: int = 0
    version: str = VERSION
    token: str = field(default_factory=lambda: uuid.uuid4().hex)


def run_batches(job: Job, batches: Iterable[Batch], *, workers: int = 0, scheduler: str = "") -> Iterator[Result]:
    """The results of `batches`, in order, from `workers` processes here or from those of a Dask scheduler.

    Each batch is run whole, as in one process, and its samples keep their numbers: who runs it makes no difference.
    """
    with Cluster(workers, scheduler) as cluster:
        bundles = Bundles(job, batches, cluster.lately)
        done = cluster.ordered(run_bundle, job, bundles, name=f"a batch on simulator '{job.simulator}'")
        try:
            with closing(done):
                for results, seconds in done:
                    bundles.took(seconds / len(results))
                    yield from results
        finally:
            if scheduler:  # these workers live on
                cluster.everywhere(release, job.token)


class Bundles:
    """Batches that go to a worker together, each alone first and then as many as it needs SECONDS for.

    To hand something out and back takes some milliseconds of several processes, however little it is. A bundle never
    has more than its share of the batches that are left, nor more than LIMIT bytes of samples and results.
    """

    def __init__(self, job: Job, batches: Iterable[Batch], workers: Callable[[], int]) -> None:
        counts = sum(population.size for population in job.network.populations.values())  # a byte each, mostly
        self._bytes_each = job.steps * bytes_per_step(job.network, job.record) + counts
        self._source, self._left, self._workers = iter(batches), job.samples, workers
        self._samples, self._most, self._least = 1, 1, SECONDS

    def took(self, seconds: float) -> None:
        """Say how long a worker needed for a batch.

        The least tells: loops are compiled or loaded in a first one, and others may use the machine.
        """
        self._least = max(_TICK, min(self._least, seconds))

    def __iter__(self) -> Iterator[tuple[list[Batch]]]:
        while bundle := list(islice(self._source, self._together())):
            _, x = bundle[0]
            self._samples = max(1, len(x[0]))
            self._most = LIMIT // max(1, sum(a.nbytes for a in x) + self._samples * self._bytes_each)
            self._left -= sum(len(x[0]) for _, x in bundle)
            yield (bundle,)

    def _together(self) -> int:
        wanted = min(int(SECONDS / self._least), self._most)
        if wanted == 1:
            return 1
        share = self._left // (self._samples * AHEAD * max(1, self._workers()))
        return max(1, min(wanted, share))


# -- in the worker --------------------------------------------------------------------------------------------------

_running = threading.Lock()
"""An executable runs one batch at a time, also in a worker with several threads."""

_built: dict[str, Executable] = {}
_released: set[str] = set()


def run_bundle(job: Job, bundle: Sequence[Batch]) -> tuple[list[Result], float]:
    """The results of some batches, one after the other, and how many seconds they took."""
    since = time.perf_counter()
    results = [_folded(run_batch(job, first, x)) for first, x in bundle]
    return results, time.perf_counter() - since


def _folded(result: Result) -> Result:
    """The same with smaller counts, to be sent: to encrypt and to copy them takes longer than to look at them here."""
    return replace(result, counts=folded(result.counts), fired=folded(result.fired))


def run_batch(job: Job, first: int, x: list[Array]) -> Result:
    """Run one batch; the network built for the last one is used again."""
    if job.version != VERSION:
        raise BackendError(f"a worker has snntoolbox {VERSION}, the run {job.version}", hint="install the same")
    with _running:
        try:
            return _executable(job).run(*x, steps=job.steps, record=job.record, first_sample=first)
        except Exception as error:
            _close()
            if isinstance(error, SNNToolboxError):
                raise
            last = first + len(x[0]) - 1
            raise BackendError(
                f"simulator '{job.simulator}' failed on samples {first} to {last}: {type(error).__name__}: {error}"
            ) from None
        finally:
            if job.token in _released:
                _close()


def release(token: str) -> None:
    """Let go of what a job built, at once or when its last batch is done."""
    _released.add(token)
    if _running.acquire(blocking=False):
        try:
            if token in _built:
                _close()
        finally:
            _running.release()


def _executable(job: Job) -> Executable:
    if job.token not in _built:
        _close()
        _built[job.token] = backend_named(job.simulator).build(job.network, **job.options).__enter__()
        announce(_built[job.token], job.samples)
    return _built[job.token]


def _close() -> None:
    while _built:
        _built.popitem()[1].__exit__(None, None, None)
