"""Runs a simulator in a process of its own: global state stays there, and a crash does not take the caller along."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import tempfile
import threading
import traceback
from collections.abc import Callable, Mapping
from importlib import import_module
from multiprocessing import current_process, get_context, parent_process
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any, Self

from snntoolbox import errors
from snntoolbox.backends.main_module import no_main_module
from snntoolbox.backends.protocol import Executable
from snntoolbox.backends.retold import Retold, sending
from snntoolbox.errors import BackendError, DiedError, SNNToolboxError
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.other_python.process import ending
from snntoolbox.ir.progress import is_watched, watched
from snntoolbox.ir.result import Record, Result

_SECONDS_TO_END = 5.0
_idle: dict[tuple[str, str], _Worker] = {}
"""Workers that wait for their next network: importing a simulator takes seconds, building a small network none."""


class Isolated:
    """An executable whose real one lives in another process.

    `factory` is 'module:callable'; there it is called as ``callable(network, **options)`` and must give an
    `Executable`. `name` is the backend's, for messages. A process serves one network at a time and is kept for the
    next one of the same `factory` and `group` (say, the simulator below PyNN) unless `keep` is False, so the callable
    must start from a clean simulator. A process that failed is never kept.
    """

    def __init__(
        self,
        factory: str,
        network: SpikingNetwork,
        options: Mapping[str, Any] | None = None,
        *,
        name: str,
        group: str = "",
        keep: bool = True,
    ) -> None:
        self.name, self.keep = name, keep
        self._key = (factory, group)
        self._worker: _Worker | None = _idle.pop(self._key, None)
        if self._worker is None or not self._worker.alive:
            self._worker = _Worker(name)
        self._ask("build", factory, network, dict(options or {}))

    def run(
        self,
        *x: Array,
        steps: int,
        record: Record | None = None,
        first_sample: int = 0,
        progress: Callable[[int], None] | None = None,
    ) -> Result:
        """Run one batch there; DiedError if the process dies."""
        given = {"steps": steps, "record": record, "first_sample": first_sample}
        result: Result = self._ask("run", x, given, progress is not None, progress=progress)
        return result

    def close(self) -> None:
        """Let the executable go; its process waits for the next network, or ends."""
        worker, self._worker = self._worker, None
        if worker is None:
            return
        try:
            worker.ask(("close",))
        except SNNToolboxError:
            # What fails while it is let go has no result to spoil; the process is not used again.
            worker.end()
            return
        if self.keep and self._key not in _idle:
            _idle[self._key] = worker
        else:
            worker.end()

    def _ask(self, *request: Any, progress: Callable[[int], None] | None = None) -> Any:
        if self._worker is None:
            raise BackendError("the simulation is closed", hint="build the network again")
        try:
            return self._worker.ask(request, progress)
        except BaseException:
            self._worker.end()
            self._worker = None
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Worker:
    """The other process, seen from here."""

    def __init__(self, name: str) -> None:
        self.name = name
        if current_process().daemon:
            raise BackendError(
                f"simulator '{name}' needs a process of its own, and this one may not start any",
                hint="start Dask's workers with the environment variable DASK_DISTRIBUTED__WORKER__DAEMON=False",
            )
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        # What it prints; gone with this process, as the file is when it is closed or collected.
        self.log = tempfile.NamedTemporaryFile("r", prefix="snntoolbox-", suffix=".log", errors="replace")  # noqa: SIM115
        arguments = (theirs, self.log.name, name)
        # A daemon ends with this process, whatever happens.
        self.process = context.Process(target=serve, args=arguments, name=f"snntoolbox {name}", daemon=True)
        with no_main_module():
            self.process.start()
        theirs.close()

    @property
    def alive(self) -> bool:
        """Whether it can take a request."""
        return self.process.is_alive()

    def ask(self, request: tuple[Any, ...], progress: Callable[[int], None] | None = None) -> Any:
        """The answer to a request; progress reported on the way is passed on."""
        try:
            self.pipe.send((is_watched(), request))
            with Retold() as retold:
                while True:
                    if not self.pipe.poll():
                        wait([self.pipe, self.process.sentinel])
                        if not self.pipe.poll():
                            raise EOFError
                    kind, content = self.pipe.recv()
                    if kind == "bar":
                        retold(*content)
                    elif kind != "progress":
                        break
                    elif progress is not None:
                        progress(content)
        except (EOFError, OSError):
            raise self._death() from None
        if kind == "error":
            raise content
        return content

    def _death(self) -> DiedError:
        self.process.join(_SECONDS_TO_END)
        return death(self.name, ending(self.process.exitcode, self.log.read()))

    def end(self) -> None:
        """Stop the process and drop what it printed."""
        self.pipe.close()
        self.process.terminate()
        self.process.join(_SECONDS_TO_END)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.log.close()


def death(name: str, how: str) -> DiedError:
    """The error of a simulator whose process has ended, and `how`: see `ending`."""
    return DiedError(
        f"the process of simulator '{name}' ended {how}",
        hint="it may have run out of memory: a smaller batch, or fewer neurons and synapses",
    )


@atexit.register
def end_idle() -> None:
    """End all processes that wait for a network."""
    while _idle:
        _idle.popitem()[1].end()


# -- in the other process -------------------------------------------------------------------------------------------


def serve(pipe: Connection, log: str, name: str) -> None:
    """Answer requests until the caller goes; everything printed goes to a file."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller is interrupted too, and ends this process
    threading.Thread(target=_end_with_caller, args=(log,), daemon=True).start()
    target = os.open(log, os.O_WRONLY | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(target, stream)
    executable: Executable | None = None
    with contextlib.suppress(EOFError, OSError):
        while True:
            try:
                is_told, request = pipe.recv()
            except (ImportError, AttributeError) as error:  # its class is not to be had here
                pipe.send(("error", _unknown(error, name)))
                continue
            try:
                with watched(sending(lambda said: pipe.send(("bar", said))) if is_told else None):
                    executable, answer = _answer(request, executable, pipe)
            except Exception as error:
                pipe.send(("error", _told(error, name)))
            else:
                pipe.send(("result", answer))


def _end_with_caller(log: str) -> None:
    """Also in the middle of a run: a caller that is killed cannot end this process."""
    caller = parent_process()
    assert caller is not None
    wait([caller.sentinel])
    with contextlib.suppress(OSError):
        os.unlink(log)
    os._exit(1)


def _answer(request: tuple[Any, ...], executable: Executable | None, pipe: Connection) -> tuple[Executable | None, Any]:
    """The executable after a request, and the answer."""
    kind, *content = request
    if kind == "build":
        factory, network, options = content
        module, _, attribute = factory.partition(":")
        return getattr(import_module(module), attribute)(network, **options).__enter__(), None
    assert executable is not None
    if kind == "close":
        executable.__exit__(None, None, None)
        return None, None
    x, given, wanted = content
    report = (lambda steps: pipe.send(("progress", steps))) if wanted else None
    return executable, executable.run(*x, **given, progress=report)


def _unknown(error: Exception, name: str) -> BackendError:
    hint = "define classes of your own in a module that can be imported, not in a script or a notebook"
    return BackendError(f"simulator '{name}' runs in a process that lacks a part of the network: {error}", hint=hint)


def _told(error: Exception, name: str) -> SNNToolboxError:
    """The error as the caller gets it: one of ours, never of a class that only the simulator's modules have."""
    told: SNNToolboxError
    if type(error).__module__ == errors.__name__ and isinstance(error, SNNToolboxError):
        told = error
    elif isinstance(error, SNNToolboxError):
        told = BackendError(error.message, layer=error.layer, hint=error.hint)
    elif isinstance(error, ImportError):
        hint = "its installation is damaged: install the extra again that `snntoolbox capabilities` names"
        told = BackendError(f"simulator '{name}' cannot be imported: {error}", hint=hint)
    else:
        told = BackendError(f"simulator '{name}' failed: {type(error).__name__}: {error}")
    told.add_note(traceback.format_exc())
    return told
