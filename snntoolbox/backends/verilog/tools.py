"""Runs the simulators of Verilog: Icarus, which compiles at once, and Verilator, which then runs much faster."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

from snntoolbox.backends.programs import printed
from snntoolbox.errors import BackendError
from snntoolbox.ir.progress import bar, portion

PROGRAMS = {"icarus": "iverilog", "verilator": "verilator"}
"""What each simulator's compiler is called; it is also the name of its Debian package."""
_LAST_LINES = 15


def present() -> list[str]:
    """The simulators that are installed."""
    return [name for name, program in PROGRAMS.items() if shutil.which(program)]


def compiled(simulator: str, folder: Path, sources: Iterable[str]) -> list[str]:
    """Compile the sources and the test bench in a folder; the command that runs them there."""
    files = sorted(sources)
    if simulator == "icarus":
        command = ["iverilog", "-g2005", "-o", "sim.vvp", "-s", "tb", *files]
        run = ["vvp", "-n", "sim.vvp"]
    else:
        # -Wno-lint: the sources are checked on their own, see docs/verilog.md.
        command = ["verilator", "--binary", "--timing", "-O3", "--x-assign", "fast", "--noassert", "-Wno-lint"]
        command += [
            "-Wno-style",
            "-Wno-fatal",
            "--top-module",
            "tb",
            "-Mdir",
            "obj",
            "--build-jobs",
            "1",
            # What runs once, and is most of a large network, is not worth being optimised.
            "-MAKEFLAGS",
            "OPT_FAST=-O1 OPT_GLOBAL=-O1 OPT_SLOW=-O0",
            *files,
        ]
        run = ["./obj/Vtb"]
    with (
        bar(f"Compiling with {simulator}", 100) as advance,
        subprocess.Popen(
            command, cwd=folder, text=True, errors="replace", stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as process,
    ):  # fmt: skip
        told = portion(advance, 100)
        try:
            said = printed(process, lambda: told(share_compiled(folder / "obj")))
        except BaseException:
            process.kill()
            raise
        told(0 if process.returncode else 1)
    if process.returncode:
        raise BackendError(f"{PROGRAMS[simulator]} failed{_quoted(said)}")
    return run


def share_compiled(folder: Path) -> float:
    """The share of the files that Verilator has written into a folder that its compiler has made objects of."""
    objects = {path.stem for path in folder.glob("*.o")}
    sources = {path.stem for path in folder.glob("*.cpp")}
    return len(objects & sources) / len(sources) if sources else 0.0


def simulated(command: list[str], folder: Path, arguments: Iterable[str], told: Callable[[int], None]) -> list[int]:
    """Run a compiled test bench; the clocks of each sample. `told` gets the number of samples done.

    BackendError if it fails, with its last words.
    """
    clocks: list[int] = []
    lines: list[str] = []
    with subprocess.Popen(
        [*command, *arguments], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines = [*lines[-_LAST_LINES:], line]
            if sample := re.match(r"sample (\d+): (\d+) clocks", line):
                clocks.append(int(sample[2]))
                told(len(clocks))
    if process.returncode or not any(line.startswith("PASS") for line in lines):
        raise BackendError(f"the simulation of the hardware failed{_quoted(''.join(lines))}")
    return clocks


def _quoted(text: str) -> str:
    return "".join(f"\n    | {line}" for line in text.splitlines()[-_LAST_LINES:])
