"""From a graph to a spiking network: all stages in order."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from snntoolbox.conversion.converted import ConvertedNetwork
from snntoolbox.conversion.corrections.correct import Correct
from snntoolbox.conversion.corrections.correct_layers import STARTING
from snntoolbox.conversion.corrections.sample_steps import correcting, fitting, quick_steps
from snntoolbox.conversion.corrections.simulated_readouts import with_read_outs_fitted
from snntoolbox.conversion.lower import lower
from snntoolbox.conversion.models import graph_of
from snntoolbox.conversion.recipe import USUAL_START, Recipe
from snntoolbox.conversion.scales import uncorrected
from snntoolbox.conversion.settle import Settled, settle
from snntoolbox.conversion.spiking.bias_neuron import BiasNeuron
from snntoolbox.conversion.spiking.clamp import Clamp
from snntoolbox.conversion.spiking.tables import table_errors
from snntoolbox.conversion.spiking.winner_take_all import WinnerTakeAll
from snntoolbox.errors import ConversionError
from snntoolbox.ir.arguments import checked, nearest
from snntoolbox.ir.data_range import DataRange, ranges_of
from snntoolbox.ir.draws import SoftmaxDraws
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.nodes import ReLU
from snntoolbox.ir.samples import Progress, check_truths, checked_arrays
from snntoolbox.ir.timing import duration_of, run_steps

log = logging.getLogger(__name__)


@checked
def convert(
    model: Any,
    calibration_data: Array | Sequence[Array] | None = None,
    *,
    duration: float | None = None,
    T: int | None = None,
    input_shape: Any = None,
    recipe: Recipe | None = None,
    progress: Progress | None = None,
    device: str = "cpu",
    **choices: Any,
) -> ConvertedNetwork:
    """The spiking network of a graph, or of a model or file that `load` takes; `choices` are fields of `Recipe`.

    `load` has more to say about a model than its `input_shape`, which the calibration data tell where it is not given.
    `calibration_data` is an array of a few hundred samples (one array per input for several inputs); without it
    thresholds follow from the weights alone, which needs many more steps. With the `duration` (ms) that the network
    is meant to run, or its number of steps `T`, thresholds are chosen for that many steps, and layers and read-outs are
    corrected for what these leave over; `device` (cpu, cuda, auto) is where corrections are computed.
    """
    known = [f.name for f in fields(Recipe)]
    if unknown := [name for name in choices if name not in known]:
        near = nearest(unknown[0], [*known, "calibration_data", "duration", "T", "input_shape", "device"])
        hint = f"did you mean {near}?" if near else f"known: {', '.join(known)}"
        raise ConversionError(f"unknown conversion setting '{unknown[0]}'", hint=hint)
    recipe = replace(recipe or Recipe(), **choices)
    recipe.check_correction()
    graph = graph_of(model, calibration_data, input_shape)
    duration = duration_of(duration, T, recipe.dt)
    if recipe.layer_correction not in ("auto", "none") and (duration is None or calibration_data is None):
        lacking = "calibration data" if calibration_data is None else "a duration"
        log.warning("layer_correction = %s needs %s: no layer is corrected", recipe.layer_correction, lacking)
    shapes = {n: graph.shapes[n] for n in graph.inputs}
    data = None if calibration_data is None else checked_arrays(shapes, calibration_data)
    check_truths(graph, dict(zip(shapes, data or (), strict=False)))
    lowered = lower(graph, recipe, data)
    settled = settle(lowered, data, recipe, duration, progress, device)
    other_start = bool(np.any(np.not_equal(recipe.neuron.initial, USUAL_START)))
    changed = settled.recipe.layer_correction if other_start and recipe.chosen_schedule.always_fires else ""
    if changed in STARTING and duration is not None and data is not None:
        warning = "layer_correction = %s changes the start potential that is set; bias, steps and none leave it"
        log.warning(warning, changed)
    lowered = settled.lowered
    network = spiking(lowered, settled, data, duration, device)
    return ConvertedNetwork.of(_with_trained_steps(network, lowered, recipe.dt).replaced(original=lowered))


def _with_trained_steps(network: SpikingNetwork, lowered: Graph, dt: float) -> SpikingNetwork:
    """The network of quantised rectifiers of one number of levels, meant to run for so many steps unless others are."""
    levels = {n.levels for n in lowered.nodes.values() if isinstance(n, ReLU)}
    if network.duration is not None or network.schedule is not None or len(levels) != 1 or None in levels:
        return network
    (steps,) = (level for level in levels if level is not None)
    return network.replaced(duration=steps * dt)


def spiking(
    lowered: Graph,
    settled: Settled,
    data: Sequence[Array] | None,
    duration: float | None = None,
    device: str = "cpu",
) -> SpikingNetwork:
    """The spiking network of a lowered graph as it was settled; corrected on `data` where the `duration` is known.

    What the choice of its correction has corrected is not corrected again, but where that takes no time.
    """
    recipe, network = settled.recipe, _corrected(lowered, settled, data, duration, device)
    if errors := table_errors(network, lowered):
        log.info("smooth functions by %d tables, which are off by %.2g at most", len(errors), max(errors.values()))
    # Behind the corrections, which go layer by layer and know no layers that wait.
    built = Clamp(dict(recipe.clamps))(WinnerTakeAll()(network) if recipe.max_pool == "wta" else network)
    if built is not network and duration is not None and data is not None and recipe.readout_correction:
        steps = run_steps(built, duration)
        first = [a[: _fitting(built, steps, len(data[0]), recipe)] for a in data]
        built = with_read_outs_fitted(built, lowered, first, steps, device)
    network = built
    if recipe.bias == "neuron":
        network = BiasNeuron()(network)
    return drawing(network, recipe)


def drawing(network: SpikingNetwork, recipe: Recipe) -> SpikingNetwork:
    """The network whose read-outs draw spikes by a softmax, each from a seed of its own; itself where they do not."""
    if recipe.readout != "softmax":
        return network
    seeds = (SoftmaxDraws((recipe.readout_seed + k) % 2**64, recipe.dt) for k in range(len(network.readouts)))
    return network.replaced(readouts=[replace(r, draws=d) for r, d in zip(network.readouts, seeds, strict=True)])


def _corrected(
    lowered: Graph, settled: Settled, data: Sequence[Array] | None, duration: float | None, device: str
) -> SpikingNetwork:
    recipe, choice = settled.recipe, settled.choice
    quantized = any(isinstance(n, ReLU) and n.levels for n in lowered.nodes.values())
    other_start = bool(np.any(np.not_equal(recipe.neuron.initial, USUAL_START)))
    if quantized and other_start:
        log.warning("quantised rectifiers (QCFS) start at half a threshold, as they were trained, whatever is set")
    about: dict[str, Any] = {"notes": settled.notes, "calibrated": _calibrated(lowered, data, recipe)}
    made = settled.network or uncorrected(lowered, settled.scales, data, recipe, duration)
    network = made.replaced(**about)
    schedule = recipe.chosen_schedule
    if duration is not None and data is not None and recipe.layer_correction != "none":
        first = [a[: recipe.correction_samples] for a in data]
        network = schedule.corrected(network, lowered, first, duration, recipe.layer_correction)
    before, network = network, schedule.apply(network, duration)
    if data is not None:
        schedule.verify(network, before, data)
    if duration is None or data is None:
        return network
    steps, readouts = run_steps(network, duration), recipe.readout_correction > 0
    layers = None if recipe.layer_correction == "none" else recipe.layer_correction
    corrected = 0
    if layers is not None and network.schedule is None:
        most = max(recipe.correction_samples, recipe.readout_correction)
        corrected = correcting(network, steps, len(data[0]), most)
        again = corrected * steps <= quick_steps(network)  # on more samples than in its trial
        if choice is not None and choice.network is not None and not again:
            network, corrected = choice.network.replaced(**about), choice.corrected
        else:
            first = [a[:corrected] for a in data]
            network = Correct(steps=steps, layers=layers, readouts=readouts, device=device)(network, lowered, first)
    elif readouts:
        corrected = _fitting(network, steps, len(data[0]), recipe)
        network = with_read_outs_fitted(network, lowered, [a[:corrected] for a in data], steps, device)
    fitted = layers is not None or readouts or recipe.threshold_rule == "mmse"
    return network.replaced(duration=float(duration), corrected=corrected) if fitted else network


def _fitting(network: SpikingNetwork, steps: int, samples: int, recipe: Recipe) -> int:
    """How many of so many calibration samples fit read-outs; counts of whole windows are found in one pass."""
    if recipe.chosen_schedule.in_turn:
        layers = recipe.correction_samples if recipe.layer_correction != "none" else 0
        return min(samples, max(layers, recipe.readout_correction))
    return fitting(network, steps, samples, recipe.readout_correction)


def _calibrated(lowered: Graph, data: Sequence[Array] | None, recipe: Recipe) -> dict[str, DataRange]:
    """The range of the values that thresholds were chosen for, by input; of the recipe where there are no samples."""
    if data is not None:
        return ranges_of(lowered.inputs, data)
    return dict.fromkeys(lowered.inputs, DataRange(*recipe.input_range, 0)) if recipe.normalize else {}
