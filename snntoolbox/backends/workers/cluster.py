"""Worker processes, here or on a cluster, that do pieces of work, in order."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager, suppress
from importlib.metadata import version
from importlib.util import find_spec
from itertools import islice
from types import TracebackType
from typing import Any, Self

from snntoolbox.backends.workers.local import BUSY_SECONDS, cores, dask, event_loop, local_workers, silenced
from snntoolbox.errors import BackendError, SNNToolboxError
from snntoolbox.ir.interrupts import held_back

VERSION = version("snntoolbox")

log = logging.getLogger(__name__)

AHEAD = 2
"""Pieces per worker that are on their way at once: one is done, the next one is there already."""

TRIES = 4
"""How often a piece is begun whose worker ends each time."""

MOST_PER_CORE = 16
"""Beyond so many processes per core a number of workers is a slip of the pen."""

CONNECT_SECONDS = 30.0
"""So long a scheduler that others have started may take to answer; ours is there, however long it takes."""

FIRST_SECONDS = 30.0
"""So long it may be before it has a first worker."""

PATIENCE_SECONDS = 300.0
"""How long a cluster may be without any worker later."""

_LOOK_SECONDS = 1.0
_CONNECTED = ("running", "connecting")
_CLOSE_SECONDS = 2.0
_SETTINGS = {
    # Simulators that run in processes of their own are children of a worker.
    "distributed.worker.daemon": False,
    # Samples go along with their piece of work: they are still there when its worker is not.
    "distributed.admin.large-graph-warning-threshold": "1 TiB",
    # The last messages are kept for debugging, a thousand of them unless told otherwise: the samples are in them.
    "distributed.admin.low-level-log-length": 2,
    "distributed.scheduler.allowed-failures": TRIES - 1,
}
_OWN_SETTINGS = {
    # A process of this machine that has ended closes its connections: one that says nothing is only busy. New ones have
    # Dask's usual time, as one to a worker that has ended is tried until it is over.
    "distributed.comm.timeouts.tcp": BUSY_SECONDS,
    "distributed.scheduler.worker-ttl": None,
    # What Dask looks at in each process, for web pages that there are none of and for its logs: stacks a hundred times
    # a second, its loop fifty times, memory and disks twice.
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "10s",
    # Dask has the C library give memory back at each chance: the arrays of each batch would be new pages, which the
    # kernel fills with zeros first.
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None,
    # Results come from the workers themselves, not by the scheduler, which would read and write them once more.
    "distributed.client.direct-to-workers": True,
}


def check(workers: int, scheduler: str) -> None:
    """BackendError where these worker processes cannot be asked for, or Dask is missing."""
    if workers < 0:
        raise BackendError(f"workers = {workers} is below 0")
    if workers > (most := MOST_PER_CORE * cores()):
        hint = f"workers = {cores()} keeps all cores busy"
        raise BackendError(f"workers = {workers} is too many for {cores()} cores: {most} at most", hint=hint)
    if workers and scheduler:
        raise BackendError("both workers and a scheduler are given", hint="a scheduler has workers of its own")
    if (workers > 1 or scheduler) and find_spec("distributed") is None:
        raise BackendError("several workers need Dask", hint="pip install 'snntoolbox[dask]'")


def check_reachable(scheduler: str) -> None:
    """BackendError where no scheduler answers, or its workers cannot do our work."""
    with Cluster(scheduler=scheduler):
        pass


class Cluster:
    """`workers` processes on this machine, or those of the Dask scheduler at an address such as tcp://host:8786.

    A context manager; processes that it started end with it, and with this process whatever happens. Workers that
    lack this package or have another version of it are refused with a BackendError.
    """

    def __init__(self, workers: int = 0, scheduler: str = "") -> None:
        self.workers, self.scheduler = workers, scheduler
        self._client: Any = None
        self._stack = ExitStack()
        self._seen, self._looked = 0, 0.0

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            with held_back():  # Dask, stopped while it starts, leaves processes behind
                dask("distributed")  # first: settings that are taken back would take those that it brings with them
                settings = _SETTINGS if self.scheduler else {**_SETTINGS, **_OWN_SETTINGS}
                stack.enter_context(dask("dask").config.set(settings))
                stack.enter_context(silenced())
                loop = stack.enter_context(event_loop())
                where = self.scheduler or stack.enter_context(local_workers(self.workers, loop))
                seconds = CONNECT_SECONDS if self.scheduler else BUSY_SECONDS
                self._client = stack.enter_context(_connected(where, loop, seconds))
                self._check_versions(FIRST_SECONDS if self.scheduler else BUSY_SECONDS)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client = None
        with held_back():
            self._stack.close()

    def __len__(self) -> int:
        """How many workers there are now."""
        try:
            return len(self._client.nthreads())
        except OSError:
            raise self._lost() from None

    def lately(self) -> int:
        """How many workers there are or were within the last second: to ask takes about a millisecond."""
        if not self._seen or time.monotonic() - self._looked > _LOOK_SECONDS:
            self._seen, self._looked = len(self), time.monotonic()
        return self._seen

    @property
    def address(self) -> str:
        """Where its scheduler answers."""
        return str(self._client.scheduler.address)

    def ordered(
        self, work: Callable[..., Any], shared: Any, pieces: Iterable[tuple[Any, ...]], *, name: str
    ) -> Generator[Any, None, None]:
        """``work(shared, *piece)`` for each piece, in order, each handed out as soon as it is there.

        `shared` goes once to each worker. Pieces are taken from their iterator only so far ahead as keeps the workers
        busy, so memory does not grow with their number. The piece of a worker that ends is done again. `name`, for
        messages, says what a piece is. Errors of ours are raised as they are, others as BackendError.
        """
        everywhere = _Everywhere(self._client, shared)
        waiting: deque[_Piece] = deque()
        source = iter(pieces)
        try:
            while True:
                room = AHEAD * max(self.lately(), self.workers, 1) - len(waiting)
                waiting.extend(_Piece(self._client, everywhere, work, a) for a in islice(source, max(room, 0)))
                if not waiting:
                    return
                yield self._awaited(waiting.popleft(), name)
        finally:
            with suppress(Exception):  # a connection that is gone has nothing to cancel
                self._client.cancel([piece.future for piece in waiting], force=True)

    def everywhere(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call a function on every worker, for what it does there; one that cannot be reached is left alone."""
        with suppress(Exception):
            self._client.run(function, *arguments, on_error="ignore")

    def _awaited(self, piece: _Piece, name: str) -> Any:
        """What comes of a piece; OSErrors on the way are those of the connection: those of the work are its outcome."""
        try:
            return self._outcome(piece, name)
        except SNNToolboxError:
            raise
        except OSError:
            raise self._lost() from None

    def _outcome(self, piece: _Piece, name: str) -> Any:
        since = time.monotonic()
        while True:
            try:
                if (error := piece.future.exception(timeout=_LOOK_SECONDS)) is None:
                    return piece.future.result(timeout=PATIENCE_SECONDS)
            except CancelledError:  # the scheduler was started again, or another user restarted its workers
                self._check_connected()
                piece.again(name)
            except TimeoutError:
                self._check_connected()
            else:
                raise _told(error, name)
            if len(self):
                since = time.monotonic()
            elif time.monotonic() - since > PATIENCE_SECONDS:
                raise _none_left()

    def _check_connected(self) -> None:
        if self._client.status not in _CONNECTED:
            raise self._lost()

    def _lost(self) -> BackendError:
        return BackendError(f"the connection to the scheduler {self.scheduler} is lost")

    def _check_versions(self, seconds: float) -> None:
        """Every worker has this package in this version; the first one is waited for so long."""
        try:
            self._client.wait_for_workers(1, timeout=seconds)
        except TimeoutError:
            raise BackendError(
                f"scheduler {self.scheduler} has no workers", hint="start some: dask worker ADDRESS"
            ) from None
        found = self._client.run(_probe(), on_error="return")
        wrong = {worker: text for worker, text in found.items() if text != VERSION}
        if wrong:
            rows = "".join(f"\n    {worker}: {text}" for worker, text in sorted(wrong.items()))
            raise BackendError(
                f"workers need snntoolbox {VERSION}, as here; there is{rows}",
                hint="install the same version of snntoolbox where the workers run, and start them again",
            )


