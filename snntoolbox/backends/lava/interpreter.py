"""The Python that runs Lava, which is another one than ours: where it is, and whether Lava is in it."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

from snntoolbox.errors import BackendError

log = logging.getLogger(__name__)

DEFAULT = "python3.10"
_SECONDS = 60.0
_ASK = "import importlib.util as u, sys; print(*sys.version_info[:2], u.find_spec('lava') is not None)"
_OURS = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")

HOW = (
    "Lava needs Python 3.10 beside ours: `python3.10 -m venv ~/lava && ~/lava/bin/pip install lava-nc` "
    "(or `uv venv -p 3.10 ~/lava && uv pip install -p ~/lava lava-nc`), then [lava] python = ~/lava/bin/python, "
    "in Python python='~/lava/bin/python'"
)


def surroundings() -> dict[str, str]:
    """The environment of another interpreter: without what is meant for ours."""
    return {name: value for name, value in os.environ.items() if name not in _OURS}


def found(python: str) -> str:
    """The path of the interpreter, which has Lava; BackendError says what is missing and how it is made."""
    path = shutil.which(str(Path(python).expanduser()))
    if path is None:
        raise BackendError(f"simulator 'lava': there is no interpreter '{python}'", hint=HOW)
    if os.sep in python:
        _tell(path)
    if wrong := _wrong(path):
        raise BackendError(f"simulator 'lava': '{python}' {wrong}", hint=HOW)
    return path


@cache
def _tell(path: str) -> None:
    """Says once that what a configuration names is run."""
    log.warning("'%s' is a program, and is run for Lava", path)


@cache
def _wrong(path: str) -> str:
    """What keeps an interpreter from running Lava; nothing is imported there."""
    try:
        asked = subprocess.run(
            [path, "-c", _ASK], capture_output=True, text=True, timeout=_SECONDS, env=surroundings(), check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"cannot be started: {error}"
    words = asked.stdout.split()
    if asked.returncode or len(words) != 3:
        return f"is no Python interpreter, or a broken one (exit code {asked.returncode})"
    if words[2] != "True":
        return f"(Python {words[0]}.{words[1]}) has no module lava"
    return ""


def there(python: str = DEFAULT) -> bool:
    """Whether an interpreter has Lava."""
    try:
        found(python)
    except BackendError:
        return False
    return True
