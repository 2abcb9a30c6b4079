"""From settings to a spiking network, as every story begins: open, refuse early, measure the analogue one, convert."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

from snntoolbox.backends.checking import check_simulator
from snntoolbox.backends.films import Films
from snntoolbox.backends.legalize import legalized
from snntoolbox.backends.protocol import ChecksOptions
from snntoolbox.backends.registry import backend_named
from snntoolbox.backends.room import BYTES, check_room
from snntoolbox.backends.workers import cluster
from snntoolbox.conversion.lower import lower
from snntoolbox.conversion.lowering.approximate import ApproximateActivations
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.conversion.settle import settle
from snntoolbox.conversion.smallest_network import check_planned, check_unopened
from snntoolbox.conversion.spiking.tables import table_errors
from snntoolbox.conversion.stages import spiking
from snntoolbox.engine.tensors import device_named
from snntoolbox.errors import ConfigError
from snntoolbox.ir.drawing import canvas
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.operations import ann_operations
from snntoolbox.ir.progress import bar
from snntoolbox.ir.timing import steps_of
from snntoolbox.workflow.choices import check_choices, presents_events, recipe_of
from snntoolbox.workflow.config.schema import Settings
from snntoolbox.workflow.evaluation import Evaluated, evaluated
from snntoolbox.workflow.input_spikes import limited
from snntoolbox.workflow.inputs import Inputs, open_inputs
from snntoolbox.workflow.journal import Journal, watching
from snntoolbox.workflow.offset_current import check_offset, with_offset
from snntoolbox.workflow.options import options_of
from snntoolbox.workflow.own_keys import in_own_keys
from snntoolbox.workflow.report.variables import kept_variables
from snntoolbox.workflow.saved import check_saved

PACKAGES = ("snntoolbox", "numpy", "scipy", "networkx", "torch", "onnx", "onnxruntime", "keras")

ALWAYS_REPORTED = (
    *("model", "frontend", "simulator", "samples", "duration", "ann_accuracy", "parsed_accuracy", "snn_accuracy"),
    *("snn_accuracy_per_step", "seconds", "spikes_per_layer", "neurons_per_layer", "synaptic_operations"),
    *("ann_operations", "versions", "seed"),
)
"""What every report holds; null where this run did not measure it."""

Check = Callable[[SpikingNetwork], None]
"""Raises where a story cannot go on with a network; it is asked before long work, and again when there is one."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Prepared:
    """What a story goes on with.

    `recipe` and `lowered` are None without a graph, `network` where nothing is converted or loaded, `unquantized` where
    it is on no grid, `parsed_classes` (those that the parsed graph says) where it was not run, or says none or is held
    against targets. Where there are several
    outputs, the first of `lowered` and of the networks is the one that is scored. `report` is what ``report.json``
    holds so far, the seconds and warnings of the `journal` included.
    """

    settings: Settings
    inputs: Inputs
    journal: Journal
    report: Mapping[str, Any]
    recipe: Recipe | None = None
    lowered: Graph | None = None
    parsed_classes: Array | None = None
    network: SpikingNetwork | None = None
    unquantized: SpikingNetwork | None = None


def prepare(settings: Settings, check: Check) -> Prepared:
    """All stages up to the spiking network; whatever can be refused is refused before the long ones."""
    with in_own_keys(settings), watching(settings.output.verbose):
        return _prepared(settings, check)


def _prepared(settings: Settings, check: Check) -> Prepared:
    if (chosen := check_choices(settings)) is not None:
        check_unopened(check, chosen, settings.simulation.duration)
    journal = Journal()
    for text in settings.without_effect:
        journal.warn(text)
    with journal.timed("parse"):
        inputs = limited(open_inputs(settings, journal.warn))
    settings = inputs.settings
    about = {**_about(inputs), "seconds": journal.seconds, "warnings": journal.warnings}
    check_settings(inputs)
    if inputs.network is not None:
        check(inputs.network)
        check_saved(inputs.network, settings, inputs.input_shapes, inputs.readout_size, journal.warn)
    plan = _planned(inputs, check)
    measured = _evaluated(inputs, journal)
    converted = _converted(inputs, plan, journal, check)
    report = {**about, **plan.report, **measured.report, **converted.report}
    return Prepared(
        settings=settings, inputs=inputs, journal=journal, report=report, recipe=plan.recipe, lowered=plan.lowered,
        parsed_classes=measured.classes, network=converted.network, unquantized=converted.unquantized,
    )  # fmt: skip


