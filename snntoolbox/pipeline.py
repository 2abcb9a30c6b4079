"""The story of a run, in order: open, check, measure, convert, simulate, report. Settings stop here."""

from __future__ import annotations

import logging
import math
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from functools import cached_property, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from snntoolbox import conversion, plugins
from snntoolbox.config import Settings, config_text
from snntoolbox.conversion import Recipe
from snntoolbox.data import Dataset, check_fits, load_calibration, load_test
from snntoolbox.engine.executor import Executor
from snntoolbox.errors import ConfigError, NoReferenceError
from snntoolbox.frontends.protocol import Frontend
from snntoolbox.ir.encodings import ConstantCurrent, Encoding, Poisson
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.io import load_graph, load_network, save
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.neurons import IF, Reset
from snntoolbox.ir.node import Array, Shape
from snntoolbox.ir.result import Record, Result
from snntoolbox.models import check_folder, find_model
from snntoolbox.passes.approximate import ApproximateActivations
from snntoolbox.recording import Recorder
from snntoolbox.report import canvas
from snntoolbox.report.metrics import (
    PopulationStatistics,
    RegressionError,
    accuracy_per_step,
    agreement,
    top_k_accuracy,
)
from snntoolbox.report.operations import ann_operations, synaptic_operations
from snntoolbox.report.terminal import progress
from snntoolbox.report.writer import RunFolder, write_json

log = logging.getLogger(__name__)

ENOUGH_AGREEMENT = 0.95
"""Below this share of equal predictions a run warns."""

PACKAGES = ("snntoolbox", "numpy", "scipy", "networkx", "torch", "onnx", "onnxruntime", "keras")


ALWAYS_REPORTED = (
    *("model", "frontend", "simulator", "samples", "duration", "ann_accuracy", "parsed_accuracy", "snn_accuracy"),
    *("snn_accuracy_per_step", "seconds", "spikes_per_layer", "neurons_per_layer", "synaptic_operations"),
    *("ann_operations", "versions", "seed"),
)
"""What every report holds; null where this run did not measure it."""


def run(settings: Settings) -> Run:
    """Do what a configuration asks for and return what was found; all files appear at the end, or none does."""
    found = Run(settings)
    check_folder(settings.paths.path_wd)
    with RunFolder(settings.paths.log_dir_of_current_run, overwrite=settings.output.overwrite) as folder:
        found.do(folder)
    return found


