"""A deployment from settings to files: convert once as a run does, measure the accuracy, deploy."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from snntoolbox.backends.fpga.deploy import Deployment, Wanted, deployed, needs_network, refuse_used
from snntoolbox.backends.registry import backend_named
from snntoolbox.backends.simulate import simulate_batches
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.result import Record
from snntoolbox.workflow.config.load import load_config
from snntoolbox.workflow.config.schema import Settings
from snntoolbox.workflow.models import check_folder
from snntoolbox.workflow.preparation import Prepared, prepare

WEIGHT_BITS = 8
"""Unless the settings say otherwise."""


def deployment_settings(config: Path, overrides: Sequence[str]) -> Settings:
    """The settings of a configuration file, with a grid of 8 bits where they have none."""
    settings = load_config(config, overrides)
    if settings.conversion.weight_bits or not settings.tools.convert:
        return settings
    return load_config(config, [*overrides, f"conversion.weight_bits={WEIGHT_BITS}"])


def deploy_settings(settings: Settings, folder: Path, wanted: Wanted) -> Deployment:
    """Convert as the settings say and deploy into a folder; see `deploy` for what may be refused."""
    wanted.build()
    refuse_used(folder, wanted.force)
    check_folder(settings.paths.path_wd)
    prepared = prepare(settings, _hardware)
    network, x = needs_network(prepared.network), prepared.inputs.test.x
    return deployed(network, x, folder, wanted, settings.simulation.duration, partial(_accuracy, prepared))


def _hardware(network: SpikingNetwork) -> None:
    """UnsupportedError with everything that the hardware cannot be."""
    backend_named("verilog").capabilities.check("verilog", network)


def _accuracy(prepared: Prepared, network: SpikingNetwork, wide: SpikingNetwork) -> dict[str, Any]:
    """Accuracy of the original, the parsed and the spiking network, float and on the grid; None without classes.

    Where potentials saturate also that of the network `wide`, in which they do not.
    """
    report, unquantized = prepared.report, prepared.unquantized
    accuracies = {"samples": report["samples"], "ann": report["ann_accuracy"], "parsed": report["parsed_accuracy"]}
    accuracies["snn"] = _spiking(prepared, network)
    if wide is not network:
        accuracies["snn_unsaturated"] = _spiking(prepared, wide)
    accuracies["snn_float"] = None if unquantized is None else _spiking(prepared, unquantized)
    return accuracies


def _spiking(prepared: Prepared, network: SpikingNetwork) -> float | None:
    """The share of test samples that a network classifies rightly on the built-in simulator."""
    test, simulation = prepared.inputs.test, prepared.settings.simulation
    if test.y is None or test.regression or not prepared.inputs.classifies:
        return None
    record = Record(outputs_per_step=False)
    with prepared.journal.timed("simulate"):
        parts = simulate_batches(network, test.x, simulation.duration, "INI", simulation.batch_size, record)
        predicted = [r.output.reshape(r.samples, -1).argmax(axis=1) for r in parts]
    return float(np.mean(np.concatenate(predicted) == test.y))
