"""How Lava runs a network: in a process of another interpreter, which is given arrays and gives spikes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from snntoolbox.backends.lava.weights import UNIT, arrays_of, on_relays, whole
from snntoolbox.backends.other_interpreters import answer_of
from snntoolbox.errors import BackendError
from snntoolbox.ir.host import HostInput, assembled, checked_batch
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.result import Record, Result
from snntoolbox.ir.scratch import Scratch
from snntoolbox.ir.writing import replacing

MOST = 2**31
"""Potentials are kept in 32 bits there."""

WORKER = Path(__file__).with_name("worker.py")


class Simulation:
    """A network in Lava."""

    def __init__(self, network: SpikingNetwork, python: str) -> None:
        self.network, self.python = network, python
        self.flat = on_relays(network)
        self.scratch = Scratch()
        _save(self.scratch.path / "weights.npz", arrays_of(network, self.flat))

    def run(
        self,
        *x: Array,
        steps: int,
        record: Record | None = None,
        first_sample: int = 0,
        progress: Callable[[int], None] | None = None,
    ) -> Result:
        """Run the samples of a batch side by side."""
        x = checked_batch(self.network, x, steps)
        host = HostInput(self.network, x, steps, first_sample)
        check_range(self.network, host, steps)
        folder = self.scratch.path
        _save(folder / "inputs.npz", inputs_of(self.network, host))
        answer_of(self.python, WORKER, str(folder), simulator="lava")
        with np.load(folder / "spikes.npz") as file:
            spikes = {n: file[n].reshape(steps, host.samples, *p.shape) for n, p in self.network.populations.items()}
        if progress is not None:
            progress(steps)
        return assembled(self.network, host, spikes, {}, record or Record())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.scratch.close()


def _save(path: Path, arrays: Mapping[str, Array]) -> None:
    with replacing(path, sync=False) as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def inputs_of(network: SpikingNetwork, host: HostInput) -> dict[str, Array]:
    """The content of ``inputs.npz``: what neurons get in each step, and the spikes of inputs."""
    flat = on_relays(network)
    nothing = {name: np.zeros((host.samples, cells.size)) for name, cells in flat.cells.items()}
    arrays = {f"bias of {name}": whole(bias) for name, bias in {**nothing, **host.drive}.items()}
    for name, train in host.trains.items():
        own = train.reshape(host.steps, host.samples, -1)
        arrays[f"train of {name}"] = np.concatenate([own > 0, own < 0], axis=2).astype(np.int8)
    return {**arrays, "steps": np.array(host.steps)}


def largest_potential(network: SpikingNetwork, host: HostInput, steps: int) -> int:
    """What no potential can exceed in Lava's unit."""
    assert network.grid is not None
    largest = max((float(np.abs(c).max(initial=0.0)) for c in host.constant.values()), default=0.0)
    return UNIT * int(network.grid.bound(steps, largest))


def check_range(network: SpikingNetwork, host: HostInput, steps: int) -> None:
    """BackendError where a potential can leave its 32 bits."""
    if (bound := largest_potential(network, host, steps)) >= MOST:
        told = f"potentials may reach {bound // UNIT:,}, and Lava's hold {MOST // UNIT - 1:,}"
        raise BackendError(told, hint="fewer weight_bits, or a shorter duration")
