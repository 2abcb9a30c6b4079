"""The story of a run, in order: open, check, measure, convert, simulate, report. Settings stop here."""

from __future__ import annotations

import logging
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from snntoolbox import building, conversion, plugins, schedules
from snntoolbox.advice.diagnose import advised, check_seconds, likely_remedy, untried
from snntoolbox.config import Settings, config_text
from snntoolbox.data import Dataset
from snntoolbox.diagnosis.findings import Diagnosis
from snntoolbox.diagnosis.observer import Observer, incomparable
from snntoolbox.early_exit import Exits
from snntoolbox.engine.executor import Executor
from snntoolbox.engine.tensors import device_named
from snntoolbox.errors import ConfigError, DiedError, NoReferenceError
from snntoolbox.inputs import Inputs
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.io import save
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.result import Record, Result
from snntoolbox.models import check_folder
from snntoolbox.passes.approximate import ApproximateActivations
from snntoolbox.passes.lower_sigmoid import both_classes
from snntoolbox.recipes import recipe_of
from snntoolbox.recording import Recorder
from snntoolbox.report import canvas
from snntoolbox.report.metrics import (
    OutputErrors,
    PopulationStatistics,
    RegressionError,
    accuracy_per_step,
    agreement,
    top_k_accuracy,
)
from snntoolbox.report.operations import ann_operations, synaptic_operations
from snntoolbox.report.terminal import progress
from snntoolbox.report.writer import RunFolder, write_json
from snntoolbox.workers import cluster

log = logging.getLogger(__name__)

ENOUGH_AGREEMENT = 0.95
"""Below this share of equal predictions a run warns."""

DIAGNOSED = 500
"""About how many test samples are diagnosed: enough for the terms, cheap beside the simulation."""

PACKAGES = ("snntoolbox", "numpy", "scipy", "networkx", "torch", "onnx", "onnxruntime", "keras")


ALWAYS_REPORTED = (
    *("model", "frontend", "simulator", "samples", "duration", "ann_accuracy", "parsed_accuracy", "snn_accuracy"),
    *("snn_accuracy_per_step", "seconds", "spikes_per_layer", "neurons_per_layer", "synaptic_operations"),
    *("ann_operations", "versions", "seed"),
)
"""What every report holds; null where this run did not measure it."""


UNFINISHED = "-unfinished"
"""Behind the name of a run's folder: the results up to where the simulator died. Earlier results stay as they are."""


def run(settings: Settings, *, into: Path | None = None, force: bool = False, advise: float | None = None) -> Run:
    """Do what a configuration asks for and return what was found; all files appear at the end, or none does.

    They are written `into` another folder than that of the settings where one is given. Where the simulator dies in
    the middle, the finished batches are reported, in a folder of their own, and `failure` says why. `force` takes a
    network that is estimated to be too large for the simulator. With `advise` settings are tried for about so many
    seconds, see `snntoolbox.diagnose`.
    """
    if advise is not None:
        check_seconds(advise)
    found = Run(settings, force=force, advise=advise)
    check_folder(settings.paths.path_wd)
    target = RunFolder(into or settings.paths.log_dir_of_current_run, overwrite=settings.output.overwrite)
    with target as folder:
        found.do(folder)
        if found.failure is not None:
            target.path = target.path.with_name(target.path.name + UNFINISHED)
    found.folder = target.path
    return found


