"""`diagnose`: the errors of a conversion split into their causes, and what would make them smaller."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from snntoolbox.analysis.advice.advise import advise
from snntoolbox.analysis.advice.remedies import Situation, applying, proposal
from snntoolbox.analysis.diagnosis.confidence import threshold_confidence
from snntoolbox.analysis.diagnosis.diagnosis import Confidence, Diagnosis
from snntoolbox.analysis.diagnosis.observer import Observer
from snntoolbox.analysis.settings import Notation, as_argument
from snntoolbox.analysis.trials import Trials
from snntoolbox.backends.simulate import simulate_batches
from snntoolbox.conversion.changes import Changes
from snntoolbox.conversion.lower import lower
from snntoolbox.conversion.recipe import Recipe
from snntoolbox.conversion.scales import choose_scales
from snntoolbox.conversion.stages import convert
from snntoolbox.errors import ConversionError
from snntoolbox.ir.arguments import checked
from snntoolbox.ir.data_range import tell_differences
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.result import Record
from snntoolbox.ir.samples import checked_arrays

SAMPLES = 200
"""So many calibration samples are diagnosed where no others are given."""


@checked
def diagnose(
    graph: Graph,
    calibration_data: Array | Sequence[Array],
    x: Array | Sequence[Array] | None = None,
    *,
    duration: float = 64,
    recipe: Recipe | None = None,
    simulator: str = "INI",
    seconds: float = 60.0,
    batch_size: int = 100,
    **choices: Any,
) -> Diagnosis:
    """Convert a graph, and say what the errors of its rates come from and which settings would make them smaller.

    `x` are the samples whose errors are split (default: up to 200 of the calibration samples); `choices` are fields
    of `Recipe`. Settings are tried on calibration samples alone, for about `seconds`; 0 tries none. The result is
    printed as a table of 80 columns. Errors: those of `convert` and `simulate`; ConversionError for `seconds` below 0.
    """
    check_seconds(seconds)
    # Converted first: it refuses what is no graph, no data or no choice.
    network = convert(graph, calibration_data, duration=duration, recipe=recipe, **choices)
    recipe = replace(recipe or Recipe(), **choices)
    data = checked_arrays({n: graph.shapes[n] for n in graph.inputs}, calibration_data)
    samples = tuple(a[:SAMPLES] for a in data)
    if x is not None:
        samples = checked_arrays({n: graph.shapes[n] for n in graph.inputs}, x)
        tell_differences(network.calibrated, network.encodings, samples)
    diagnosis = observed(network, graph, samples, recipe, duration, simulator, batch_size)
    return advised(diagnosis, graph, data, network, recipe, duration, simulator, seconds)


def check_seconds(seconds: float) -> None:
    """ConversionError where the time to try settings in is below 0, NaN or infinite."""
    if not 0 <= seconds < math.inf:
        raise ConversionError(f"seconds = {seconds:g} is not a finite number from 0 on", hint="0 tries no settings")


def observed(
    network: SpikingNetwork,
    graph: Graph,
    x: Array | Sequence[Array],
    recipe: Recipe,
    duration: float,
    simulator: str = "INI",
    batch_size: int = 100,
) -> Diagnosis:
    """The terms of the errors of a network that `recipe` made of a graph, on samples `x`."""
    observer = Observer(network, lower(graph, recipe))
    arrays = checked_arrays({n: network.wiring.shapes[n] for n in network.encodings}, x)
    record = Record(outputs_per_step=False)
    for result in simulate_batches(network, arrays, duration, simulator, batch_size, record):
        done = observer.samples
        observer.add([a[done : done + result.samples] for a in arrays], result)
    return observer.diagnosis()


def advised(
    diagnosis: Diagnosis,
    graph: Graph,
    data: Sequence[Array],
    network: SpikingNetwork,
    recipe: Recipe,
    duration: float,
    simulator: str,
    seconds: float,
    early_exit: float = 0.0,
    options: Mapping[str, Any] | None = None,
    notation: Notation = as_argument,
) -> Diagnosis:
    """The diagnosis with how sure the thresholds are, and with advice that is tried on the calibration data.

    `options` are those of the built-in simulator, on which settings are tried; `notation` is how they are written.
    """
    diagnosis = replace(diagnosis, confidence=_confidence(graph, data, network, recipe, duration))
    if seconds <= 0:
        return diagnosis
    trials = Trials(graph, data, duration, recipe, simulator, early_exit=early_exit, options=options or {})
    return replace(diagnosis, advice=advise(trials, seconds, diagnosis.confidence, notation))


def _confidence(
    graph: Graph, data: Sequence[Array], network: SpikingNetwork, recipe: Recipe, duration: float
) -> dict[str, Confidence]:
    """How sure the scales of the populations are; empty where data did not choose them."""
    if not recipe.normalize:
        return {}
    lowered = lower(graph, recipe)
    scales = {p.activation: p.scale for p in network.populations.values() if p.activation in lowered.nodes}
    return threshold_confidence(
        lambda g, x: choose_scales(g, x, recipe, duration=duration), lowered, data, scales
    )


def untried(
    diagnosis: Diagnosis, recipe: Recipe, duration: float, notation: Notation = as_argument
) -> Diagnosis:
    """The diagnosis with advice that nothing could be tried for, as there are no calibration data."""
    situation = Situation(diagnosis=diagnosis, recipe=recipe, duration=duration)
    advice = (proposal(remedy, reason, situation, notation) for remedy, reason in applying(situation))
    return replace(diagnosis, advice=tuple(replace(a, untried="there are no calibration data") for a in advice))


MOST_NAMED = 3
"""So many settings are named at most where nothing was tried."""


def likely_remedy(
    diagnosis: Diagnosis,
    recipe: Recipe,
    duration: float,
    notation: Notation = as_argument,
    *,
    refused: Callable[[Changes], bool] = lambda changes: False,
) -> str:
    """In words what is wrong most, and some settings that may help; empty where the terms do not tell.

    `refused` says which changes of the recipe the simulator would not take.
    """
    situation = Situation(diagnosis=diagnosis, recipe=recipe, duration=duration)
    pairs = [pair for pair in applying(situation) if not refused(pair[0].changes(situation))]
    if not pairs:
        return ""
    cause = pairs[0][1].text
    settings = [remedy.setting(situation, notation) for remedy, reason in pairs if reason.text == cause]
    return f"{cause}; {' or '.join(settings[:MOST_NAMED])} may help"
