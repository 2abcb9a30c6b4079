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

from snntoolbox.errors import BackendError

log = logging.getLogger(__name__)

MECHANISM = "SNNToolboxIF"
SOURCE = "snntoolbox_if.mod"
TOOLS = ("g++", "make")


def compiled_mechanism(version: str) -> Path:
    """The folder with the compiled mechanism, for this version of NEURON; BackendError where it cannot be compiled."""
    source = files("snntoolbox.backends.pynn").joinpath("mechanisms", SOURCE).read_bytes()
    key = hashlib.sha256(b"\0".join([source, version.encode(), platform.machine().encode()])).hexdigest()[:16]
    folder = cache() / f"neuron-{key}"
    if not (folder / platform.machine()).exists():
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
def compiler_on_path() -> Iterator[None]:
    """Let others find the compiler too: it lies beside the interpreter, where an environment is not activated."""
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{Path(compiler()).parent}{os.pathsep}{before}"
    try:
        yield
    finally:
        os.environ["PATH"] = before


def _compile(source: bytes, folder: Path) -> None:
    """Compile beside the folder and move there at the end: two processes may do so at the same time."""
    command = [compiler(), "."]
    log.info("compiling NEURON's mechanism into %s", folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as name:
            made = Path(name) / folder.name
            made.mkdir()
            (made / SOURCE).write_bytes(source)
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
