"""Runs the test set on a simulator and gathers what a report says of it, batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from snntoolbox.analysis.advice.diagnose import likely_remedy
from snntoolbox.analysis.diagnosis.diagnosis import Diagnosis
from snntoolbox.analysis.diagnosis.observer import Observer, incomparable
from snntoolbox.analysis.metrics import PopulationStatistics
from snntoolbox.backends.checking import notes_of
from snntoolbox.backends.early_exit import chosen_exit, shortfall
from snntoolbox.backends.legalize import legalized
from snntoolbox.backends.registry import backend_named
from snntoolbox.backends.simulate import simulate, simulate_batches
from snntoolbox.engine.executor import Executor
from snntoolbox.errors import DiedError
from snntoolbox.ir.features import RESET_SUBTRACT
from snntoolbox.ir.large_arrays import piece
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.neurons import IF, Reset
from snntoolbox.ir.node import Array
from snntoolbox.ir.result import ExitRule, Record, Result
from snntoolbox.ir.timing import timing
from snntoolbox.workflow.choices import notation_of
from snntoolbox.workflow.collecting import (
    Batch,
    Collector,
    Diagnosing,
    EarlyExits,
    EnginePaths,
    Hardware,
    Operations,
    OutputDifferences,
    Outputs,
    Populations,
    Told,
    collect,
)
from snntoolbox.workflow.config.schema import Settings
from snntoolbox.workflow.evaluation import Scores
from snntoolbox.workflow.figures import Figures, LayerFigures, figures_of
from snntoolbox.workflow.options import BUILT_IN, options_of
from snntoolbox.workflow.preparation import Prepared, reset_every
from snntoolbox.workflow.report.recording import Recorder
from snntoolbox.workflow.report.variables import kept_variables

ENOUGH_AGREEMENT = 0.95
"""Below this share of equal predictions a run warns."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Simulated:
    """What came of a simulation, if there was one: what a report says of it, statistics of populations, errors split.

    `failure` is what the simulator died of, where some batches were finished before. `plot` draws what was asked for;
    `figures` is what the page of the run draws, `remedy` in words what may help, empty where nothing is known to.
    """

    report: Mapping[str, Any] = field(default_factory=dict)
    statistics: PopulationStatistics | None = None
    diagnosis: Diagnosis | None = None
    failure: DiedError | None = None
    plot: Callable[[], None] = lambda: None
    figures: Figures = field(default_factory=Figures)
    remedy: str = ""


@dataclass(frozen=True, eq=False)
class Collectors:
    """All of a run: those that are asked again when it is over, and the others."""

    populations: Populations
    outputs: Outputs
    recorder: Recorder
    layers: LayerFigures
    diagnosing: Diagnosing | None
    others: tuple[Collector, ...]

    @property
    def all(self) -> list[Collector]:
        """Every one, in the order in which they take in a batch."""
        first: list[Collector] = [self.populations, self.recorder, self.outputs, self.layers]
        return [*first, *([] if self.diagnosing is None else [self.diagnosing]), *self.others]


def simulated(
    prepared: Prepared, network: SpikingNetwork, folder: Path, *, force: bool = False, advised: bool = False
) -> Simulated:
    """Run the test set; what is logged, and later drawn, is written into `folder`.

    With `force` also a network that is too large for the simulator; where settings are `advised` later, a warning does
    not point to it.
    """
    collectors, journal = _collectors(prepared, network, folder), prepared.journal
    simulator = prepared.settings.simulation.simulator
    for note in notes_of(backend_named(simulator), options_of(prepared.settings)):
        journal.warn(note)
    batches = _batches(prepared, network, collectors.recorder.record, force)
    samples = len(prepared.inputs.test)
    failure = collect(batches, collectors.all)
    report = {name: value for collector in collectors.all for name, value in collector.report().items()}
    report.update(timing(network, prepared.settings.simulation.duration))
    if failure is not None:
        report.update(samples=collectors.outputs.samples, failure=failure.message)
        journal.warn(f"the simulator died: {report['samples']} of {samples} samples are finished and reported")
    diagnosis = None if collectors.diagnosing is None else collectors.diagnosing.observer.diagnosis()
    _warn_of_disagreement(prepared, report.get("agreement"), diagnosis, advised)
    if failure is None:
        report.update(_unquantized(prepared, force))
    statistics = collectors.populations.statistics
    with journal.timed("draw"):
        figures = figures_of(prepared, network, collectors.layers.layers, collectors.outputs)
    return Simulated(
        report=report, statistics=statistics, diagnosis=diagnosis, failure=failure, figures=figures,
        plot=partial(_plot, prepared, collectors, diagnosis),
        remedy=_remedy(prepared, report.get("agreement"), diagnosis),
    )  # fmt: skip


