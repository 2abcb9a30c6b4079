"""The sections of single simulators, whose libraries run in interpreters of the user's own."""


from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from snntoolbox.workflow.config.key import at_least, key


def _no_cores(settings: Any) -> str:
    """Why there are no cores of SpiNNaker to fill, if so."""
    simulator, board = settings.simulation.simulator, settings.spinnaker.board
    if simulator != "pynn.spiNNaker":
        return f"simulator = {simulator}"
    return f"board = {board} has no cores" if board == "arithmetic" else ""


@dataclass(frozen=True)
class Lava:
    """The simulator lava, which runs in an interpreter of its own."""

    python: str = key(
        "python3.10",
        "Python that has lava-nc, which runs on 3.10 alone: `python3.10 -m venv ~/lava` and then "
        "`~/lava/bin/pip install lava-nc` make ~/lava/bin/python.",
        option="lava.python",
    )


@dataclass(frozen=True)
class Spinnaker:
    """The simulator pynn.spiNNaker: a board of yours, by sPyNNaker in an interpreter of yours."""

    board: Literal["real", "virtual", "arithmetic"] = key(
        "real",
        "real: the board that ~/.spynnaker.cfg names. Without one nothing runs on SpiNNaker: arithmetic runs a model "
        "of its cells here, and needs neither board nor sPyNNaker; virtual does so too, and has sPyNNaker place and "
        "route the network on a board that is not there.",
        option="pynn.spiNNaker.board",
    )
    python: str = key(
        "",
        "Python that has sPyNNaker: `python -m venv ~/spinnaker` and then `~/spinnaker/bin/pip install sPyNNaker` make "
        "~/spinnaker/bin/python.",
        option="pynn.spiNNaker.python",
        derived="that of snntoolbox",
    )
    number_of_neurons_per_core: int = key(
        64,
        "How many neurons a core holds at most: fewer leave it more time for each, and take more cores.",
        rule=at_least(1),
        option="pynn.spiNNaker.number_of_neurons_per_core",
        idle=lambda settings: _no_cores(settings),
    )