def runs_on(settings: Settings, *, force: bool = False) -> Check:
    """The check of a story that runs on a simulator: that it can run the network, and that this is not too large."""
    simulation = settings.simulation

    def check(network: SpikingNetwork) -> None:
        backend = backend_named(simulation.simulator)
        if reset_every(settings) != 1:
            network = Films(2, simulation.steps).network(network)
        legal = legalized(network, backend, ())
        check_simulator(backend, legal, force=force)
        if isinstance(backend, ChecksOptions):
            backend.check_options(legal, **options_of(settings))

    return check


def reset_every(settings: Settings) -> int:
    """Before every how many samples potentials are reset; 0 is before the first alone."""
    return max(settings.simulation.reset_between_nth_sample, 0)


def resets_alone(settings: Settings, story: str) -> None:
    """ConfigError where potentials are to be kept from sample to sample, and the story resets before each."""
    if reset_every(settings) != 1:
        raise ConfigError(
            f"{story} resets before each sample, and simulation.reset_between_nth_sample is another number",
            hint="--set simulation.reset_between_nth_sample=1",
        )


# -- what can be refused before long work ---------------------------------------------------------------------------


def _about(inputs: Inputs) -> dict[str, Any]:
    """What a report says of any run."""
    simulation, frontend = inputs.settings.simulation, inputs.frontend
    return {
        **dict.fromkeys(ALWAYS_REPORTED),
        "model": inputs.source,
        "frontend": None if frontend is None else frontend.name,
        "simulator": simulation.simulator,
        "samples": len(inputs.test),
        "duration": simulation.duration,
        "dt": simulation.dt,
        "batch_size": simulation.batch_size,
        "top_k": simulation.top_k,
        "seed": simulation.seed,
        "versions": _versions(),
    }


