"""Runs samples on a board for another process, in an interpreter that needs sPyNNaker alone.

A request names a folder with ``weights.npz`` and ``samples.npz``, and a sample; with the answer comes ``spikes.npz``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np


def answer(request: dict[str, Any]) -> None:
    """Run one sample of what is in a folder."""
    from spinnaker_network import Network, of_sample, on_a_board  # type: ignore[import-not-found]

    folder = Path(request["folder"])
    os.chdir(folder)  # where sPyNNaker writes its reports
    with np.load(folder / "samples.npz") as file:
        given = dict(file)
    own = of_sample(given, request["sample"])
    spikes = Network(folder / "weights.npz").run(on_a_board(), own["drive"], own["train"], int(given["steps"]))
    np.savez(folder / "spikes.npz", **spikes)
