"""Checks a written module: what it does in its library equals what the network means, spike by spike."""

from __future__ import annotations

import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from snntoolbox.backends.check_options import unchecked
from snntoolbox.backends.isolated import Isolated
from snntoolbox.backends.modules.libraries import Library
from snntoolbox.backends.protocol import Check
from snntoolbox.errors import SNNToolboxError
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.result import Record, Result

REPLAY = "snntoolbox.backends.modules.replay:Replay"

MOST_LOST = 0.01
"""The share of spikes that may differ where weights are on no grid: rounding decides who reaches a threshold."""


def run_check(
    library: Library,
    network: SpikingNetwork,
    folder: Path,
    neurons: Mapping[str, str],
    x: tuple[Array, ...],
    steps: int,
) -> Check:
    """The spikes of these samples in the library; not checked where it is not installed, or there are no samples."""
    goal = f"equal spikes in {library.title}"
    if not x:
        return unchecked(goal)
    if find_spec(library.module) is None:
        return Check(goal=goal, outcome="not checked", why=f"{library.title} is not installed")
    begun = time.monotonic()
    try:
        with Isolated(REPLAY, network, {"folder": folder, "neurons": neurons}, name=library.name) as replay:
            result = replay.run(*x, steps=steps)
    except SNNToolboxError as error:
        return Check(goal=goal, outcome="failed", why=str(error))
    why = differences(network, result, interpret(network, *x, steps=steps, record=Record(spikes=True)))
    seconds = round(time.monotonic() - begun, 1)
    return Check(goal=goal, outcome="failed" if why else "passed", why=why, seconds=seconds)


def differences(network: SpikingNetwork, result: Result, meant: Result) -> str:
    """What differs, in words; on an integer grid nothing may, otherwise as little as rounding explains."""
    cells = sum(spikes.size for spikes in meant.spikes.values())
    fired = sum(int(spikes.sum()) for spikes in meant.spikes.values())
    unlike = {name: int((result.spikes[name] != spikes).sum()) for name, spikes in meant.spikes.items()}
    total = sum(unlike.values())
    if total > (0 if network.grid else MOST_LOST * fired):
        first = next(name for name, count in unlike.items() if count)
        return f"{total} of {cells} cells differ, the first in {network.populations[first].label}"
    outputs = [name for name, v in meant.outputs.items() if total == 0 and not np.allclose(v, result.outputs[name])]
    return f"the output {', '.join(outputs)} differs" if outputs else ""
