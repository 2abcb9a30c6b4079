"""Worker processes on this machine: started by Dask, ended with their block or with this process, and replaced."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from importlib import import_module
from multiprocessing import resource_tracker
from threading import Thread
from typing import Any

from snntoolbox.backends.main_module import no_main_module
from snntoolbox.errors import BackendError
from snntoolbox.ir.scratch import Scratch

log = logging.getLogger(__name__)

BUSY_SECONDS = 120.0
"""What processes of our own may take to start, to answer and to end: a machine may be busy, or stand still."""

_GRACE_SECONDS = 1.0
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


def dask(module: str) -> Any:
    """A module of Dask; BackendError with the extra where it is not installed."""
    try:
        return import_module(module)
    except ImportError:
        raise BackendError("several workers need Dask", hint="pip install 'snntoolbox[dask]'") from None


@contextmanager
def silenced() -> Iterator[None]:
    """Keep what Dask logs from the user: what matters of it is told as an error or a warning of ours."""
    names = [n for n in logging.root.manager.loggerDict if n.split(".")[0] in ("distributed", "tornado")]
    loggers = [logging.getLogger(name) for name in ("distributed", *names)]
    before = [(logger, logger.level) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in reversed(before):
            logger.setLevel(level)


@contextmanager
def event_loop() -> Iterator[Any]:
    """Tornado's loop, running in a thread of its own, for all that Dask does in this process.

    It starts however long that takes. Dask would start one itself, and fail where that takes more than ten seconds,
    as on a machine that is busy or stood still.
    """
    current = dask("tornado.ioloop").IOLoop.current
    running: Future[tuple[Any, asyncio.Event]] = Future()

    async def serve() -> None:
        stop = asyncio.Event()
        running.set_result((current(), stop))
        await stop.wait()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            if running.done():
                raise
            running.set_exception(error)

    thread = Thread(target=run, name="snntoolbox: Dask", daemon=True)
    with _interrupts_only_here():
        thread.start()
    loop, stop = running.result()
    try:
        yield loop
    finally:
        loop.add_callback(stop.set)
        thread.join(BUSY_SECONDS)


@contextmanager
def local_workers(workers: int, loop: Any) -> Iterator[Any]:
    """Worker processes on this machine that share its cores; a worker that ends is replaced."""
    distributed = dask("distributed")
    threads = {name: str(_threads(workers)) for name in _THREAD_VARIABLES}
    with _environment_kept() as started, Scratch(prefix="snntoolbox-workers-") as folder:
        settings = {"temporary-directory": str(folder.path), **_NO_PAGES}
        with _interrupts_only_here(), dask("dask").config.set(settings):
            cluster = distributed.LocalCluster(
                loop=loop,
                n_workers=workers,
                threads_per_worker=1,
                worker_class=_nanny(distributed.Nanny),
                memory_limit=0,  # else Dask would stop workers at its own estimates
                dashboard_address="127.0.0.1:0",
                scheduler_kwargs={"dashboard": False},
                silence_logs=False,  # it would silence every logger of the user
                security=_keys(distributed),
                env=threads,
            )
        started()
        try:
            yield cluster
        finally:
            cluster.close(timeout=BUSY_SECONDS)


@contextmanager
def _environment_kept() -> Iterator[Callable[[], None]]:
    """Take back what Dask sets in this process for those that it starts, as OMP_NUM_THREADS: the next run reads it.

    What is given is called when all are started. Whatever the user sets later stays.
    """
    before, ours = dict(os.environ), {}

    def started() -> None:
        ours.update({name: value for name, value in os.environ.items() if before.get(name) != value})

    try:
        yield started
    finally:
        for name, value in ours.items():
            if os.environ.get(name) != value:
                continue
            if name in before:
                os.environ[name] = before[name]
            else:
                del os.environ[name]


_NO_PAGES: dict[str, list[str]] = {"distributed.scheduler.http.routes": [], "distributed.worker.http.routes": []}
"""Web pages show to every user of the machine what is computed."""


def _keys(distributed: Any) -> Any:
    """Keys made for this run: a port on loopback is open to every user of the machine, and who connects runs code."""
    try:
        return distributed.Security.temporary()
    except ImportError:
        hint = "pip install 'snntoolbox[dask]'"
        raise BackendError("workers on this machine need the package cryptography", hint=hint) from None


def _threads(workers: int) -> int:
    """Threads per worker, so that all of them together have as many as there are cores."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(cores(), int(told) if told.isdigit() else cores()) // workers)


def cores() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _interrupts_only_here() -> Iterator[None]:
    """Ctrl-C, or a terminal that is closed, reaches this process, which ends its workers.

    Threads and processes started meanwhile never see it.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    try:
        # It would unblock the other signal where it is started: in the thread that all others come from.
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _nanny(base: type[Any]) -> type[Any]:
    """What starts a worker process and replaces it, without importing the user's script again there."""

    class Nanny(base):  # type: ignore[misc]
        begun = False

        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self.silence_logs = logging.CRITICAL  # in the worker alone

        async def instantiate(self) -> Any:
            if self.begun:
                log.warning("a worker process has ended: a new one is started, and what it had begun is done again")
            self.begun = True
            with no_main_module():
                return await super().instantiate()

        async def close(self, timeout: float = 0, reason: str = "") -> Any:
            """What a worker holds is not needed any more: it is not waited for."""
            return await super().close(timeout=_GRACE_SECONDS, reason=reason or "the work is done")

    return Nanny
