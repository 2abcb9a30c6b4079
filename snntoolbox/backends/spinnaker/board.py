"""Boards of SpiNNaker: that of the user's own settings, one that is not there, and what each needs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from snntoolbox.backends.spinnaker.users_board import HOW, missing
from snntoolbox.errors import BackendError
from snntoolbox.ir.other_python.installation import Interpreter, surroundings
from snntoolbox.ir.scratch import Scratch
from snntoolbox.ir.writing import write_text

REAL, VIRTUAL, ARITHMETIC = "real", "virtual", "arithmetic"
BOARDS = (REAL, VIRTUAL, ARITHMETIC)
"""Where a network runs: on the board that ``~/.spynnaker.cfg`` names, or in the model of its cells alone; with
`virtual` sPyNNaker also places it on a board that is not there."""

SPYNNAKER = Interpreter(
    target="'pynn.spiNNaker'",
    library="sPyNNaker",
    modules=("spynnaker",),
    usual=sys.executable,
    how="pip install sPyNNaker, here or in an environment of its own: `python -m venv ~/spinnaker && "
    "~/spinnaker/bin/pip install sPyNNaker`, then [spinnaker] python = ~/spinnaker/bin/python, in Python "
    "python='~/spinnaker/bin/python'",
)
WITHOUT = (
    "without a board [spinnaker] board = arithmetic runs a model of its cells, board = virtual places the network too, "
    "and `snntoolbox export CONFIG --to pynn.spiNNaker -o FOLDER` writes it for who has one"
)
BOARD = "[Machine]\nversion = 5\nvirtual_board = True\n"
"""A board of 48 chips with 17 or 18 cores, which is not there."""

_SECONDS = 1800.0


def interpreter_for(board: str, python: str) -> str:
    """The path of the interpreter that a board needs, empty for none; BackendError says all that is missing for it."""
    if board == ARITHMETIC:
        return ""
    problems, ways, path = [], [], ""
    try:
        path = SPYNNAKER.found(python or SPYNNAKER.usual)
    except BackendError as error:
        problems, ways = [error.message], [str(error.hint)]
    if board == REAL and (wrong := missing()):
        problems, ways = [*problems, wrong], [*ways, HOW]
    if problems:
        raise BackendError("; and ".join(problems), hint="; ".join([*ways, WITHOUT]))
    return path


def mapped(code: Path, samples: Path, python: str) -> dict[str, Any]:
    """What the script says of its place on the board; BackendError with sPyNNaker's last words where it has none."""
    with Scratch() as kept:
        scratch = kept.path
        # Settings are read from the home folder, and reports are written where it runs.
        write_text(scratch / ".spynnaker.cfg", BOARD)
        there = {**surroundings(), "HOME": str(scratch), "XDG_CONFIG_HOME": str(scratch / "none")}
        command = [python, str(code.resolve()), str(samples.resolve()), "--map"]
        done = subprocess.run(
            command, cwd=scratch, env=there, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    lines = done.stdout.strip().splitlines()
    told = [line for line in lines if line.startswith("{")]
    if done.returncode or not told:
        last = (done.stderr.strip().splitlines() or lines or ["nothing"])[-1]
        hint = "more neurons on a core, number_of_neurons_per_core, take fewer cores"
        raise BackendError(f"sPyNNaker cannot place the network: {last}", hint=hint)
    found: dict[str, Any] = json.loads(told[-1])
    return found


def figures_of(code: Path, samples: Path, python: str) -> dict[str, float]:
    """Cores, chips and routing entries of a virtual board; BackendError where the network is not placed as it is."""
    try:
        found = mapped(code, samples, python)
    except subprocess.TimeoutExpired as error:
        raise BackendError(f"sPyNNaker has not placed the network after {error.timeout:.0f} s") from None
    if differ := found["synapses that differ"]:
        raise BackendError(f"sPyNNaker places other weights or delays at {differ:,} synapses")
    cores: dict[str, int] = found["cores"]
    figures = {"cores": sum(cores.values()), **{f"cores of {name}": count for name, count in cores.items()}}
    return {**figures, "chips": found["chips"], "entries of the fullest router": found["routing entries"]}
