"""The story of a run, in order: open, check, measure, convert, simulate, report. Settings stop here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from snntoolbox.analysis.advice.diagnose import advised, check_seconds, likely_remedy, untried
from snntoolbox.analysis.diagnosis.findings import Diagnosis
from snntoolbox.analysis.diagnosis.observer import Observer, incomparable
from snntoolbox.analysis.metrics import OutputErrors, PopulationStatistics, accuracy_per_step, agreement
from snntoolbox.backends.early_exit import Exits, chosen_exit, shortfall
from snntoolbox.backends.legalize import legalized
from snntoolbox.backends.registry import backend_named
from snntoolbox.backends.simulate import simulate, simulate_batches
from snntoolbox.engine.executor import Executor
from snntoolbox.errors import ConfigError, DiedError
from snntoolbox.ir.files import RunFolder, write_json
from snntoolbox.ir.io import save
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.operations import synaptic_operations
from snntoolbox.ir.result import Record, Result
from snntoolbox.ir.timing import timing
from snntoolbox.workflow.config.schema import Settings
from snntoolbox.workflow.config.template import config_text
from snntoolbox.workflow.models import check_folder
from snntoolbox.workflow.preparation import ALWAYS_REPORTED, Preparation, regression_error
from snntoolbox.workflow.report.recording import Recorder

__all__ = ["ALWAYS_REPORTED", "Run", "run"]

ENOUGH_AGREEMENT = 0.95
"""Below this share of equal predictions a run warns."""

DIAGNOSED = 500
"""About how many test samples are diagnosed: enough for the terms, cheap beside the simulation."""

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


class Run(Preparation):
    """One run: all its stages in order, and what they found."""

    def __init__(self, settings: Settings, *, force: bool = False, advise: float | None = None) -> None:
        super().__init__(settings, force=force)
        self.advise = advise
        self.failure: DiedError | None = None
        self.folder = settings.paths.log_dir_of_current_run
        self.diagnosis: Diagnosis | None = None
        self.statistics: PopulationStatistics | None = None

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

    def check_early(self) -> None:
        """Everything that can be refused before long work."""
        super().check_early()
        if self.advise is not None and self.inputs.graph is None:
            raise ConfigError("a diagnosis needs the parsed network", hint="set parse = True")

    @property
    def _labels(self) -> Array | None:
        """The labels of the samples that are reported."""
        return None if self.test.y is None else self.test.y[: self.report["samples"]]

    # -- simulation ---------------------------------------------------------------------------------------------

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
            self.report["early_exit"] = exits.found(None if self.test.regression else self._labels)
        self.report.update(timing(network, self.settings.simulation.duration))
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
        return simulate_batches(
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
            return simulate(network, x, duration=simulation.duration, batch_size=size, record=record)

        rule = chosen_exit(network, [data], simulation.early_exit, run)
        if few := shortfall(rule):
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
            report["snn_accuracy"] = float(np.mean(predictions[-1] == labels)) if first else self.accuracy(outputs)
        elif labels is not None:
            report["snn_error"] = regression_error(outputs, labels)
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
        backend = backend_named(self.settings.simulation.simulator)
        able = not backend.capabilities.missing(legalized(self.unquantized, backend, ()))
        simulator = backend.name if able else "INI"
        results = self._batches(self.unquantized, Record(outputs_per_step=False), simulator)
        self.report["snn_accuracy_unquantized"] = self.accuracy(np.concatenate([r.output for r in results]))
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


