"""A Python other than ours that runs a library: where it is, and whether the library is in it."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from snntoolbox.errors import BackendError, SNNToolboxError

log = logging.getLogger(__name__)

_SECONDS = 600.0
_ASK = """
import importlib.util as u, json, sys
from importlib.metadata import PackageNotFoundError, version
def of(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
names = sys.argv[1:]
print(json.dumps([sys.version_info[:2], {n: of(n) if u.find_spec(n) else None for n in names}]))
"""
_OURS = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")


def surroundings() -> dict[str, str]:
    """The environment of another interpreter: without what is meant for ours."""
    return {name: value for name, value in os.environ.items() if name not in _OURS}


@dataclass(frozen=True, kw_only=True)
class Interpreter:
    """What something needs of one: its `modules`; `usual` is taken where the user names none, `how` makes one.

    target: what needs it, in messages; library: what runs there, in messages; least: version of each module below
    which it will not do; error: the kind of what is raised.
    """

    target: str
    library: str
    modules: tuple[str, ...]
    usual: str
    how: str
    least: Mapping[str, str] = field(default_factory=dict)
    error: type[SNNToolboxError] = BackendError

    def found(self, python: str) -> str:
        """The path of an interpreter that has it; an `error` says what is missing and how it is made."""
        path = shutil.which(str(Path(python).expanduser()))
        # Processes of it start in folders of their own. Links stay: that of an environment says which one it is.
        path = path and os.path.join(os.getcwd(), path)
        if path is None:
            raise self.error(f"{self.target}: there is no interpreter '{python}'", hint=self.how)
        if os.sep in python and python != self.usual:
            _tell(path, self.library)
        if wrong := self._wrong(path):
            raise self.error(f"{self.target}: '{python}' {wrong}", hint=self.how)
        return path

    def there(self) -> bool:
        """Whether the usual interpreter has it."""
        try:
            self.found(self.usual)
        except self.error:
            return False
        return True

    def _wrong(self, path: str) -> str:
        """What keeps an interpreter from running it: all that is missing, or too old."""
        asked = _asked(path, self.modules)
        if isinstance(asked, str):
            return asked
        (major, minor), versions = asked
        said = f"(Python {major}.{minor})"
        if missing := [name for name in self.modules if versions[name] is None]:
            return f"{said} has no module {' and no module '.join(missing)}"
        old = [f"{n} {versions[n]}" for n, least in self.least.items() if _is_older(versions[n] or least, least)]
        if old:
            return f"{said} has {' and '.join(old)}; {', '.join(f'{n} {v}' for n, v in self.least.items())} is needed"
        return ""


@cache
def _tell(path: str, library: str) -> None:
    """Says once that what a configuration names is run."""
    log.warning("'%s' is a program, and is run for %s", path, library)


def _is_older(version: str, least: str) -> bool:
    have, need = ([int(n) for n in re.findall(r"\d+", text)[:3]] for text in (version, least))
    return have < need


@cache
def _asked(path: str, modules: tuple[str, ...]) -> Any:
    """Its version, and module -> version (None where it is missing), or what is wrong; nothing is imported there."""
    try:
        asked = subprocess.run(
            [path, "-c", _ASK, *modules],
            capture_output=True, text=True, timeout=_SECONDS, env=surroundings(), check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"cannot be started: {error}"
    try:
        version, versions = json.loads(asked.stdout)
        return version, {name: versions[name] for name in modules}
    except (ValueError, KeyError, TypeError):
        return f"is no Python interpreter, or a broken one (exit code {asked.returncode})"
