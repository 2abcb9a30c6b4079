"""Has a script of a backend answer in interpreters of the user's, in one process for each of them."""

from __future__ import annotations

import atexit
from pathlib import Path
from typing import Any

from snntoolbox.backends.isolated import death
from snntoolbox.errors import BackendError
from snntoolbox.ir.other_python.process import EndedError, FailedError, OtherProcess

_processes: dict[tuple[str, Path], OtherProcess] = {}
"""They are kept, as importing a library takes seconds. Requests hold all that they are about."""


def answer_of(python: str, script: Path, request: Any, *, simulator: str) -> Any:
    """What ``answer(request)`` of a script says there; BackendError if it raises one, DiedError if the process dies.

    `simulator` is what the backend is called in messages.
    """
    process = _processes.get((python, script))
    if process is None or not process.alive:
        process = _processes[python, script] = OtherProcess(python, script)
    try:
        return process.ask(request)
    except FailedError as error:
        raise BackendError(f"simulator '{simulator}' failed: {error}") from None
    except EndedError as error:
        raise death(simulator, str(error)) from None


@atexit.register
def end_processes() -> None:
    """End all of them."""
    while _processes:
        _processes.popitem()[1].end()
