"""Runs networks in Lava for another process, in an interpreter that needs Lava alone.

A request is the name of a folder with ``weights.npz`` and ``inputs.npz``; with the answer comes ``spikes.npz``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np


def answer(request: str) -> None:
    """Run what is in a folder."""
    from lava_network import Network  # type: ignore[import-not-found]

    folder = Path(request)
    with np.load(folder / "inputs.npz") as file:
        given = dict(file)
    bias, trains = (
        {key[len(kind) :]: value for key, value in given.items() if key.startswith(kind)}
        for kind in ("bias of ", "train of ")
    )
    spikes = Network(folder / "weights.npz").run(bias, trains, int(given["steps"]))
    np.savez(folder / "spikes.npz", **spikes)