class _Everywhere:
    """What all pieces share, at every worker; sent anew where a restarted scheduler knows of it no more."""

    def __init__(self, client: Any, shared: Any) -> None:
        self._client, self._shared = client, shared
        self.send()

    def send(self) -> None:
        # A piece of work, too: Dask does it again where a worker that held it ends, and passes it on to the others.
        self.future = self._client.submit(_given, self._shared, pure=False)


class _Piece:
    """One piece of work on its way."""

    def __init__(
        self, client: Any, everywhere: _Everywhere, work: Callable[..., Any], arguments: Sequence[Any]
    ) -> None:
        self._client, self._everywhere, self._work, self._arguments = client, everywhere, work, arguments
        self.tries = 1
        self._submit()

    def _submit(self) -> None:
        self._shared = self._everywhere.future
        self.future = self._client.submit(self._work, self._shared, *self._arguments, pure=False)

    def again(self, name: str) -> None:
        self.tries += 1
        if self.tries > TRIES:
            raise _ended(name)
        try:
            self._client.wait_for_workers(1, timeout=PATIENCE_SECONDS)
        except TimeoutError:
            raise _none_left() from None
        if self._everywhere.future is self._shared:  # no other piece has sent it anew yet
            self._everywhere.send()
        self._submit()


def _given(value: Any) -> Any:
    return value


