"""Batches of samples on worker processes: what is sent there, what is done there, and the results in order."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from snntoolbox.backends.checking import announce
from snntoolbox.backends.protocol import Executable
from snntoolbox.backends.registry import backend_named
from snntoolbox.backends.workers.cluster import Cluster
from snntoolbox.errors import BackendError, SNNToolboxError
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.result import Record, Result

VERSION = version("snntoolbox")

Batch = tuple[int, list[Array]]
"""The number of its first sample, and an array per input."""


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
        results = cluster.ordered(run_batch, job, batches, name=f"a batch on simulator '{job.simulator}'")
        try:
            with closing(results):
                yield from results
        finally:
            if scheduler:  # these workers live on
                cluster.everywhere(release, job.token)


# -- in the worker --------------------------------------------------------------------------------------------------

_running = threading.Lock()
"""An executable runs one batch at a time, also in a worker with several threads."""

_built: dict[str, Executable] = {}
_released: set[str] = set()


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