def _versions() -> dict[str, str]:
    """Python's version and those of the packages that matter, where they are installed."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def check_settings(inputs: Inputs) -> None:
    """ConfigError where settings, model and data do not go together."""
    simulation, output = inputs.settings.simulation, inputs.settings.output
    check_length(inputs.settings, inputs.output_values, len(inputs.test))
    device_named(simulation.device)
    once = inputs.head.decides_once(inputs.output_shape)
    if simulation.early_exit and reset_every(inputs.settings) != 1:
        raise ConfigError(
            "[simulation] early_exit ends each sample by itself, and reset_between_nth_sample keeps its potentials",
            hint="early_exit = 0, or reset_between_nth_sample = 1",
        )
    if simulation.early_exit and (not once or inputs.calibration_set is None):
        lacking = "x_norm to choose its margin on" if once else "one class per sample"
        raise ConfigError(f"[simulation] early_exit needs {lacking}", hint="early_exit = 0 turns it off")
    calibration = inputs.calibration_set
    if simulation.early_exit and presents_events(inputs.settings) and calibration and calibration.spikes is None:
        raise ConfigError("[simulation] early_exit needs recordings in x_norm, not frames, to choose its margin on")
    classes = inputs.head.classes(inputs.output_shape)
    if inputs.classifies and simulation.top_k > classes:
        raise ConfigError(f"[simulation] top_k = {simulation.top_k}, the model has {classes} classes")
    for key in ("log_vars", "plot_vars"):
        if left_out := kept_variables(inputs.settings, key)[1]:
            inputs.warn(left_out)
    if output.plot_vars or (output.plotproperties and find_spec("matplotlib") is not None):
        canvas.check_properties(output.plotproperties)
    if inputs.settings.tools.simulate:
        cluster.check(min(simulation.workers, -(-len(inputs.test) // simulation.batch_size)), simulation.scheduler)
        if simulation.scheduler:
            cluster.check_reachable(simulation.scheduler)


def check_length(settings: Settings, outputs: int, samples: int) -> None:
    """Refuses a duration that is no whole number of steps, or more steps than there is room for.

    `outputs` is how many values a sample's outputs have. Errors: ConversionError, TooLargeError.
    """
    simulation = settings.simulation
    steps = steps_of(simulation.duration, simulation.dt)
    if settings.tools.simulate:
        check_room(steps, BYTES * outputs, min(simulation.batch_size, samples))
        check_room(steps, BYTES, samples)  # the classes after each step


# -- stages ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Plan:
    """How the graph is converted: by which recipe, from which rectifiers; None where there is no graph."""

    recipe: Recipe | None = None
    lowered: Graph | None = None
    report: Mapping[str, Any] = field(default_factory=dict)


def _planned(inputs: Inputs, check: Check) -> Plan:
    """The recipe that the settings name and the graph lowered for it, refused here where it cannot be converted."""
    settings, graph = inputs.settings, inputs.leading
    inputs.check_scales()
    if graph is None:
        return Plan()
    recipe = recipe_of(settings, inputs.largest_input(), inputs.input_range(), inputs.event_value)
    check_offset(settings, recipe)
    calibration = inputs.calibration if settings.tools.convert else None
    lowered = lower(graph, recipe, None if calibration is None else [calibration])
    if settings.tools.convert:
        check_planned(check, recipe, settings.simulation.duration, lowered, samples=calibration is not None)
    if inputs.binary:
        inputs.warn("one output, a logit, is read as two classes: class 1 where its logit is above 0")
    report: dict[str, Any] = {"ann_operations": ann_operations(graph)}
    segments = frozenset[str]() if recipe.chosen_schedule.multiplies else recipe.approximate
    if errors := ApproximateActivations(segments).errors(graph):
        report["approximation_errors"] = errors
    return Plan(recipe, lowered, report)


def _evaluated(inputs: Inputs, journal: Journal) -> Evaluated:
    """The analogue network on the test set, unless that is not wanted."""
    if not inputs.settings.tools.evaluate_ann or inputs.graph is None:
        return Evaluated()
    with journal.timed("evaluate"), bar("Evaluating the model", len(inputs.test)) as advance:
        return evaluated(inputs, inputs.graph, advance)


@dataclass(frozen=True, eq=False)
class Converted:
    """The spiking network, the same before quantisation where it is on a grid, and what a report says of it."""

    network: SpikingNetwork | None
    unquantized: SpikingNetwork | None = None
    report: Mapping[str, Any] = field(default_factory=dict)


def _converted(inputs: Inputs, plan: Plan, journal: Journal, check: Check) -> Converted:
    """The network of the plan; that of an earlier run, if any, where nothing is to be converted."""
    if not inputs.settings.tools.convert or plan.recipe is None or plan.lowered is None:
        return Converted(inputs.network)
    with journal.timed("convert"):
        return _convert(inputs, plan.recipe, plan.lowered, journal, check)


def _convert(inputs: Inputs, recipe: Recipe, lowered: Graph, journal: Journal, check: Check) -> Converted:
    simulation = inputs.settings.simulation
    duration, device = simulation.duration, simulation.device
    data = None if inputs.calibration is None else [inputs.calibration]
    settled = settle(lowered, data, recipe, duration, device=device)
    lowered = settled.lowered
    network = with_offset(spiking(lowered, settled, data, duration, device), inputs.settings)
    off = replace(settled, recipe=replace(settled.recipe, weight_bits=0, grid_threshold=0), choice=None)
    unquantized = spiking(lowered, off, data, duration, device) if recipe.weight_bits else None
    check(network)
    report: dict[str, Any] = {"recipe": settled.report()}
    if errors := table_errors(network, lowered):
        report["approximation_errors"] = errors
    return Converted(network, unquantized, report)
