"""A deployment from settings to files: an export to fpga whose report has the accuracy of every form of the network."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np

from snntoolbox.backends.fpga.exporter import FpgaExporter
from snntoolbox.backends.fpga.write import Deployment
from snntoolbox.backends.simulate import simulate_batches
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.result import Record
from snntoolbox.workflow.config.schema import Settings
from snntoolbox.workflow.options import BUILT_IN, options_of
from snntoolbox.workflow.preparation import Prepared
from snntoolbox.workflow.report.html.deploy_page import deploy_page
from snntoolbox.workflow.report.html.page import write_page
from snntoolbox.workflow.stories.export import prepared_for, written

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WithPage(FpgaExporter):
    """The same project with a page to look at."""

    def export(
        self, network: SpikingNetwork, folder: Path, samples: tuple[Array, ...] = (), **options: Any
    ) -> Deployment:
        """Write the project, then the page of what was measured."""
        deployment = FpgaExporter.export(self, network, folder, samples, **options)
        write_page(folder / "report.html", deploy_page(deployment.report), log.warning)
        return deployment


def deploy_settings(settings: Settings, folder: Path, *, force: bool = False, **options: Any) -> Deployment:
    """Convert as the settings say and deploy into a folder; see `deploy` for what may be refused."""
    prepared = prepared_for(settings, FpgaExporter(), folder, force, options)
    exporter = WithPage(accuracy=partial(_accuracy, prepared))
    return cast(Deployment, written(prepared, exporter, folder, force, options))


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
    how = (simulation.duration, BUILT_IN, simulation.batch_size, Record(outputs_per_step=False))
    with prepared.journal.timed("simulate"):
        parts = simulate_batches(network, test.presented, *how, **options_of(prepared.settings, BUILT_IN))
        predicted = np.concatenate([r.predictions for r in parts])
    return float(np.mean(predicted == test.y))
