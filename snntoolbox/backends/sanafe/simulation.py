"""How SANA-FE runs a network: every neuron on its core, one sample after the other, on a chip that is new for each."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import numpy as np
import sanafe

from snntoolbox.backends.sanafe.architecture import Architecture, with_fewer_inputs
from snntoolbox.backends.sanafe.placement import Placement
from snntoolbox.errors import BackendError
from snntoolbox.ir.flat import Cells, Connection, flattened
from snntoolbox.ir.host import HostInput, assembled, checked_batch, raster
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.neurons import Reset
from snntoolbox.ir.node import Array
from snntoolbox.ir.progress import counted
from snntoolbox.ir.relays import with_relays
from snntoolbox.ir.result import Record, Result

HALF = {"leaky_integrate_fire": 0.5, "truenorth": 0.0}
"""What potentials are higher by: SANA-FE's neuron of Loihi fires where V > threshold, and V are whole numbers."""

MOST = 2.0**25
"""Loihi's potentials are kept as sixty-fourths, in 32 bits."""

LOWEST = -1e9

PARTS = ("total", "synapse", "dendrite", "soma", "network")
"""Of the energy, as SANA-FE divides it."""


class Simulation:
    """A network on a chip."""

    def __init__(
        self, network: SpikingNetwork, *, architecture: Architecture, placement: Placement, timing: str
    ) -> None:
        self.network, self.timing, self.placement = network, timing, placement
        self.flat, self.architecture = with_relays(flattened(network)), architecture
        self.chip_model = self._chip_model()
        self.model = architecture.cores[0].model
        self.half = HALF[self.model]
        # Groups are numbered: names of layers may hold whatever their author liked.
        self.groups = {name: f"g{i}" for i, name in enumerate([*self.flat.inputs, *self.flat.cells])}
        self.names = {group: name for name, group in self.groups.items()}
        self.net = self._net()

    # -- once -------------------------------------------------------------------------------------------------------

    def _chip_model(self) -> Any:
        """The architecture, with as many units for input spikes as are used."""
        counts = [np.bincount(self.placement.cores[name]).max() for name in self.flat.inputs]
        with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
            file.write(with_fewer_inputs(self.architecture, int(sum(counts))))
            file.flush()
            return sanafe.load_arch(file.name)

    def _net(self) -> Any:
        net, core = sanafe.Network(), self.architecture.cores[0]
        for name, size in self.flat.inputs.items():
            self._placed(net.create_neuron_group(self.groups[name], size), name, core.inputs)
        for name, cells in counted("Placing neurons", [*self.flat.cells.items()], lambda c: c[1].size):
            group = net.create_neuron_group(
                self.groups[name], cells.size, log_spikes=name in self.network.populations,
                soma_hw_name=core.soma, default_synapse_hw_name=core.synapse, default_dendrite_hw_name=core.dendrite,
            )  # fmt: skip
            self._placed(group, name, ())
            for neuron, threshold in zip(group, cells.threshold.tolist(), strict=True):
                neuron.set_attributes(model_attributes=self._rules(cells, threshold))
        for connection in counted("Making synapses", self.flat.connections, lambda c: len(c.weight)):
            self._connect(net, connection)
        return net

    def _placed(self, group: Any, name: str, units: tuple[str, ...]) -> None:
        """Each neuron on its core; sources of input each on a unit of their own."""
        cores, used = self.chip_model.cores(), defaultdict[int, int](int)
        for neuron, core in zip(group, self.placement.cores[name].tolist(), strict=True):
            neuron.map_to_core(cores[core])
            if units:
                neuron.set_attributes(soma_hw_name=units[used[core]])
                used[core] += 1

    def _rules(self, cells: Cells, threshold: float) -> dict[str, Any]:
        """The neuron, as it is until its own first step: without a current, at 0."""
        subtracts = cells.neuron.reset is Reset.SUBTRACT
        reset = {"reset_mode": "soft"} if subtracts else {"reset_mode": "hard", "reset": self._raised(cells)}
        rules = {
            "threshold": threshold,
            "reverse_threshold": LOWEST,
            "reverse_reset_mode": "none",
            "bias": 0.0,
            **reset,
        }
        if self.model == "leaky_integrate_fire":
            return {**rules, "leak_decay": 1.0, "input_decay": 0.0}
        return {**rules, "leak": 0.0}

    def _raised(self, cells: Cells) -> float:
        return float(cells.neuron.reset_potential) + self.half

    def _connect(self, net: Any, connection: Connection) -> None:
        if len(connection.weight):
            source, target = (net[self.groups[n]] for n in (connection.source, connection.target))
            pairs = list(zip(connection.pre.tolist(), connection.post.tolist(), strict=True))
            source.connect_neurons_sparse(target, {"weight": connection.weight.tolist()}, pairs)

    # -- each sample ------------------------------------------------------------------------------------------------

    def run(
        self,
        *x: Array,
        steps: int,
        record: Record | None = None,
        first_sample: int = 0,
        progress: Callable[[int], None] | None = None,
    ) -> Result:
        """Run the samples of a batch one after the other; `progress` gets the steps done, as a share of the batch."""
        record = record or Record()
        x = checked_batch(self.network, x, steps)
        host = HostInput(self.network, x, steps, first_sample)
        self._check_range(host, steps)
        spikes = {n: np.zeros((steps, host.samples, *p.shape), bool) for n, p in self.network.populations.items()}
        measured: dict[str, Array] = {}
        for sample in range(host.samples):
            fired, figures = self._sample(host, sample)
            for name, values in fired.items():
                spikes[name][:, sample] = values[:, 0]
            for name, value in figures.items():
                measured.setdefault(name, np.zeros(host.samples))[sample] = value
            if progress is not None:
                progress(steps * (sample + 1) // host.samples)
        return replace(assembled(self.network, host, spikes, {}, record), hardware=_known(measured))

    def _check_range(self, host: HostInput, steps: int) -> None:
        """BackendError where a potential can leave what Loihi's model holds."""
        grid = self.network.grid
        if grid is None or self.model != "leaky_integrate_fire":
            return
        largest = max((float(np.abs(c).max(initial=0.0)) for c in host.constant.values()), default=0.0)
        if (bound := grid.bound(steps, largest)) >= MOST:
            raise BackendError(
                f"potentials may reach {bound:,}, and SANA-FE's neuron of Loihi holds {int(MOST):,}",
                hint="fewer weight_bits, or a shorter duration",
            )

    def _sample(self, host: HostInput, sample: int) -> tuple[dict[str, Array], dict[str, float]]:
        """The spikes of one sample, and what it took."""
        self._play(host, sample)
        chip = sanafe.SpikingChip(self.chip_model)
        chip.load(self.net)
        total, train = host.steps + self.flat.lead, list[list[Any]]()
        figures: dict[str, float] = dict.fromkeys((*(f"{part} energy (J)" for part in PARTS), "time (s)"), 0.0)
        onsets = {c.onset for c in self.flat.cells.values()}
        ends = sorted(end for end in onsets | {onset + 1 for onset in onsets} | {total} if end <= total)
        done = 0
        for end in ends:
            if end > done:
                found = chip.sim(end - done, timing_model=self.timing, spike_trace=True, processing_threads=1)
                train += found["spike_trace"]
                for part in PARTS:
                    figures[f"{part} energy (J)"] += found["energy"][part]
                figures["time (s)"] += found["sim_time"]
            done = end
            self._wake(chip, host, sample, done)
        return self._rasters(train, host.steps), figures

    def _play(self, host: HostInput, sample: int) -> None:
        """The spikes of inputs: one list for each source."""
        for name, train in host.trains.items():
            own = train[:, sample].reshape(host.steps, -1)
            signed = np.concatenate([own > 0, own < 0], axis=1)
            for neuron, spikes in zip(self.net[self.groups[name]], signed.T.tolist(), strict=True):
                neuron.set_attributes(model_attributes={"spikes": spikes})

    def _wake(self, chip: Any, host: HostInput, sample: int, step: int) -> None:
        """Potentials and currents of the populations whose own first step is the next one, or was the last one.

        SANA-FE's neuron of TrueNorth takes no potential: there the current of the first step is higher by it.
        """
        for name, cells in self.flat.cells.items():
            drive = host.drive[name][sample] if name in host.drive else np.zeros(cells.size)
            start = cells.initial + self.half
            if cells.onset == step and self.model == "leaky_integrate_fire":
                self._set(chip, name, {"potential": start, "bias": drive})
            elif cells.onset == step:
                self._set(chip, name, {"bias": drive + start})
            elif cells.onset + 1 == step and self.model != "leaky_integrate_fire":
                self._set(chip, name, {"bias": drive})

    def _set(self, chip: Any, name: str, values: Mapping[str, Array]) -> None:
        """Values of the neurons of a population, one each."""
        neurons = chip.mapped_neuron_groups[self.groups[name]]
        rows = zip(*(v.tolist() for v in values.values()), strict=True)
        for neuron, row in zip(neurons, rows, strict=True):
            neuron.set_attributes(model_attributes=dict(zip(values, row, strict=True)))

    def _rasters(self, train: list[list[Any]], steps: int) -> dict[str, Array]:
        """The raster of each population in its own steps, (steps, 1, *shape)."""
        fired: Mapping[str, list[tuple[int, int]]] = {name: [] for name in self.network.populations}
        for step, addresses in enumerate(train):
            for address in addresses:
                name = self.names[address.group_name]
                if name in fired:
                    fired[name].append((step - self.flat.cells[name].onset, address.neuron_offset))
        found = {}
        for name, population in self.network.populations.items():
            pairs = np.array(fired[name], np.int64).reshape(-1, 2)
            found[name] = raster(pairs[:, 0], pairs[:, 1], (steps, 1, *population.shape))
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held between runs."""


def _known(measured: Mapping[str, Array]) -> dict[str, Array]:
    """The figures of a kind that the architecture has any of: one without energies would seem to need none."""
    energies = [name for name in measured if name.endswith("(J)")]
    kinds = (energies, [name for name in measured if name not in energies])
    return {name: measured[name] for kind in kinds if any(np.any(measured[n]) for n in kind) for name in kind}