# -- what goes wrong ------------------------------------------------------------------------------------------------


def _told(error: BaseException, name: str) -> SNNToolboxError:
    """An error of a worker as one of ours, without the traces of Dask."""
    if isinstance(error, SNNToolboxError):
        return error.with_traceback(None)
    if type(error).__name__ == "KilledWorker":
        return _ended(name)
    return BackendError(f"{name} failed on a worker: {type(error).__name__}: {error}")


def _none_left() -> BackendError:
    return BackendError("there are no workers any more", hint="start workers, then run again")


def _ended(name: str) -> BackendError:
    return BackendError(
        f"{TRIES} worker processes ended while they did {name}",
        hint="they may have run out of memory: fewer workers, or a smaller batch_size",
    )


def _probe() -> Callable[[], str]:
    """A function that gives the version there; nested, so that it travels whole to where this package is missing."""

    def found() -> str:
        from importlib.metadata import version

        try:
            import snntoolbox.errors  # noqa: F401 - the package may be there and broken

            return version("snntoolbox")
        except Exception as error:
            return f"no snntoolbox ({error})"

    return found


# -- connections ------------------------------------------------------------------------------------------------------


def _client(base: type[Any]) -> type[Any]:
    """A connection that is closed where it cannot be made: whenever Python drops it, its loop may have ended."""

    class Client(base):  # type: ignore[misc]
        def start(self, **options: Any) -> Any:
            try:
                return super().start(**options)
            except BaseException:
                with suppress(Exception):
                    self.close(timeout=_CLOSE_SECONDS)
                raise

    return Client


@contextmanager
def _connected(where: Any, loop: Any, seconds: float) -> Iterator[Any]:
    try:
        client = _client(dask("distributed").Client)(where, loop=loop, timeout=seconds, set_as_default=False)
    except TypeError:  # Dask's way to say that it has no certificate for a tls:// address
        raise BackendError(
            f"the scheduler {where} wants certificates, and Dask is configured with none",
            hint="DASK_DISTRIBUTED__COMM__TLS__CA_FILE and its kin name them (docs: large runs)",
        ) from None
    except (OSError, ValueError) as error:
        raise BackendError(
            f"no Dask scheduler answers at {where}: {error}",
            hint="scheduler = tcp://host:8786, as `dask scheduler` tells",
        ) from None
    try:
        yield client
    finally:
        client.close(timeout=_CLOSE_SECONDS)