class Run:
    """One run: its stages in order, and what they found. `report` is what ``report.json`` holds."""

    def __init__(self, settings: Settings, *, force: bool = False, advise: float | None = None) -> None:
        self.settings = settings
        self.force = force
        self.advise = advise
        self.failure: DiedError | None = None
        self.folder = settings.paths.log_dir_of_current_run
        self.diagnosis: Diagnosis | None = None
        self.seconds: dict[str, float] = {}
        self.warnings: list[str] = []
        self.report: dict[str, Any] = dict.fromkeys(ALWAYS_REPORTED)
        self.report.update(seconds=self.seconds, warnings=self.warnings)
        self.statistics: PopulationStatistics | None = None
        self.network: SpikingNetwork | None = None
        self.lowered: Graph | None = None
        self.parsed: Array | None = None
        self.unquantized: SpikingNetwork | None = None

    def do(self, folder: Path) -> None:
        """All stages, writing into `folder`."""
        self.prepare()
        if self.settings.tools.simulate:
            with self.timed("simulate"):
                self._simulate(folder)
        if self.advise is not None and self.failure is None:
            with self.timed("diagnose"):
                self._advise(self.advise)
        self._finish(folder)

    def prepare(self) -> None:
        """All stages up to the spiking network."""
        tools = self.settings.tools
        with self.timed("parse"):
            self.inputs = Inputs(self.settings, self.warn)
        self.network = self.inputs.network
        self._check_early()
        if tools.evaluate_ann:
            self._evaluate_ann()
        if tools.convert:
            with self.timed("convert"):
                self._convert()

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

    @property
    def _labels(self) -> Array | None:
        """The labels of the samples that are reported."""
        return None if self.test.y is None else self.test.y[: self.report["samples"]]

    @property
    def test(self) -> Dataset:
        """The test set."""
        return self.inputs.test

    def _check_early(self) -> None:
        """Everything that can be refused before long work."""
        settings, simulation = self.settings, self.settings.simulation
        frontend = self.inputs.frontend
        self.report.update(
            model=self.inputs.source,
            frontend=None if frontend is None else frontend.name,
            simulator=simulation.simulator,
            samples=len(self.test),
            duration=simulation.duration,
            dt=simulation.dt,
            batch_size=simulation.batch_size,
            top_k=simulation.top_k,
            seed=simulation.seed,
            versions=_versions(),
        )
        schedules.steps_of(simulation.duration, simulation.dt)
        device_named(simulation.device)
        if self.advise is not None and self.inputs.graph is None:
            raise ConfigError("a diagnosis needs the parsed network", hint="set parse = True")
        if simulation.early_exit and (not self.inputs.classifies or self.inputs.calibration is None):
            lacking = "x_norm to choose its margin on" if self.inputs.classifies else "classes"
            raise ConfigError(f"[simulation] early_exit needs {lacking}", hint="early_exit = 0 turns it off")
        if simulation.top_k > self.inputs.classes:
            raise ConfigError(f"[simulation] top_k = {simulation.top_k}, the model has {self.inputs.classes} outputs")
        if settings.output.plot_vars:
            canvas.check_properties(settings.output.plotproperties)
        if self.settings.tools.simulate:
            cluster.check(simulation.workers, simulation.scheduler)
            if simulation.scheduler:
                cluster.check_reachable(simulation.scheduler)
        if self.network is not None:
            self.check_simulator(self.network)
            self.inputs.check_saved(self.network)
        if (graph := self.inputs.graph) is not None:
            self.inputs.check_scales()
            self.recipe = recipe_of(settings, self.inputs.largest_input(), self.inputs.input_range())
            if settings.tools.convert:
                kind = (self.recipe.neuron, self.recipe.encoding, self.recipe.schedule, self.recipe.weight_bits)
                self.check_simulator(schedules.probe(*kind))
            self.lowered = conversion.lower(graph, self.recipe)
            if self.inputs.binary:
                self.warn("one output, a sigmoid, is read as two classes: class 1 where its logit is above 0")
            if errors := ApproximateActivations(self.recipe.approximate).errors(graph):
                self.report["approximation_errors"] = errors
            self.report["ann_operations"] = ann_operations(graph)

    # -- the analogue network -----------------------------------------------------------------------------------

    def _evaluate_ann(self) -> None:
        """Outputs of the parsed graph on the test set and, where it can be run, of the original: they must be equal."""
        graph = self.inputs.graph
        if graph is None:
            return
        with self.timed("evaluate"), self.progress("Evaluating the model", len(self.test)) as advance:
            ours, theirs = self._outputs(graph, advance)
        # Of a binary classifier both classes, from the probability of one.
        self.parsed = both_classes(ours[0]) if self.inputs.binary else ours[0]
        self.report["parsed_accuracy"] = self._accuracy(self.parsed)
        if self.test.y is not None and self.test.regression:
            self.report["parsed_error"] = _error(self.parsed, self.test.y)
        if theirs is not None:
            self.report["parsed_difference"] = conversion.compare_outputs(ours, theirs, self._rounded(graph))
            original = both_classes(theirs[0]) if self.inputs.binary else theirs[0]
            self.report["ann_accuracy"] = self._accuracy(original)

    def _outputs(self, graph: Graph, advance: Callable[[int], None]) -> tuple[list[Array], list[Array] | None]:
        """All outputs of the graph, in float64, and of the original; None where that cannot be run."""
        executor, reference = Executor.double(graph), self.inputs.frontend
        ours: list[list[Array]] = []
        theirs: list[tuple[Array, ...]] = []
        for batch in self.test.batches(self.settings.simulation.batch_size):
            values = executor.values(batch.x)
            ours.append([values[o] for o in graph.outputs])
            if reference is not None:
                try:
                    theirs.append(reference.predict(self.inputs.model, batch.x))
                except NoReferenceError as error:
                    self.warn(f"{error.message}: parsing was checked for shapes and weights only")
                    reference = None
            advance(len(batch))
        original = None if reference is None else [np.concatenate(parts) for parts in zip(*theirs, strict=True)]
        return [np.concatenate(parts) for parts in zip(*ours, strict=True)], original

    def _rounded(self, graph: Graph) -> list[Array]:
        """All outputs in float32 where rounding can make a difference: those of a quantised network."""
        if not graph.jumps:
            return []
        parts = [*Executor(graph).batches(self.test.x, batch_size=self.settings.simulation.batch_size)]
        return [np.concatenate([part[o] for part in parts]) for o in graph.outputs]

    def _accuracy(self, outputs: Array) -> float | None:
        """Top-k accuracy, None without class labels."""
        if self.test.y is None or self.test.regression:
            return None
        return top_k_accuracy(outputs, self.test.y[: len(outputs)], self.settings.simulation.top_k)

    # -- the spiking network ------------------------------------------------------------------------------------

    def _convert(self) -> None:
        lowered, recipe, simulation = self.lowered, self.recipe, self.settings.simulation
        assert lowered is not None
        data = None if self.inputs.calibration is None else [self.inputs.calibration]
        with self.progress("Choosing thresholds", 0 if data is None else len(data[0])) as advance:
            made = conversion.settle(lowered, data, recipe, simulation.duration, advance, simulation.device)
        self.report["recipe"] = made.told()
        convert = partial(conversion.spiking, lowered, made.scales, data)
        self.network = convert(made.recipe, simulation.duration, simulation.device, made.notes)
        if recipe.weight_bits:
            self.unquantized = convert(replace(made.recipe, weight_bits=0), simulation.duration, simulation.device)
        self.check_simulator(self.network)

    def check_simulator(self, network: SpikingNetwork) -> None:
        """Refuse what the simulator cannot run, or what is too large for it, before anything is started."""
        backend = plugins.backend(self.settings.simulation.simulator)
        building.check(backend, schedules.legalized(network, backend, ()), force=self.force)

    def _simulate(self, folder: Path) -> None:
        """Run the test set and gather accuracy, agreement, rates and operations, batch by batch."""
        assert self.network is not None
        output, network = self.settings.output, self.network
        recorder = Recorder(network, folder, output.log_vars, output.plot_vars, output.plotproperties)
        self.statistics = statistics = PopulationStatistics(network)
        analogue = self._activations(network)
        observer = self._observer(network)
        errors = OutputErrors(() if self.lowered is None else self.lowered.outputs)
        outputs, per_step, done, operations = [], [], 0, 0.0
        exits = self._exits(network)
        paths: dict[str, frozenset[str]] = {}
        with self.progress(f"Simulating on {self.settings.simulation.simulator}", len(self.test)) as advance:
            for result in self._finished(self._batches(network, recorder.record)):
                x = self.test.x[done : done + result.samples]
                activations = analogue(x)
                statistics.add(result, activations)
                recorder.add(x, result, activations)
                errors.add(result, activations)
                if observer is not None and observer.samples < DIAGNOSED:
                    observer.add([x], result)
                if exits is not None:
                    exits.add(result)
                paths = {n: ways | paths.get(n, frozenset()) for n, ways in result.engine_paths.items()}
                outputs.append(result.output)
                if self.inputs.classifies:
                    per_step.append(result.predictions_per_step)
                operations += synaptic_operations(network, result.events) * result.samples
                done += result.samples
                advance(result.samples)
        predictions = np.concatenate(per_step, axis=1) if per_step else None
        self.diagnosis = None if observer is None else observer.found()
        self._report_outputs(np.concatenate(outputs), predictions)
        self.report["synaptic_operations"] = operations / done
        self.report["output_error"] = errors.found
        self.report["engine_paths"] = {name: sorted(ways) for name, ways in paths.items()}
        if exits is not None:
            self.report["early_exit"] = exits.found(None if self.test.regression else self.test.y)
        self.report.update(schedules.timing(network, self.settings.simulation.duration))
        if self.unquantized is not None and self.failure is None:
            self._simulate_unquantized()
        self._plot(recorder, predictions)

    def _finished(self, results: Iterator[Result]) -> Iterator[Result]:
        """The batches up to where the simulator dies; the error itself where none is finished."""
        done = 0
        try:
            for result in results:
                done += result.samples
                yield result
        except DiedError as error:
            if not done:
                raise
            self.failure = error
            self.warn(f"the simulator died: {done} of {len(self.test)} samples are finished and reported")
            self.report.update(samples=done, failure=error.message)

    def _observer(self, network: SpikingNetwork) -> Observer | None:
        """What splits the errors of the run; None where that is not wanted, or there is no original to compare."""
        if not self.settings.output.diagnosis or self.lowered is None or incomparable(network):
            return None
        return Observer(network, self.lowered)

    def _advise(self, seconds: float) -> None:
        """Try on the calibration data what could make the errors smaller."""
        graph, data, duration = self.inputs.graph, self.inputs.calibration, self.settings.simulation.duration
        if self.diagnosis is None:
            raise ConfigError("the errors of this network cannot be split", hint="`snntoolbox run` simulates it")
        assert self.network is not None
        assert graph is not None
        if data is None:
            self.diagnosis = untried(self.diagnosis, self.recipe, duration)
            return
        simulator, exits = self.settings.simulation.simulator, self.settings.simulation.early_exit
        chosen = (self.network, self.recipe, duration, simulator, seconds, exits)
        self.diagnosis = advised(self.diagnosis, graph, [data], *chosen)

    def _batches(self, network: SpikingNetwork, record: Record, simulator: str = "") -> Iterator[Result]:
        simulation = self.settings.simulation
        # Only what was asked for: a simulator without such an option says so, and others need not know it.
        asked: dict[str, tuple[Any, Any]] = {
            "device": (simulation.device, "auto"),
            "chunk": (simulation.chunk, 0),
            "engine": (simulation.engine, "auto"),
        }
        options: dict[str, Any] = {name: value for name, (value, default) in asked.items() if value != default}
        return conversion.simulate_batches(
            network,
            self.test.x,
            simulation.duration,
            simulator or simulation.simulator,
            simulation.batch_size,
            record,
            force=self.force,
            workers=simulation.workers,
            scheduler=simulation.scheduler,
            **options,
        )

    def _exits(self, network: SpikingNetwork) -> Exits | None:
        """The early exit, calibrated with the built-in simulator; None where it is off."""
        simulation, data = self.settings.simulation, self.inputs.calibration
        if not simulation.early_exit or data is None:
            return None

        def run(x: Sequence[Array], record: Record) -> Result:
            size = simulation.batch_size
            return conversion.simulate(network, x, duration=simulation.duration, batch_size=size, record=record)

        rule = conversion.chosen_exit(network, [data], simulation.early_exit, run)
        if few := conversion.shortfall(rule):
            self.warn(few)
        return Exits(rule)

    def _activations(self, network: SpikingNetwork) -> Callable[[Array], Mapping[str, Array]]:
        """A function from samples to the analogue values that the populations stand for."""
        if self.lowered is None:
            return lambda x: {}
        named = {p.activation for p in network.populations.values()} & self.lowered.nodes.keys()
        wanted = [*named, *self.lowered.outputs]
        executor = Executor(self.lowered)
        return lambda x: executor.values(x, keep=wanted)

    def _report_outputs(self, outputs: Array, predictions: Array | None) -> None:
        labels, report = self._labels, self.report
        if labels is not None and not self.test.regression and predictions is not None:
            report["snn_accuracy_per_step"] = accuracy_per_step(predictions, labels)
            # An undecided sample counts as wrong.
            first = self.settings.simulation.top_k == 1
            report["snn_accuracy"] = float(np.mean(predictions[-1] == labels)) if first else self._accuracy(outputs)
        elif labels is not None:
            report["snn_error"] = _error(outputs, labels)
        if self.parsed is not None and not self.test.regression and predictions is not None:
            analogue = self.parsed.reshape(len(self.parsed), -1).argmax(axis=1)[: len(outputs)]
            report["agreement"] = share = agreement(predictions[-1], analogue)
            report["agreement_per_step"] = [agreement(p, analogue) for p in predictions]
            if share < ENOUGH_AGREEMENT:
                only = f"the spiking network agrees with the original on only {share:.1%} of the samples"
                self.warn(f"{only}; {self._likely_remedy()}")

    def _likely_remedy(self) -> str:
        """What may help, from the terms of the error where they are known."""
        duration = self.settings.simulation.duration
        found = likely_remedy(self.diagnosis, self.recipe, duration) if self.diagnosis is not None else ""
        tried = "" if self.advise is not None else " (`snntoolbox diagnose` tries what does)"
        return (found or f"more steps may help ([simulation] duration = {2 * duration})") + tried

    def _simulate_unquantized(self) -> None:
        """The accuracy that quantisation started from."""
        assert self.unquantized is not None
        # Some simulators run windows on the grid alone; the built-in one has the spikes that any other would have.
        backend = plugins.backend(self.settings.simulation.simulator)
        able = not backend.capabilities.missing(schedules.legalized(self.unquantized, backend, ()))
        simulator = backend.name if able else "INI"
        results = self._batches(self.unquantized, Record(outputs_per_step=False), simulator)
        self.report["snn_accuracy_unquantized"] = self._accuracy(np.concatenate([r.output for r in results]))
        self.report["weight_bits"] = self.recipe.weight_bits

    def _plot(self, recorder: Recorder, predictions: Array | None) -> None:
        assert self.statistics is not None
        labels = None if self.test.regression else self._labels
        classes = None if predictions is None or labels is None else (predictions, labels)
        recorder.plot(
            error_per_step=None if classes is None else 1 - accuracy_per_step(*classes),
            ann_accuracy=self.report.get("parsed_accuracy"),
            ann_operations=self.report.get("ann_operations"),
            predictions=None if classes is None else (classes[0][-1], classes[1]),
            correlations=self.statistics.correlations,
            diagnosis=self.diagnosis,
        )

    # -- what goes out ------------------------------------------------------------------------------------------

    def _finish(self, folder: Path) -> None:
        """Save the networks, the settings and the report."""
        paths = self.settings.paths
        if self.inputs.graph is not None:
            save(self.inputs.graph, folder / f"{Path(paths.filename_parsed_model).name}.npz")
        if self.network is not None:
            save(self.network, folder / f"{Path(paths.filename_snn).name}.npz")
            self.report["neurons_per_layer"] = {n: p.size for n, p in self.network.populations.items()}
        if self.statistics is not None:
            self.report["spikes_per_layer"] = self.statistics.spikes
            self.report["mean_rate_per_layer"] = self.statistics.mean_rates
            self.report["correlation_per_layer"] = self.statistics.correlations
        if self.diagnosis is not None:
            self.report["diagnosis"] = self.diagnosis.data()
        (folder / "config.ini").write_text(config_text(self.settings))
        write_json(folder / "report.json", self.report)


def _error(outputs: Array, targets: Array) -> dict[str, float]:
    """How far outputs are from regression targets."""
    error = RegressionError()
    error.add(outputs, targets)
    return {"rmse": error.rmse, "largest": error.largest}


def _versions() -> dict[str, str]:
    """Python's version and those of the packages that matter, where they are installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
