"""How SpiNNaker runs a network: sample by sample, each tried in the arithmetic of its cells before it takes a board."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from snntoolbox.backends.other_interpreters import answer_of
from snntoolbox.backends.spinnaker.board import ARITHMETIC, REAL, VIRTUAL, figures_of
from snntoolbox.backends.spinnaker.description import described
from snntoolbox.backends.spinnaker.samples import given_by, no_samples, save_arrays, tried
from snntoolbox.backends.spinnaker.users_board import BESIDE
from snntoolbox.ir.flat import flattened
from snntoolbox.ir.host import HostInput, assembled, checked_batch
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.result import Record, Result
from snntoolbox.ir.scratch import Scratch
from snntoolbox.ir.writing import write_text

log = logging.getLogger(__name__)

SCRIPT, WORKER = (Path(__file__).with_name(name) for name in ("spinnaker_network.py", "worker.py"))


class Simulation:
    """A network on a board, or in the model of its cells."""

    def __init__(self, network: SpikingNetwork, *, board: str, python: str, neurons_per_core: int) -> None:
        self.network, self.board, self.python, self.neurons_per_core = network, board, python, neurons_per_core
        self.flat = flattened(network)
        # What no core has room for, whatever the samples are, is refused before any of them is run.
        described(network, no_samples(network).drive, flat=self.flat)
        self.scratch = Scratch()
        self.figures: dict[str, float] = {}

    def run(
        self,
        *x: Array,
        steps: int,
        record: Record | None = None,
        first_sample: int = 0,
        progress: Callable[[int], None] | None = None,
    ) -> Result:
        """Run the samples of a batch one after the other; `progress` gets the steps done, as a share of the batch."""
        x = checked_batch(self.network, x, steps)
        host = HostInput(self.network, x, steps, first_sample)
        given = given_by(self.network, x, host)
        arrays = described(self.network, host.drive, neurons_per_core=self.neurons_per_core, flat=self.flat)
        save_arrays(self.scratch.path / "weights.npz", arrays, lasting=False)
        found, _ = tried(self.network, self.scratch.path / "weights.npz", given)
        if self.board != ARITHMETIC:
            save_arrays(self.scratch.path / "samples.npz", given, lasting=False)
        if self.board == VIRTUAL and not self.figures:
            self.figures = figures_of(SCRIPT, self.scratch.path / "samples.npz", self.python)
        if self.board == REAL:
            self._keep_settings()
            found = self._on_the_board(host, given, progress)
        if progress is not None:
            progress(steps)
        spikes = {n: found[n].reshape(steps, host.samples, *p.shape) for n, p in self.network.populations.items()}
        result = assembled(self.network, host, spikes, {}, record or Record())
        return replace(result, hardware={n: np.full(host.samples, value) for n, value in self.figures.items()})

    def _keep_settings(self) -> None:
        """Those of sPyNNaker in this folder, for where it runs."""
        if (beside := Path(BESIDE)).is_file():
            write_text(self.scratch.path / BESIDE, beside.read_text("utf-8"))

    def _on_the_board(
        self, host: HostInput, given: dict[str, Array], progress: Callable[[int], None] | None
    ) -> dict[str, Array]:
        """The spikes that come back: layer -> (steps, samples, neurons); says where they are not those of the cells."""
        found: dict[str, list[Array]] = {name: [] for name in self.network.populations}
        for sample in range(host.samples):
            request = {"folder": str(self.scratch.path), "sample": sample}
            answer_of(self.python, WORKER, request, simulator="pynn.spiNNaker")
            with np.load(self.scratch.path / "spikes.npz") as file:
                for name, spikes in found.items():
                    spikes.append(file[name])
            if progress is not None:
                progress(host.steps * (sample + 1) // host.samples)
        whole = {name: np.stack(spikes, axis=1) for name, spikes in found.items()}
        differ = {n: int((np.moveaxis(s, 1, 0) != given[f"spikes of {n}"]).sum()) for n, s in whole.items()}
        if any(differ.values()):
            labels = {n: self.network.populations[n].label for n, count in differ.items() if count}
            layers = ", ".join(f"{label}: {differ[name]:,}" for name, label in labels.items())
            log.warning(
                "spikes on the board differ from those that its cells must give (%s): some may have come late, and a "
                "larger time_scale_factor in ~/.spynnaker.cfg slows the board down", layers,
            )  # fmt: skip
        return whole

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.scratch.close()
