"""An export of a model file without a configuration: with the default settings, and whatever data lie beside it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from snntoolbox.backends.checking import check_exporter
from snntoolbox.backends.export import checked_options, export, option_names, refuse_used
from snntoolbox.backends.protocol import Exported, Exporter
from snntoolbox.conversion.smallest_network import check_unopened, smallest_network
from snntoolbox.conversion.stages import convert
from snntoolbox.ir.node import Array
from snntoolbox.workflow.choices import check_choices, choices_for, recipe_of
from snntoolbox.workflow.data.arrays import find_array
from snntoolbox.workflow.inputs import open_inputs
from snntoolbox.workflow.models import is_model
from snntoolbox.workflow.stories.export import settings_for

log = logging.getLogger(__name__)

SAMPLES = 16
"""So many random samples stand for data that are not there."""


def is_bare(path: Path) -> bool:
    """Whether a file is a model, and no test set lies beside it: with one it is a run with default settings."""
    return is_model(path) and find_array(path.expanduser().absolute().parent, "x_test") is None


def export_model(
    model: Path, exporter: Exporter, folder: Path, overrides: Sequence[str] = (), *, force: bool = False, **options: Any
) -> Exported:
    """Convert a model file and write it into a folder; see `export` for what may be refused, before long work.

    Thresholds follow from ``x_norm`` beside the model, else from the weights alone. Its first samples, else random ones
    from 0 to 1, are those that the exporter is given, for its test vectors for instance.
    """
    checked_options(exporter, options, force=force)
    refuse_used(folder, force)
    settings = settings_for(exporter, model, ["tools.evaluate_ann=False", *overrides])
    with choices_for(exporter.capabilities):
        chosen = check_choices(settings)
    if chosen is not None:
        check_unopened(partial(check_exporter, exporter), chosen, settings.simulation.duration)
    inputs = open_inputs(settings, log.warning)
    assert inputs.graph is not None
    data = inputs.calibration
    samples = _random(inputs.input_shape) if data is None else data
    if data is None:
        told = "no data beside '%s': its samples are taken to be from 0 to 1, random ones stand for them"
        log.warning(told, model.name)
    low, high = min(float(samples.min()), 0.0), max(float(samples.max()), 0.0) or 1.0
    recipe = recipe_of(settings, max(-low, high), (low, high) if data is not None else (0.0, 1.0))
    check_exporter(exporter, smallest_network(recipe))
    duration = settings.simulation.duration
    network = convert(inputs.graph, data, recipe=recipe, duration=duration)
    known = {**({"duration": duration} if "duration" in option_names(exporter) else {}), **options}
    return export(network, exporter, folder, samples, force=force, **known)


def _random(shape: Sequence[int]) -> Array:
    return np.random.default_rng(0).random((SAMPLES, *shape), dtype=np.float32)
