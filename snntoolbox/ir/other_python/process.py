"""A script that answers in another interpreter, in a group of processes of its own."""

from __future__ import annotations

import contextlib
import json
import math
import os
import select
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from snntoolbox.ir.other_python.installation import surroundings

_LAST_LINES = 15
_ANSWERING = Path(__file__).with_name("answering.py")


class EndedError(Exception):
    """The process has ended by itself; says how, and the last of what it printed."""


class FailedError(Exception):
    """The script has raised an error, and this is what it says."""


class OtherProcess:
    """Has ``answer(request)`` of a script called there, for one request after the other; both are JSON.

    `further` joins its environment. After an error, or an interrupt, the process is no more: libraries may be left in
    any state.
    """

    def __init__(self, python: str, script: Path, further: Mapping[str, str] | None = None) -> None:
        self.log = tempfile.NamedTemporaryFile("w+", prefix="snntoolbox-", suffix=".log", errors="replace")  # noqa: SIM115
        self.lock = threading.Lock()
        self.process = subprocess.Popen(
            [python, str(_ANSWERING), str(script), self.log.name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
            start_new_session=True, env=surroundings() | dict(further or {}),
        )  # fmt: skip
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.asked, self.answered = self.process.stdin, self.process.stdout

    @property
    def alive(self) -> bool:
        """Whether it can take a request."""
        return self.process.poll() is None

    @property
    def printed(self) -> str:
        """What was printed there so far."""
        self.log.seek(0)
        return self.log.read()

    def ask(self, request: Any, seconds: float = math.inf) -> Any:
        """The answer; `EndedError`, `FailedError`, or TimeoutError after so many seconds."""
        try:
            with self.lock:
                said = self._answer(request, seconds)
            if said["error"]:
                raise FailedError(said["error"])
        except BaseException:
            self.end()
            raise
        return said["answer"]

    def _answer(self, request: Any, seconds: float) -> Mapping[str, Any]:
        if self.asked.closed:
            raise EndedError("(after an error before)")
        try:
            self.asked.write(json.dumps(request).encode() + b"\n")
            self.asked.flush()
            if seconds < math.inf and not select.select([self.answered], [], [], seconds)[0]:
                raise TimeoutError(f"no answer in {seconds:.0f} s")
            line = self.answered.readline()
        except BrokenPipeError:
            line = b""
        if not line:
            raise EndedError(ending(self.process.wait(), self.printed))
        said: Mapping[str, Any] = json.loads(line)
        return said

    def end(self) -> None:
        """Stop it and all that it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for close in (self.asked.close, self.answered.close, self.log.close):
            with contextlib.suppress(OSError):
                close()


def ending(code: int | None, printed: str) -> str:
    """How a process ended, with the last lines of what it printed."""
    reason = f"signal {signal.Signals(-code).name}" if code is not None and code < 0 else f"exit code {code}"
    quoted = "".join(f"\n    | {line}" for line in printed.splitlines()[-_LAST_LINES:])
    return f"({reason}){quoted}"
