"""Runs the samples on one simulator, a few at a time, and keeps what is finished when it dies."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from snntoolbox.analysis.comparison.comparison import Status
from snntoolbox.backends.checking import build_network, check_record
from snntoolbox.backends.legalize import legalized
from snntoolbox.backends.protocol import Backend, Executable
from snntoolbox.errors import DiedError, SNNToolboxError, UnsupportedError
from snntoolbox.ir.features import BATCHES
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.result import Record, Result

log = logging.getLogger(__name__)

MOST_CELLS = 2**26
"""About how many cells (neuron, step, sample) are recorded at once."""

RASTERS = Record(spikes=True, outputs_per_step=False)
"""What is compared."""


@dataclass(frozen=True, eq=False)
class Task:
    """What all simulators are given: a network, samples of each input, steps; `batch_size` samples at most at once."""

    network: SpikingNetwork
    x: Sequence[Array]
    steps: int
    batch_size: int

    @property
    def samples(self) -> int:
        """The number of samples."""
        return len(self.x[0])

    def pieces(self, together: bool) -> Iterator[tuple[int, int]]:
        """First and last sample (exclusive) of each piece: one by one where samples do not run together."""
        fitting = MOST_CELLS // max(1, self.network.neurons * self.steps)
        size = max(1, min(self.batch_size, fitting)) if together else 1
        for first in range(0, self.samples, size):
            yield first, min(first + size, self.samples)


class Runner:
    """One simulator with the network on it; `status` and `reason` say what became of it."""

    def __init__(
        self, backend: Backend, task: Task, options: Mapping[str, Any] | None = None, *, force: bool = False
    ) -> None:
        self.backend, self.task, self.options, self.force = backend, task, options or {}, force
        self.status, self.reason = Status.RAN, ""
        self.seconds_to_build = self.seconds_to_run = 0.0
        self._executable: Executable | None = None

    def open(self, stack: ExitStack) -> bool:
        """Build the network and let `stack` close it; False where that is not possible, with the reason."""
        begin = time.perf_counter()
        try:
            self._check()
            network = legalized(self.task.network, self.backend, self.task.x)
            built = build_network(self.backend, network, self.options, force=self.force)
            self._executable = stack.enter_context(built)
        except DiedError as error:
            self._ended(error, Status.DIED)
        except SNNToolboxError as error:
            refused = isinstance(error, UnsupportedError) or self.backend.capabilities.installed()
            self._ended(error, Status.REFUSED if refused else Status.MISSING)
        except Exception as error:
            self._ended(error, Status.DIED)
        self.seconds_to_build = time.perf_counter() - begin
        return self._executable is not None

    def _check(self) -> None:
        backend = self.backend
        backend.capabilities.require(backend.name)
        check_record(backend, RASTERS)

    def results(self) -> Iterator[tuple[int, int, Result]]:
        """First and last sample (exclusive) and the result of each piece; ends early where the simulator dies."""
        for first, stop in self.task.pieces(BATCHES in self.backend.capabilities.features):
            begin = time.perf_counter()
            try:
                result = self._run(first, stop, RASTERS)
            except Exception as error:  # whatever one simulator does, the others go on
                refuses = isinstance(error, SNNToolboxError) and not isinstance(error, DiedError) and not first
                self._ended(error, Status.REFUSED if refuses else Status.DIED)
                return
            self.seconds_to_run += time.perf_counter() - begin
            yield first, stop, result

    def again(self, sample: int, record: Record) -> Result | None:
        """One sample once more; None where the simulator cannot any more. What it did before stands."""
        try:
            return self._run(sample, sample + 1, record)
        except Exception as error:
            log.debug("'%s' cannot run sample %d again", self.backend.name, sample, exc_info=error)
            return None

    def _run(self, first: int, stop: int, record: Record) -> Result:
        assert self._executable is not None
        x = [a[first:stop] for a in self.task.x]
        return self._executable.run(*x, steps=self.task.steps, record=record, first_sample=first)

    def _ended(self, error: Exception, status: Status) -> None:
        said = str(error) if isinstance(error, SNNToolboxError) else f"{type(error).__name__}: {error}"
        self.status, self.reason = status, said
        log.debug("simulator '%s' %s", self.backend.name, status, exc_info=error)


Progress = Callable[[str, int], None]
"""Is told the simulator and how many more samples it has finished."""
