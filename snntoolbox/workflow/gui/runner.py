"""Runs one command at a time in a process of its own, follows it, and stops it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snntoolbox.errors import SNNToolboxError
from snntoolbox.ir.scratch import Scratch
from snntoolbox.workflow.gui.followed import Told, after

PATIENCE_SECONDS = 15.0
"""So long a command that was asked to stop may clean up; then it is killed."""

PROGRAM = (sys.executable, "-P", "-m", "snntoolbox")
"""With -P no file of the folder is taken for a module."""

_LAST_BYTES = 20_000
_MOST_REPORT = 20_000_000


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit `code`, negative for a signal; `output` is the end of what it printed."""

    command: str
    arguments: tuple[str, ...]
    code: int
    output: str
    was_stopped: bool
    seconds: float

    @property
    def words(self) -> str:
        """In a sentence."""
        time_taken = f"after {self.seconds:.0f} s"
        if self.was_stopped:
            return f"{self.command} was stopped {time_taken}"
        if self.code < 0:
            return f"{self.command} was killed by {signal.Signals(-self.code).name} {time_taken}"
        if self.code == 0:
            return f"{self.command} is done {time_taken}"
        return f"{self.command} ended with exit code {self.code} {time_taken}"


class _Running:
    """A process in a group of its own, with the files that it writes to."""

    def __init__(self, program: Sequence[str], command: str, arguments: Sequence[str], folder: Path) -> None:
        self.command, self.arguments = command, tuple(arguments)
        self.started, self.stopped = time.monotonic(), 0.0
        self.place = Scratch(prefix="snntoolbox-gui-")
        self.lines, self.output, self.report = (self.place.path / n for n in ("lines", "output", "report"))
        self.lines.touch()
        # Standard input ends with this process, however it dies, and the command with it.
        words = [*program, command, *arguments, "--end-with-input", f"--progress={self.lines}"]
        with self.output.open("wb") as errors, self.report.open("wb") as report:
            out = report if "--json" in arguments else errors
            self.process = subprocess.Popen(
                words, cwd=folder, stdin=subprocess.PIPE, stdout=out, stderr=errors, start_new_session=True
            )
        self._read = 0

    def new_lines(self) -> list[str]:
        """Whole lines that came since the last time."""
        with self.lines.open("rb") as file:
            file.seek(self._read)
            data = file.read()
        whole = data.rpartition(b"\n")[0]
        self._read += len(whole) + (1 if whole else 0)
        return whole.decode(errors="replace").splitlines()

    def last_words(self) -> str:
        """The end of what it printed."""
        with self.output.open("rb") as file:
            file.seek(max(0, self.output.stat().st_size - _LAST_BYTES))
            return file.read().decode(errors="replace").rstrip().lstrip("\n")

    def data(self) -> bytes:
        """What it printed as JSON."""
        with self.report.open("rb") as file:
            return file.read(_MOST_REPORT)

    def close(self) -> None:
        """It has ended: end what it may have left."""
        self.send(signal.SIGKILL)
        assert self.process.stdin is not None
        self.process.stdin.close()

    def send(self, number: int) -> None:
        """A signal to it and all that it has started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)


class Runner:
    """One command at a time; `told` is what it said, `ended` how the last one ended, `data` what it printed as JSON."""

    def __init__(self, folder: Path, program: Sequence[str] = PROGRAM) -> None:
        self._folder, self._program = folder, program
        self._running: _Running | None = None
        self.told = Told()
        self.ended: Ended | None = None
        self.data = b""

    @property
    def command(self) -> str:
        """The one that runs; empty if none does."""
        return "" if self._running is None else self._running.command

    @property
    def seconds(self) -> float:
        """Since it began."""
        return 0.0 if self._running is None else time.monotonic() - self._running.started

    @property
    def is_stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._running is not None and self._running.stopped > 0

    @property
    def can_stop(self) -> bool:
        """Whether one runs that was not asked to stop yet."""
        return self._running is not None and not self.is_stopping

    @property
    def pid(self) -> int:
        """Its process; 0 if none runs."""
        return 0 if self._running is None else self._running.process.pid

    def start(self, command: str, arguments: Sequence[str]) -> None:
        """Start a command in the folder; SNNToolboxError while another one runs."""
        if self._running is not None:
            raise SNNToolboxError(f"{self.command} is running: one at a time", hint="wait for it, or stop it")
        self.told, self.ended, self.data = Told(), None, b""
        try:
            self._running = _Running(self._program, command, arguments, self._folder)
        except OSError as error:
            raise SNNToolboxError(f"{command} cannot be started: {error}") from error

    def poll(self) -> bool:
        """Take in what was said since; whether a command has ended by now that had not before."""
        running = self._running
        if running is None:
            return False
        code = running.process.poll()
        self.told = after(self.told, running.new_lines())
        if code is None:
            if running.stopped and time.monotonic() - running.stopped > PATIENCE_SECONDS:
                running.send(signal.SIGKILL)
            return False
        running.close()
        seconds = time.monotonic() - running.started
        self.ended = Ended(running.command, running.arguments, code, running.last_words(), running.stopped > 0, seconds)
        self.data, self._running = running.data(), None
        running.place.close()
        return True

    def output(self) -> str:
        """The end of what was printed so far."""
        return self._running.last_words() if self._running is not None else self.ended.output if self.ended else ""

    def stop(self) -> None:
        """Ask it to end, as Ctrl-C does; whoever does not is killed some seconds later."""
        if self._running is not None and not self._running.stopped:
            self._running.stopped = time.monotonic()
            self._running.send(signal.SIGINT)

    def close(self, patience: float = 5.0) -> None:
        """End it, as the page ends."""
        self.stop()
        end = time.monotonic() + patience
        while self._running is not None and not self.poll() and time.monotonic() < end:
            time.sleep(0.05)
        if self._running is not None:
            self._running.send(signal.SIGKILL)
            self._running.process.wait()
            self.poll()


def read_by(data: bytes) -> Mapping[str, Any]:
    """What a command printed as JSON; empty where that is none."""
    import json

    with suppress(ValueError):
        found = json.loads(data)
        return found if isinstance(found, dict) else {}
    return {}