# -- before -----------------------------------------------------------------------------------------------------------


def _collectors(prepared: Prepared, network: SpikingNetwork, folder: Path) -> Collectors:
    inputs, settings, lowered = prepared.inputs, prepared.settings, prepared.lowered
    test, output, k = inputs.test, settings.output, settings.simulation.top_k
    observer = None
    if reset_every(settings) != 1 and output.diagnosis:
        prepared.journal.warn("errors are not split into causes where potentials are kept from sample to sample")
    elif output.diagnosis and lowered is not None and not incomparable(network):
        observer = Observer(network, lowered)
    rule = _exit_rule(prepared, network)
    (log_vars, _), (plot_vars, _) = (kept_variables(settings, key) for key in ("log_vars", "plot_vars"))
    differences = OutputDifferences(() if lowered is None else lowered.outputs)
    exits = () if rule is None else (EarlyExits(rule, test),)
    told = Told(test, prepared.parsed_classes, network.readouts[0].head)
    return Collectors(
        populations=Populations(network),
        outputs=Outputs(test, prepared.parsed_classes, head=network.readouts[0].head, top_k=k),
        recorder=Recorder(
            network, folder, log_vars, plot_vars, output.plotproperties, simple_labels=output.use_simple_labels
        ),
        layers=LayerFigures(network),
        diagnosing=None if observer is None else Diagnosing(observer),
        others=(differences, *exits, EnginePaths(), Hardware(), Operations(network, inputs.leading), told),
    )


def _exit_rule(prepared: Prepared, network: SpikingNetwork) -> ExitRule | None:
    """The rule of the early exit, chosen with the built-in simulator; None where it is off."""
    simulation, calibration = prepared.settings.simulation, prepared.inputs.calibration_set
    if not simulation.early_exit or calibration is None:
        return None
    options: dict[str, Any] = {"duration": simulation.duration, "batch_size": simulation.batch_size}

    def run(x: Sequence[Array], record: Record) -> Result:
        return simulate(network, x, record=record, **options, **options_of(prepared.settings, BUILT_IN))

    rule = chosen_exit(network, [calibration.presented], simulation.early_exit, run)
    if few := shortfall(rule):
        prepared.journal.warn(few)
    return rule


def _batches(prepared: Prepared, network: SpikingNetwork, record: Record, force: bool) -> Iterator[Batch]:
    """The test set on the simulator of the settings, with the analogue values that the populations stand for."""
    test, lowered, done = prepared.inputs.test, prepared.lowered, 0
    analogue = None if lowered is None else Executor(lowered)
    stood_for = {p.activation for p in network.populations.values()}
    keep = [] if lowered is None else [*(stood_for & lowered.nodes.keys()), *lowered.outputs]
    for result in _results(prepared, network, record, force=force):
        samples, shown = (piece(x, done, done + result.samples) for x in (test.x, test.presented))
        yield Batch(samples, result, {} if analogue is None else analogue.values(samples, keep=keep), shown)
        done += result.samples


def _results(
    prepared: Prepared, network: SpikingNetwork, record: Record, simulator: str = "", *, force: bool
) -> Iterator[Result]:
    """The test set on a simulator, by default that of the settings."""
    settings, simulation = prepared.settings, prepared.settings.simulation
    spread: dict[str, Any] = {"workers": simulation.workers, "scheduler": simulation.scheduler}
    spread["reset_every"] = reset_every(settings)
    return simulate_batches(
        network, prepared.inputs.test.presented, simulation.duration, simulator or simulation.simulator,
        simulation.batch_size, record, force=force, **spread, **options_of(settings, simulator),
    )  # fmt: skip


# -- after ------------------------------------------------------------------------------------------------------------


