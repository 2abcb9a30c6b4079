"""Keeps what a run was asked to log or plot: `log_vars` batch by batch, `plot_vars` as pictures of one sample."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from snntoolbox.analysis.diagnosis.diagnosis import Diagnosis
from snntoolbox.ir.drawing import canvas, plots
from snntoolbox.ir.foreign import file_names, shown
from snntoolbox.ir.network import Population, SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array
from snntoolbox.ir.operations import input_trains, neuron_updates_per_step, synaptic_operations_per_step
from snntoolbox.ir.result import Record, Result
from snntoolbox.ir.writing import replacing
from snntoolbox.workflow.collecting import Batch
from snntoolbox.workflow.report.plots import error_terms
from snntoolbox.workflow.report.variables import record_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

T = TypeVar("T")


class Recorder:
    """Writes logged variables of each batch, and keeps the first batch for the plots.

    Files: ``log_vars/<batch>.npz``, one array ``<variable>/<population>`` each. Samples come first, in spike trains
    and membranes steps come first. Plots: ``plots/<what>.png`` and ``plots/<population>/<what>.png``, or of another
    ``savefig.format``. Pictures name layers simply, or with type and shape where `simple_labels` is off.
    """

    def __init__(
        self,
        network: SpikingNetwork,
        folder: Path,
        log_vars: frozenset[str],
        plot_vars: frozenset[str],
        properties: Mapping[str, object] = MappingProxyType({}),
        *,
        simple_labels: bool = True,
    ) -> None:
        self.network = network
        self.labels = {} if simple_labels else {n: _full_label(p) for n, p in network.populations.items()}
        self.folder = folder
        self.log_vars = log_vars
        self.plot_vars = plot_vars
        self.properties = properties
        self._batch = self._samples = 0
        self._first: tuple[Batch, Mapping[str, Array]] | None = None

    @property
    def record(self) -> Record:
        """What the simulator must record."""
        return record_of(self.log_vars | self.plot_vars)

    def add(self, batch: Batch) -> None:
        """Write what is logged of the next batch; of the first one keep what is drawn."""
        populations, activations = self.network.populations.items(), batch.activations
        named = {n: activations[p.activation] for n, p in populations if p.activation in activations}
        if self.log_vars:
            self._log(batch, named)
        if self._first is None and self.plot_vars:
            self._first = batch, named
        self._batch += 1
        self._samples += batch.result.samples

    def report(self) -> Mapping[str, Any]:
        """Nothing: all of it goes into files."""
        return {}

    def _log(self, batch: Batch, activations: Mapping[str, Array]) -> None:
        result = batch.result
        groups: dict[str, tuple[str, Mapping[str, Array]]] = {
            "spiketrains_n_b_l_t": ("spiketrains", result.spikes),
            "mem_n_b_l_t": ("membranes", result.potentials),
            "activations_n_b_l": ("activations", activations),
        }
        wanted = self.log_vars & {"input_b_l_t", "synaptic_operations_b_t"}
        trains = input_trains(self.network, [batch.input], result.steps, self._samples) if wanted else {}
        arrays: dict[str, Array] = {}
        if "input_b_l_t" in self.log_vars:
            arrays = {"input": batch.x, **{f"input_spikes/{shown(name)}": train for name, train in trains.items()}}
        for variable, (group, values) in groups.items():
            if variable in self.log_vars:
                arrays.update({f"{group}/{shown(name)}": value for name, value in values.items()})
        if "synaptic_operations_b_t" in self.log_vars:
            arrays["synaptic_operations"] = synaptic_operations_per_step(self.network, {**result.spikes, **trains})
        if "neuron_operations_b_t" in self.log_vars:
            arrays["neuron_operations"] = neuron_updates_per_step(self.network, result.samples, result.steps)
        folder = self.folder / "log_vars"
        folder.mkdir(exist_ok=True)
        with replacing(folder / f"{self._batch}.npz") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)

    def plot(
        self,
        warn: Callable[[str], None],
        *,
        error_per_step: Array | None,
        ann_accuracy: float | None,
        ann_operations: int | None,
        confusion: Callable[[int], Array | None],
        correlations: Mapping[str, float],
        diagnosis: Diagnosis | None = None,
        calibration: Callable[[], Mapping[str, Array]] = dict,
    ) -> None:
        """Draw what was asked; `confusion` counts the classes found, as many as there are, by the labels.

        `calibration` computes activations that thresholds were chosen for, by population. `warn` is told of each
        picture that cannot be drawn.
        """
        if self._first is None:
            return
        batch, activations = self._first
        result = batch.result
        folder, suffix = self.folder / "plots", canvas.file_format(self.properties)
        dt = self.network.dt
        whole: dict[str, Callable[[], Figure | None]] = {
            "error_t": lambda: _error(error_per_step, ann_accuracy, dt),
            "input_image": lambda: plots.input_image(batch.x[0]),
            "confusion_matrix": lambda: _confusion(confusion(self._classes)),
            "diagnosis": lambda: None if diagnosis is None else error_terms(diagnosis, self.labels),
            "correlation": lambda: plots.correlations(self._labelled(correlations)),
            "spikecounts": lambda: plots.spike_counts(self._labelled(_mean_counts(result)), dt),
            "operations": lambda: _operations(self.network, batch, ann_operations),
        }
        with canvas.styled(self.properties):
            for name, draw in whole.items():
                if name in self.plot_vars:
                    canvas.save_if_possible(draw, folder / f"{name}.{suffix}", warn)
            folders, chosen = file_names(self.network.populations), self._calibrated(calibration, warn)
            for population in self.network.populations.values():
                drawn = self._layer_plots(population, result, activations.get(population.name))
                for name, draw in chain(drawn, chosen(population)):
                    told = partial(_of_layer, warn, population.name)
                    canvas.save_if_possible(draw, folder / folders[population.name] / f"{name}.{suffix}", told)

    def _labelled(self, values: Mapping[str, T]) -> dict[str, T]:
        """Values by what pictures call their layers."""
        return {self.labels.get(name, name): value for name, value in values.items()}

    @property
    def _classes(self) -> int:
        """How many classes the scored read-out tells apart."""
        readout = self.network.readouts[0]
        return readout.head.classes(readout.shape)

    def _calibrated(
        self, calibration: Callable[[], Mapping[str, Array]], warn: Callable[[str], None]
    ) -> Callable[[Population], Iterator[tuple[str, Callable[[], Figure]]]]:
        """What draws how the activations of a population were normalised; nothing, and a warning, without any."""
        name = "normalization_activations"
        values = calibration() if name in self.plot_vars else {}
        if name in self.plot_vars and not values:
            warn(f"{name} could not be drawn: it needs x_norm, and the parsed network")

        def draw(population: Population) -> Iterator[tuple[str, Callable[[], Figure]]]:
            if population.name in values:
                own, rate = values[population.name], _largest_rate(population)
                label = self.labels.get(population.name, population.name)
                yield name, lambda: plots.normalization(own, population.scale, rate, label)

        return draw

    def _layer_plots(
        self, population: Population, result: Result, activation: Array | None
    ) -> Iterator[tuple[str, Callable[[], Figure]]]:
        """The plots of one population: traces of the first sample, distributions over the batch."""
        name, drawn, dt = population.name, self.plot_vars, self.network.dt
        label = self.labels.get(name, name)
        if "spiketrains" in drawn:
            yield "spiketrains", lambda: plots.raster(result.spikes[name][:, 0], label, dt)
        if "v_mem" in drawn and isinstance(population.neuron, IF):
            threshold = float(np.mean(population.neuron.threshold))
            yield "v_mem", lambda: plots.potentials(result.potentials[name][:, 0], threshold, label, dt)
        if "spikerates" in drawn:
            yield "spikerates", lambda: plots.rate_maps(result.rates(name)[0], label)
        if activation is None:
            return
        rates = result.rates(name) * population.scale
        if "activations" in drawn:
            yield "activations", lambda: plots.activation_maps(activation[0], label)
        if "correlation" in drawn:
            yield "correlation", lambda: plots.rates_against_activations(rates, activation, label)
        if "hist_spikerates_activations" in drawn:
            yield "hist_spikerates_activations", lambda: plots.histograms(rates, activation, label)


def _full_label(population: Population) -> str:
    """A layer by name, with what it was in the model and its shape, such as ``conv (onnx Conv, 4x6x6)``."""
    kind = f"{population.origin.framework} {population.origin.kind}, " if population.origin else ""
    return f"{population.name} ({kind}{'x'.join(map(str, population.shape))})"


def _largest_rate(population: Population) -> float:
    return population.neuron.largest_rate if isinstance(population.neuron, IF) else 1.0


def _of_layer(warn: Callable[[str], None], layer: str, message: str) -> None:
    warn(f"{shown(layer)}: {message}")


def _error(error_per_step: Array | None, ann_accuracy: float | None, dt: float) -> Figure | None:
    if error_per_step is None:
        return None
    return plots.error_over_time(error_per_step, None if ann_accuracy is None else 1 - ann_accuracy, dt)


def _confusion(matrix: Array | None) -> Figure | None:
    return None if matrix is None else plots.confusion(matrix)


def _mean_counts(result: Result) -> dict[str, Array]:
    return {n: (s != 0).reshape(len(s), result.samples, -1).sum(axis=2).mean(axis=1) for n, s in result.spikes.items()}


def _operations(network: SpikingNetwork, batch: Batch, ann_operations: int | None) -> Figure:
    trains = input_trains(network, [batch.input], batch.result.steps)
    per_step = synaptic_operations_per_step(network, {**batch.result.spikes, **trains}).mean(axis=0)
    return plots.operations(per_step, ann_operations, network.dt)
