"""Runs the goals of a project's Makefile, each for a limited time, and reads what they measured."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from snntoolbox.backends.fpga.build import Build
from snntoolbox.backends.fpga.cells import Resources, cells_of, resources
from snntoolbox.backends.fpga.synthesis_log import announced, executed
from snntoolbox.backends.fpga.targets import Device
from snntoolbox.backends.programs import printed
from snntoolbox.backends.protocol import Check
from snntoolbox.backends.verilog.tools import share_compiled
from snntoolbox.ir.interrupts import held_back
from snntoolbox.ir.progress import Advance, bar, portion

_LAST_LINES = 8
_CLOCKS = re.compile(r"^sample (\d+): (\d+) clocks", re.MULTILINE)


def run_goal(
    folder: Path, goal: str, needs: Iterable[str], seconds: float, *settings: str, shares: Shares | None = None
) -> Check:
    """Run ``make goal`` for at most so many seconds; not at all for none, or where a program is missing.

    `shares` tell how far it is, by what is done.
    """
    missing = [program for program in ("make", *needs) if shutil.which(program) is None]
    name = " ".join([goal, *settings])
    if seconds <= 0:
        return Check(goal=name, outcome="not checked", why="no time was given for it")
    if missing:
        return Check(goal=name, outcome="not checked", why=f"{', '.join(missing)} not installed")
    begun = time.monotonic()
    try:
        with _looking(shares or {goal: None}) as look:
            code, said = _made(folder, [goal, *settings], look, seconds)
            look(not code)
    except subprocess.TimeoutExpired:
        return Check(goal=name, outcome="not finished", why=f"not finished in {seconds:g} s", seconds=seconds)
    took = round(time.monotonic() - begun, 1)
    if code:
        return Check(goal=name, outcome="failed", why="\n".join(said.splitlines()[-_LAST_LINES:]), seconds=took)
    return Check(goal=name, outcome="passed", seconds=took)


def _made(folder: Path, words: list[str], look: Callable[[], None], seconds: float) -> tuple[int, str]:
    """The exit code of make and what it printed; it ends, and what it has started, where this is left early."""
    process: subprocess.Popen[str] | None = None
    try:
        with held_back():  # a signal while it is started would leave it behind
            process = subprocess.Popen(
                ["make", "-s", *words], cwd=folder, text=True, errors="replace", start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
        said = printed(process, look, seconds)
    except BaseException:
        if process is not None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # its group: what make has started ends with it
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
        raise
    return process.returncode, said


Shares = Mapping[str, Callable[[], float] | None]
"""What is done, with what tells how much of it is, from 0 to 1; None where nothing does."""


@contextmanager
def _looking(shares: Shares) -> Iterator[Callable[..., None]]:
    """A bar for each; yields what moves them on, where it is told so up to the end."""
    with ExitStack() as stack:
        told = [(s, portion(stack.enter_context(bar(n, 100 if s else 0)), 100.0)) for n, s in shares.items()]

        def look(is_done: bool = False) -> None:
            for share, done in told:
                if share is not None:
                    done(1.0 if is_done else share())

        yield look


def clocks(folder: Path, log: str) -> list[int]:
    """The clocks of each sample of a simulation that has run."""
    return [int(count) for _, count in _CLOCKS.findall((folder / "out" / f"{log}.log").read_text("utf-8"))]


def synthesised(folder: Path) -> Resources:
    """What the netlist takes."""
    return resources(cells_of((folder / "out" / "cells.json").read_text("utf-8")))


def routed_mhz(folder: Path) -> float | None:
    """The clock that place and route has reached, None where it names none."""
    data = json.loads((folder / "out" / "route.json").read_text("utf-8"))
    reached = [float(clock["achieved"]) for clock in data.get("fmax", {}).values()]
    return min(reached, default=None)


KEPT = ".log"
"""What stays of out/: logs. The rest is made again by make, which would take a part of it for the whole."""


def tidy(folder: Path) -> None:
    """Remove what the checks have built, but for logs."""
    if not (folder / "out").is_dir():
        return
    # A list: what is iterated must not change on the way.
    for path in list((folder / "out").iterdir()):
        if path.is_dir():
            shutil.rmtree(path)
        elif not path.name.endswith(KEPT):
            path.unlink()


Announce = Callable[[str], None]
"""Hears the name of each goal before it is run."""


@dataclass(frozen=True, kw_only=True)
class Measurements:
    """What the checks measured; clocks of each sample, resources and reached clock None where not measured."""

    checks: tuple[Check, ...]
    clocks: list[int] | None
    resources: Resources | None
    routed_mhz: float | None

    def check(self, goal: str) -> Check | None:
        """The check of this goal, without settings."""
        return next((c for c in self.checks if c.goal == goal), None)


def _fits(taken: Resources, device: Device) -> Check:
    limits = {
        "LUTs": (taken.luts, device.luts),
        "flip-flops": (taken.flipflops, device.flipflops),
        "block RAMs": (taken.blocks, device.blocks),
        "DSPs": (taken.dsps, device.dsps),
    }
    over = [f"{count} {name}, it has {limit}" for name, (count, limit) in limits.items() if count > limit]
    return Check(goal="fits", outcome="failed" if over else "passed", why="; ".join(over))


def _shares(folder: Path, goal: str, log: str, samples: int, synthesis: str) -> Shares:
    """What a goal does, and how much of it has been done, by the files that it writes."""
    out = folder / "out"

    def told() -> str:
        try:
            return (out / f"{log}.log").read_text("utf-8", errors="replace")
        except OSError:  # not begun
            return ""

    def simulated() -> float:
        return len(_CLOCKS.findall(told())) / samples

    def passed() -> float:
        known = announced(synthesis)
        return executed(told(), synthesis) / known if known else 0.0

    stalled = ", with waits" if log == "stalls" else ""
    goals: dict[str, Shares] = {
        "lint": {"Checking the sources": None},
        "sim": {f"Simulating with Icarus{stalled}": simulated},
        "sim-verilator": {
            **({} if stalled else {"Compiling with Verilator": lambda: share_compiled(out / "verilator")}),
            f"Simulating with Verilator{stalled}": simulated,
        },
        "synth": {"Synthesis with Yosys": passed},
        "route": {"Placing and routing": None},
    }
    return goals[goal]


STALLED = ("STALLS=3", "LOG=stalls")


def run_checks(
    folder: Path, build: Build, sim_seconds: float, synth_seconds: float, announce: Announce, samples: int
) -> Measurements:
    """Run lint, both simulators, synthesis, and place and route if open; nothing that fails stops the others.

    `samples` are those of the test bench.
    """
    with bar("Checks of the project", 6 if build.target.router else 5) as advance:
        return _checked(folder, build, sim_seconds, synth_seconds, announce, samples, advance)


def _checked(
    folder: Path, build: Build, sim_seconds: float, synth_seconds: float, announce: Announce, samples: int,
    advance: Advance,
) -> Measurements:  # fmt: skip
    checks: list[Check] = []

    def run(goal: str, needs: tuple[str, ...], seconds: float, *settings: str) -> Check:
        announce(goal)
        log = next((s.removeprefix("LOG=") for s in settings if s.startswith("LOG=")), goal)
        shares = _shares(folder, goal, log, samples, build.target.synthesis)
        checks.append(run_goal(folder, goal, needs, seconds, *settings, shares=shares))
        advance(1)
        return checks[-1]

    run("lint", ("verilator",), sim_seconds)
    icarus = run("sim", ("iverilog", "vvp"), sim_seconds)
    verilator = run("sim-verilator", ("verilator", "g++"), sim_seconds)
    if verilator.passed:
        run("sim-verilator", ("verilator", "g++"), sim_seconds, *STALLED)
    elif icarus.passed:
        run("sim", ("iverilog", "vvp"), sim_seconds, *STALLED)
    known = [clocks(folder, c.goal) for c in (icarus, verilator) if c.passed]
    if len(known) == 2 and known[0] != known[1]:
        checks.append(Check(goal="equal clocks", outcome="failed", why=f"Icarus {known[0]}, Verilator {known[1]}"))
    synthesis = run("synth", ("yosys",), synth_seconds)
    taken = synthesised(folder) if synthesis.passed else None
    if taken is not None and build.device is not None:
        checks.append(_fits(taken, build.device))
    mhz, router = None, build.target.router
    if router and synthesis.passed and run("route", (router,), synth_seconds).passed:
        mhz = routed_mhz(folder)
    return Measurements(
        checks=tuple(checks),
        clocks=known[0] if known else None,
        resources=taken,
        routed_mhz=mhz,
    )
