"""A run up to its spiking network: open, check, measure the analogue network, convert."""

from __future__ import annotations

import logging
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from snntoolbox.analysis.metrics import RegressionError, top_k_accuracy
from snntoolbox.backends.checking import check_simulator
from snntoolbox.backends.legalize import legalized
from snntoolbox.backends.registry import backend_named
from snntoolbox.backends.workers import cluster
from snntoolbox.conversion.convert import spiking
from snntoolbox.conversion.load import compare_outputs
from snntoolbox.conversion.lower import lower
from snntoolbox.conversion.lowering.approximate import ApproximateActivations
from snntoolbox.conversion.lowering.lower_sigmoid import both_classes
from snntoolbox.conversion.settle import settle
from snntoolbox.conversion.smallest_network import smallest_network
from snntoolbox.engine.executor import Executor
from snntoolbox.engine.tensors import device_named
from snntoolbox.errors import ConfigError, NoReferenceError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.operations import ann_operations
from snntoolbox.ir.timing import steps_of
from snntoolbox.workflow.config.schema import Settings
from snntoolbox.workflow.data.dataset import Dataset
from snntoolbox.workflow.inputs import Inputs
from snntoolbox.workflow.recipes import recipe_of
from snntoolbox.workflow.report import canvas
from snntoolbox.workflow.report.terminal import progress

log = logging.getLogger(__name__)

PACKAGES = ("snntoolbox", "numpy", "scipy", "networkx", "torch", "onnx", "onnxruntime", "keras")


ALWAYS_REPORTED = (
    *("model", "frontend", "simulator", "samples", "duration", "ann_accuracy", "parsed_accuracy", "snn_accuracy"),
    *("snn_accuracy_per_step", "seconds", "spikes_per_layer", "neurons_per_layer", "synaptic_operations"),
    *("ann_operations", "versions", "seed"),
)
"""What every report holds; null where this run did not measure it."""


class Preparation:
    """The stages of a run up to the spiking network, and what they found. `report` is what ``report.json`` holds."""

    def __init__(self, settings: Settings, *, force: bool = False) -> None:
        self.settings = settings
        self.force = force
        self.seconds: dict[str, float] = {}
        self.warnings: list[str] = []
        self.report: dict[str, Any] = dict.fromkeys(ALWAYS_REPORTED)
        self.report.update(seconds=self.seconds, warnings=self.warnings)
        self.network: SpikingNetwork | None = None
        self.lowered: Graph | None = None
        self.parsed: Array | None = None
        self.unquantized: SpikingNetwork | None = None

    def prepare(self) -> None:
        """All stages up to the spiking network."""
        tools = self.settings.tools
        with self.timed("parse"):
            self.inputs = Inputs(self.settings, self.warn)
        self.network = self.inputs.network
        self.check_early()
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
    def test(self) -> Dataset:
        """The test set."""
        return self.inputs.test

    def check_early(self) -> None:
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
        steps_of(simulation.duration, simulation.dt)
        device_named(simulation.device)
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
                self.check_simulator(smallest_network(self.recipe))
            self.lowered = lower(graph, self.recipe)
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
        self.report["parsed_accuracy"] = self.accuracy(self.parsed)
        if self.test.y is not None and self.test.regression:
            self.report["parsed_error"] = regression_error(self.parsed, self.test.y)
        if theirs is not None:
            self.report["parsed_difference"] = compare_outputs(ours, theirs, self._rounded(graph))
            original = both_classes(theirs[0]) if self.inputs.binary else theirs[0]
            self.report["ann_accuracy"] = self.accuracy(original)

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

    def accuracy(self, outputs: Array) -> float | None:
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
            made = settle(lowered, data, recipe, simulation.duration, advance, simulation.device)
        self.report["recipe"] = made.told()
        convert = partial(spiking, lowered, made.scales, data)
        self.network = convert(made.recipe, simulation.duration, simulation.device, made.notes)
        if recipe.weight_bits:
            self.unquantized = convert(replace(made.recipe, weight_bits=0), simulation.duration, simulation.device)
        self.check_simulator(self.network)

    def check_simulator(self, network: SpikingNetwork) -> None:
        """Refuse what the simulator cannot run, or what is too large for it, before anything is started."""
        backend = backend_named(self.settings.simulation.simulator)
        check_simulator(backend, legalized(network, backend, ()), force=self.force)


def regression_error(outputs: Array, targets: Array) -> dict[str, float]:
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