def _warn_of_disagreement(
    prepared: Prepared, share: float | None, diagnosis: Diagnosis | None, advised: bool
) -> None:
    """Where the spiking network often predicts otherwise than the original: say so, and what may help."""
    if share is None or share >= ENOUGH_AGREEMENT:
        return
    only = f"the spiking network agrees with the original on only {share:.1%} of the samples"
    if offset := prepared.settings.cell.i_offset:
        prepared.journal.warn(f"{only}; [cell] i_offset = {offset} adds a current that the original does not have")
        return
    given = prepared.settings.input
    if given.poisson_input and given.num_poisson_events_per_sample > 0:
        told = f"[input] num_poisson_events_per_sample = {given.num_poisson_events_per_sample} ends the input early"
        prepared.journal.warn(f"{only}; {told}: more, or -1 for all of it, may help")
        return
    remedy = _remedy(prepared, share, diagnosis) or _longer(prepared.network, prepared.settings)
    hint = "" if advised else " (`snntoolbox diagnose` tries what does)"
    prepared.journal.warn(f"{only}; {remedy}{hint}")


def _remedy(prepared: Prepared, share: float | None, diagnosis: Diagnosis | None) -> str:
    """What may help, in words, as far as the errors tell; nothing where there is nothing to gain."""
    if diagnosis is None or prepared.recipe is None or share == 1:
        return ""
    settings = prepared.settings
    held = backend_named(settings.simulation.simulator).capabilities.features
    return likely_remedy(
        diagnosis, prepared.recipe, settings.simulation.duration, notation_of(settings),
        refused=lambda changes: changes.get("neuron.reset") is Reset.SUBTRACT and RESET_SUBTRACT not in held,
    )  # fmt: skip


def _longer(network: SpikingNetwork | None, settings: Settings) -> str:
    """What a longer run would do."""
    neurons = [] if network is None else [p.neuron for p in network.populations.values() if not p.recurs]
    if any(isinstance(neuron, IF) and not neuron.lossless for neuron in neurons):
        return "its neurons lose input (refractory period, leak, reset or saturation), which no number of steps mends"
    return f"more steps may help ({notation_of(settings)('duration', 2 * settings.simulation.duration)})"


def _unquantized(prepared: Prepared, force: bool) -> dict[str, Any]:
    """The accuracy that quantisation started from; nothing where there was none."""
    network, settings = prepared.unquantized, prepared.settings
    if network is None:
        return {}
    # Some simulators run windows on the grid alone; the built-in one has the spikes that any other would have.
    backend = backend_named(settings.simulation.simulator)
    simulator = "" if not backend.capabilities.missing(legalized(network, backend, ())) else BUILT_IN
    record = Record(outputs_per_step=False)
    scores = Scores(prepared.inputs.test, network.readouts[0].head, settings.simulation.top_k)
    for result in _results(prepared, network, record, simulator, force=force):
        scores.add(result.output)
    return {**scores.accuracies("snn_accuracy_unquantized"), "weight_bits": settings.conversion.weight_bits}


def _plot(prepared: Prepared, collectors: Collectors, diagnosis: Diagnosis | None) -> None:
    per_step = collectors.outputs.accuracy_per_step
    collectors.recorder.plot(
        prepared.journal.warn,
        error_per_step=None if per_step is None else 1 - per_step,
        ann_accuracy=prepared.report.get("parsed_accuracy"),
        ann_operations=prepared.report.get("ann_operations"),
        confusion=collectors.outputs.confusion,
        correlations=collectors.populations.statistics.correlations,
        diagnosis=diagnosis,
        calibration=partial(_calibration_activations, prepared),
    )


NORMALIZATION_SAMPLES = 100
"""So many calibration samples are drawn."""


def _calibration_activations(prepared: Prepared) -> Mapping[str, Array]:
    """What each population stands for on the first calibration samples; nothing without samples or the graph."""
    data, lowered, network = prepared.inputs.calibration, prepared.lowered, prepared.network
    if data is None or lowered is None or network is None:
        return {}
    stood_for = {n: p.activation for n, p in network.populations.items() if p.activation in lowered.nodes}
    values = Executor(lowered).values(piece(data, 0, NORMALIZATION_SAMPLES), keep=[*set(stood_for.values())])
    return {name: values[node] for name, node in stood_for.items()}
