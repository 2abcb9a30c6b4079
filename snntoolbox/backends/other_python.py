"""A Python other than ours that runs a simulator: where it is, and whether the simulator is in it."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from snntoolbox.errors import BackendError

log = logging.getLogger(__name__)

_SECONDS = 600.0
_ASK = "import importlib.util as u, sys; print(*sys.version_info[:2], u.find_spec('{}') is not None)"
_OURS = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")


def surroundings() -> dict[str, str]:
    """The environment of another interpreter: without what is meant for ours."""
    return {name: value for name, value in os.environ.items() if name not in _OURS}


@dataclass(frozen=True, kw_only=True)
class Interpreter:
    """What a simulator needs of one: its `module`; `usual` is taken where the user names none, `how` makes one.

    target: the name of our simulator or exporter; library: what it is called in messages.
    """

    target: str
    library: str
    module: str
    usual: str
    how: str

    def found(self, python: str) -> str:
        """The path of an interpreter that has it; BackendError says what is missing and how it is made."""
        path = shutil.which(str(Path(python).expanduser()))
        if path is None:
            raise BackendError(f"{self.target}: there is no interpreter '{python}'", hint=self.how)
        if os.sep in python and python != self.usual:
            _tell(path, self.library)
        if wrong := _wrong(path, self.module):
            raise BackendError(f"{self.target}: '{python}' {wrong}", hint=self.how)
        return path

    def there(self) -> bool:
        """Whether the usual interpreter has it."""
        try:
            self.found(self.usual)
        except BackendError:
            return False
        return True


@cache
def _tell(path: str, library: str) -> None:
    """Says once that what a configuration names is run."""
    log.warning("'%s' is a program, and is run for %s", path, library)


@cache
def _wrong(path: str, module: str) -> str:
    """What keeps an interpreter from running it; nothing is imported there."""
    try:
        asked = subprocess.run(
            [path, "-c", _ASK.format(module)],
            capture_output=True, text=True, timeout=_SECONDS, env=surroundings(), check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"cannot be started: {error}"
    words = asked.stdout.split()
    if asked.returncode or len(words) != 3:
        return f"is no Python interpreter, or a broken one (exit code {asked.returncode})"
    if words[2] != "True":
        return f"(Python {words[0]}.{words[1]}) has no module {module}"
    return ""
