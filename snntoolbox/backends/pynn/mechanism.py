"""NEURON's own neuron for this package: compiled once per version and machine, kept in the user's cache."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import IO

from snntoolbox.errors import BackendError
from snntoolbox.ir.writing import write_bytes

log = logging.getLogger(__name__)

MECHANISM = "SNNToolboxIF"
SOURCE = "snntoolbox_if.mod"
TOOLS = ("g++", "make")


def compiled_mechanism(version: str) -> Path:
    """The folder with the compiled mechanism, for this version of NEURON; BackendError where it cannot be compiled."""
    source = files("snntoolbox.backends.pynn").joinpath("mechanisms", SOURCE).read_bytes()
    key = hashlib.sha256(b"\0".join([source, version.encode(), platform.machine().encode()])).hexdigest()[:16]
    folder = cache() / f"neuron-{key}"
    if not folder.exists():
        _compile(source, folder)
    return folder


def cache() -> Path:
    """Where compiled files of this package are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "snntoolbox"


def compiler() -> str:
    """NEURON's compiler of mechanisms; BackendError if it or what it needs is missing."""
    beside = Path(sys.executable).with_name("nrnivmodl")
    found = str(beside) if beside.exists() else shutil.which("nrnivmodl")
    if missing := [*([] if found else ["nrnivmodl"]), *(t for t in TOOLS if shutil.which(t) is None)]:
        raise BackendError(
            f"NEURON has to compile a neuron model, and there is no {' and no '.join(missing)}",
            hint="install a C++ compiler (on Debian or Ubuntu: apt install g++ make), and snntoolbox[pynn]",
        )
    assert found is not None
    return found


@contextlib.contextmanager
def pynn_compiles() -> Iterator[None]:
    """While PyNN is imported on NEURON: the very first time it compiles its own mechanisms, inside its package.

    It looks for the compiler on the path, but that lies beside the interpreter where an environment is not activated;
    and of several processes that import PyNN at once, one should compile.
    """
    before = os.environ.get("PATH", "")
    os.environ["PATH"] = f"{Path(compiler()).parent}{os.pathsep}{before}"
    cache().mkdir(parents=True, exist_ok=True)
    try:
        with (cache() / "pynn.lock").open("w") as lock:
            _wait_for(lock)
            yield
    except (OSError, TypeError) as error:
        raise BackendError(
            f"PyNN cannot compile its mechanisms for NEURON: {error}",
            hint="import pyNN.neuron once as a user who may write into its package",
        ) from error
    finally:
        os.environ["PATH"] = before


def _wait_for(lock: IO[str]) -> None:
    """Hold the lock until the file is closed, where the system has such locks."""
    with contextlib.suppress(ImportError):
        import fcntl

        fcntl.flock(lock, fcntl.LOCK_EX)


def _compile(source: bytes, folder: Path) -> None:
    """Compile beside the folder and move there at the end: two processes may do so at the same time."""
    command = [compiler(), "."]
    log.info("compiling NEURON's mechanism into %s", folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as name:
            made = Path(name) / folder.name
            made.mkdir()
            write_bytes(made / SOURCE, source)
            done = subprocess.run(command, cwd=made, capture_output=True, text=True)
            if done.returncode:
                last = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
                raise BackendError(f"NEURON's mechanism does not compile:\n{last}", hint="is nrnivmodl of this NEURON?")
            if not folder.exists():
                made.rename(folder)
    except OSError as error:
        raise BackendError(
            f"NEURON's mechanism cannot be kept in {folder}: {error}", hint="set XDG_CACHE_HOME to a folder to write to"
        ) from error
