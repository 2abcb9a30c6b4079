"""Places and routes a written network on a virtual board, in an interpreter that has sPyNNaker."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from snntoolbox.errors import BackendError
from snntoolbox.ir.other_python.installation import Interpreter, surroundings
from snntoolbox.ir.scratch import Scratch
from snntoolbox.ir.writing import write_text

SPYNNAKER = Interpreter(
    target="exporter 'pynn.spiNNaker'",
    library="sPyNNaker",
    modules=("spynnaker",),
    usual=sys.executable,
    how="pip install sPyNNaker, here or in an environment of its own: `python -m venv ~/spinnaker && "
    "~/spinnaker/bin/pip install sPyNNaker`, then --option python=~/spinnaker/bin/python, in Python "
    "python='~/spinnaker/bin/python'",
)
BOARD = "[Machine]\nversion = 5\nvirtual_board = True\n"
"""A board of 48 chips with 17 or 18 cores, which is not there."""

_SECONDS = 1800.0


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
        raise BackendError(f"sPyNNaker cannot place the network: {last}")
    found: dict[str, Any] = json.loads(told[-1])
    return found