class Run:
    """One run: its stages in order, and what they found. `report` is what ``report.json`` holds."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.seconds: dict[str, float] = {}
        self.warnings: list[str] = []
        self.report: dict[str, Any] = dict.fromkeys(ALWAYS_REPORTED)
        self.report.update(seconds=self.seconds, warnings=self.warnings)
        self.statistics: PopulationStatistics | None = None
        self.graph: Graph | None = None
        self.network: SpikingNetwork | None = None
        self.frontend: Frontend | None = None
        self.model: Any = None
        self.lowered: Graph | None = None
        self.parsed: Array | None = None
        self.unquantized: SpikingNetwork | None = None

    def do(self, folder: Path) -> None:
        """All stages, writing into `folder`."""
        tools = self.settings.tools
        with self.timed("parse"):
            self._open()
        self._check_early()
        if tools.evaluate_ann:
            self._evaluate_ann()
        if tools.convert:
            with self.timed("convert"):
                self._convert()
        if tools.simulate:
            with self.timed("simulate"):
                self._simulate(folder)
        self._finish(folder)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the seconds of a stage to the report."""
        log.info("%s ...", stage)
        start = time.perf_counter()
        yield
        self.seconds[stage] = round(time.perf_counter() - start, 3)
        log.info("%s took %.3f s", stage, self.seconds[stage])

    def progress(self, description: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """A bar on a terminal, unless only results are wanted."""
        return progress(description, total) if self.settings.output.verbose else nullcontext(lambda steps: None)

    def warn(self, message: str) -> None:
        """Say what the user should know, in the log and in the report."""
        log.warning(message)
        self.warnings.append(message)

    # -- what comes in ------------------------------------------------------------------------------------------

    def _open(self) -> None:
        """The model and its graph, or the graph or network of an earlier run."""
        paths, tools = self.settings.paths, self.settings.tools
        if tools.parse or tools.evaluate_ann:
            self.frontend, file = find_model(paths.path_wd, paths.filename_ann, self.settings.input.model_lib)
            self.model = self.frontend.open(file)
            self.report.update(model=str(file), frontend=self.frontend.name)
        if tools.parse:
            assert self.frontend is not None
            self.graph = conversion.simplify(self.frontend.parse(self.model))
        elif tools.convert or self._saved(paths.filename_parsed_model) is not None:
            self.graph = load_graph(self._needed(paths.filename_parsed_model))
            self.report["model"] = self.report["model"] or self.graph.name
        if not tools.convert and (tools.simulate or self._saved(paths.filename_snn) is not None):
            self.network = load_network(self._needed(paths.filename_snn))
            self.report["model"] = self.report["model"] or self.network.name
        if self.graph is None and self.network is None:
            raise ConfigError("there is nothing to do", hint="set parse, convert or simulate in [tools] to True")

    def _saved(self, name: str) -> Path | None:
        """Where an earlier run saved a network: its run folder, or the working folder."""
        paths = self.settings.paths
        places = [folder / f"{name}.npz" for folder in (paths.log_dir_of_current_run, paths.path_wd)]
        return next((place for place in places if place.is_file()), None)

    def _needed(self, name: str) -> Path:
        if (found := self._saved(name)) is None:
            raise ConfigError(
                f"there is no saved network '{name}.npz' in '{self.settings.paths.log_dir_of_current_run}'",
                hint="run once with parse = True and convert = True",
            )
        return found

    @property
    def input_shape(self) -> Shape:
        """The shape of one sample."""
        shapes = self._input_shapes
        if len(shapes) != 1:
            raise ConfigError(f"the model has {len(shapes)} inputs", hint="use convert and simulate in Python")
        return shapes[0]

    @property
    def _input_shapes(self) -> list[Shape]:
        if self.graph is not None:
            return [self.graph.shapes[i] for i in self.graph.inputs]
        assert self.network is not None
        return [self.network.wiring.shapes[i] for i in self.network.encodings]

    @cached_property
    def classes(self) -> int:
        """The number of outputs."""
        if self.graph is not None:
            return self.graph.size(self.graph.outputs[0])
        assert self.network is not None
        return math.prod(self.network.readouts[0].shape)

    @cached_property
    def test(self) -> Dataset:
        """The test set, checked against the model."""
        paths, data, simulation = self.settings.paths, self.settings.input, self.settings.simulation
        dataset = load_test(
            paths.dataset_path,
            dataset_format=data.dataset_format,
            limit=simulation.num_to_test,
            indices=simulation.sample_idxs_to_test,
            datagen_kwargs=data.datagen_kwargs,
            dataflow_kwargs=data.dataflow_kwargs,
            class_idx_path=paths.class_idx_path,
            image_size=_image_size(self.input_shape),
        )
        if dataset.y is not None and not dataset.regression and self.classes == 1:
            self.warn("the model has one output: y_test is taken as targets, and no accuracy is measured")
            dataset = replace(dataset, y=dataset.y.astype(np.float32), regression=True)
        check_fits(dataset, self.input_shape, self.classes)
        return dataset

    @cached_property
    def calibration(self) -> Array | None:
        """The samples that thresholds are chosen on; None where there are none or `normalize` is off."""
        if not self.settings.tools.normalize:
            return None
        dataset = load_calibration(
            self.settings.paths.dataset_path,
            dataset_format=self.settings.input.dataset_format,
            limit=self.settings.normalization.num_samples,
            datagen_kwargs=self.settings.input.datagen_kwargs,
            dataflow_kwargs=self.settings.input.dataflow_kwargs,
            image_size=_image_size(self.input_shape),
        )
        if dataset is None:
            self.warn("no x_norm: thresholds follow from the weights alone, which takes many more steps")
            return None
        check_fits(dataset, self.input_shape, source="x_norm")
        return dataset.x

    def _check_early(self) -> None:
        """Everything that can be refused before long work."""
        settings, simulation = self.settings, self.settings.simulation
        self.report.update(
            simulator=simulation.simulator,
            samples=len(self.test),
            duration=simulation.duration,
            dt=simulation.dt,
            batch_size=simulation.batch_size,
            top_k=simulation.top_k,
            seed=simulation.seed,
            versions=_versions(),
        )
        conversion.steps_of(simulation.duration, simulation.dt)
        if simulation.top_k > self.classes:
            raise ConfigError(f"[simulation] top_k = {simulation.top_k}, the model has {self.classes} outputs")
        if settings.output.plot_vars:
            canvas.check_properties(settings.output.plotproperties)
        backend = plugins.backend(simulation.simulator)
        if self.network is not None:
            backend.capabilities.check(backend.name, self.network)
            self._check_saved(self.network)
        if self.graph is not None:
            self.recipe = _recipe(settings, self._largest_input() if settings.input.poisson_input else 1.0)
            self.lowered = conversion.lower(self.graph, self.recipe)
            if errors := ApproximateActivations(self.recipe.approximate).errors(self.graph):
                self.report["approximation_errors"] = errors
            self.report["ann_operations"] = ann_operations(self.graph)

    def _check_saved(self, network: SpikingNetwork) -> None:
        """That a network of an earlier run belongs to this one."""
        if network.dt != self.settings.simulation.dt:
            raise ConfigError(
                f"[simulation] dt = {self.settings.simulation.dt}, the saved network has steps of {network.dt} ms",
                hint="set convert = True to convert again",
            )
        shapes = [network.wiring.shapes[i] for i in network.encodings]
        if shapes != self._input_shapes or math.prod(network.readouts[0].shape) != self.classes:
            raise ConfigError(
                f"the saved network '{self.settings.paths.filename_snn}' is of another model",
                hint="set convert = True to convert again",
            )

    def _largest_input(self) -> float:
        data = self.test.x if self.calibration is None else self.calibration
        return float(np.abs(data).max())

    # -- the analogue network -----------------------------------------------------------------------------------

    def _evaluate_ann(self) -> None:
        """Outputs of the parsed graph on the test set and, where it can be run, of the original: they must be equal."""
        if self.graph is None:
            return
        executor = Executor.double(self.graph)
        ours, theirs = [], []
        reference = self.frontend
        with self.timed("evaluate"), self.progress("Evaluating the model", len(self.test)) as advance:
            for batch in self.test.batches(self.settings.simulation.batch_size):
                ours.append(executor.run(batch.x, batch_size=len(batch)))
                if reference is not None:
                    try:
                        theirs.append(reference.predict(self.model, batch.x)[0])
                    except NoReferenceError as error:
                        self.warn(f"{error.message}: parsing was checked for shapes and weights only")
                        reference = None
                advance(len(batch))
        self.parsed = np.concatenate(ours)
        self.report["parsed_accuracy"] = self._accuracy(self.parsed)
        if self.test.y is not None and self.test.regression:
            self.report["parsed_error"] = _error(self.parsed, self.test.y)
        if theirs:
            original = np.concatenate(theirs)
            self.report["parsed_difference"] = conversion.compare_outputs([self.parsed], [original])
            self.report["ann_accuracy"] = self._accuracy(original)

    def _accuracy(self, outputs: Array) -> float | None:
        """Top-k accuracy, None without class labels."""
        if self.test.y is None or self.test.regression:
            return None
        return top_k_accuracy(outputs, self.test.y, self.settings.simulation.top_k)

    # -- the spiking network ------------------------------------------------------------------------------------

    def _convert(self) -> None:
        assert self.graph is not None
        data = self.calibration
        with self.progress("Choosing thresholds", 0 if data is None else len(data)) as advance:
            convert = partial(conversion.convert, self.graph, data, duration=self.settings.simulation.duration)
            self.network = convert(recipe=self.recipe, progress=advance)
            if self.recipe.weight_bits:
                self.unquantized = convert(recipe=replace(self.recipe, weight_bits=0))
        backend = plugins.backend(self.settings.simulation.simulator)
        backend.capabilities.check(backend.name, self.network)

    def _simulate(self, folder: Path) -> None:
        """Run the test set and gather accuracy, agreement, rates and operations, batch by batch."""
        assert self.network is not None
        output, network = self.settings.output, self.network
        recorder = Recorder(network, folder, output.log_vars, output.plot_vars, output.plotproperties)
        self.statistics = statistics = PopulationStatistics(network)
        analogue = self._activations(network)
        outputs, per_step, done, operations = [], [], 0, 0.0
        with self.progress(f"Simulating on {self.settings.simulation.simulator}", len(self.test)) as advance:
            for result in self._batches(network, recorder.record):
                x = self.test.x[done : done + result.samples]
                activations = analogue(x)
                statistics.add(result, activations)
                recorder.add(x, result, activations)
                outputs.append(result.output)
                per_step.append(result.predictions_per_step)
                operations += synaptic_operations(network, result.counts) * result.samples
                done += result.samples
                advance(result.samples)
        predictions = np.concatenate(per_step, axis=1)
        self._report_outputs(np.concatenate(outputs), predictions)
        self.report["synaptic_operations"] = operations / done
        if self.unquantized is not None:
            self._simulate_unquantized()
        self._plot(recorder, predictions)

    def _batches(self, network: SpikingNetwork, record: Record) -> Iterator[Result]:
        simulation = self.settings.simulation
        return conversion.simulate_batches(
            network,
            self.test.x,
            simulation.duration,
            simulation.simulator,
            simulation.batch_size,
            record,
            device=simulation.device,
            chunk=simulation.chunk,
        )

    def _activations(self, network: SpikingNetwork) -> Callable[[Array], Mapping[str, Array]]:
        """A function from samples to the analogue values that the populations stand for."""
        if self.lowered is None:
            return lambda x: {}
        wanted = [p.activation for p in network.populations.values() if p.activation in self.lowered.nodes]
        executor = Executor(self.lowered)
        return lambda x: executor.values(x, keep=wanted)

    def _report_outputs(self, outputs: Array, predictions: Array) -> None:
        labels, report = self.test.y, self.report
        if labels is not None and not self.test.regression:
            report["snn_accuracy"] = self._accuracy(outputs)
            report["snn_accuracy_per_step"] = accuracy_per_step(predictions, labels)
        elif labels is not None:
            report["snn_error"] = _error(outputs, labels)
        if self.parsed is not None and not self.test.regression and self.classes > 1:
            analogue = self.parsed.reshape(len(self.parsed), -1).argmax(axis=1)
            report["agreement"] = share = agreement(predictions[-1], analogue)
            report["agreement_per_step"] = [agreement(p, analogue) for p in predictions]
            if share < ENOUGH_AGREEMENT:
                self.warn(
                    f"the spiking network agrees with the original on only {share:.1%} of the samples; "
                    f"more steps help ([simulation] duration = {2 * self.settings.simulation.duration})"
                )

    def _simulate_unquantized(self) -> None:
        """The accuracy that quantisation started from."""
        assert self.unquantized is not None
        results = self._batches(self.unquantized, Record(outputs_per_step=False))
        self.report["snn_accuracy_unquantized"] = self._accuracy(np.concatenate([r.output for r in results]))
        self.report["weight_bits"] = self.recipe.weight_bits

    def _plot(self, recorder: Recorder, predictions: Array) -> None:
        assert self.statistics is not None
        labels = None if self.test.regression else self.test.y
        recorder.plot(
            error_per_step=None if labels is None else 1 - accuracy_per_step(predictions, labels),
            ann_accuracy=self.report.get("parsed_accuracy"),
            ann_operations=self.report.get("ann_operations"),
            predictions=None if labels is None else (predictions[-1], labels),
            correlations=self.statistics.correlations,
        )

    # -- what goes out ------------------------------------------------------------------------------------------

    def _finish(self, folder: Path) -> None:
        """Save the networks, the settings and the report."""
        paths = self.settings.paths
        if self.graph is not None:
            save(self.graph, folder / f"{Path(paths.filename_parsed_model).name}.npz")
        if self.network is not None:
            save(self.network, folder / f"{Path(paths.filename_snn).name}.npz")
            self.report["neurons_per_layer"] = {n: p.size for n, p in self.network.populations.items()}
        if self.statistics is not None:
            self.report["spikes_per_layer"] = self.statistics.spikes
            self.report["mean_rate_per_layer"] = self.statistics.mean_rates
            self.report["correlation_per_layer"] = self.statistics.correlations
        (folder / "config.ini").write_text(config_text(self.settings))
        write_json(folder / "report.json", self.report)


def _error(outputs: Array, targets: Array) -> dict[str, float]:
    """How far outputs are from regression targets."""
    error = RegressionError()
    error.add(outputs, targets)
    return {"rmse": error.rmse, "largest": error.largest}


def _image_size(shape: Shape) -> tuple[int, int] | None:
    """Height and width that images need for samples of this shape, channels first or last."""
    if len(shape) != 3:
        return None
    return (shape[1], shape[2]) if shape[0] in (1, 3) and shape[2] not in (1, 3) else (shape[0], shape[1])


def _recipe(settings: Settings, largest_input: float) -> Recipe:
    """The conversion's choices that the settings name; the largest |x| scales Poisson input."""
    chosen, cell, dt = settings.conversion, settings.cell, settings.simulation.dt
    neuron = IF(
        reset=Reset(cell.reset),
        reset_potential=cell.v_reset / cell.v_thresh,
        initial=chosen.initial_potential,
        leak=math.exp(-dt / cell.tau_m) if cell.leak else 1.0,
        refractory=round(cell.tau_refrac / dt),
    )
    encoding: Encoding = ConstantCurrent()
    if settings.input.poisson_input:
        per_step = settings.input.input_rate * dt / 1000
        encoding = Poisson(amplitude=(largest_input or 1.0) / per_step, seed=settings.simulation.seed)
    return Recipe(
        percentile=settings.normalization.percentile,
        per_channel=chosen.threshold_scope == "channel",
        max_pool=chosen.maxpool_type,
        max2avg_pool=chosen.max2avg_pool,
        avgpool_neurons=chosen.avgpool_neurons,
        softmax_to_relu=chosen.softmax_to_relu,
        readout=chosen.readout,
        neuron=neuron,
        encoding=encoding,
        dt=dt,
        approximate=chosen.approximate,
        readout_correction=chosen.readout_correction,
        weight_bits=chosen.weight_bits,
    )


def _versions() -> dict[str, str]:
    """Python's version and those of the packages that matter, where they are installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
