"""Writes a network as a hardware project into a folder, runs its checks and reports what they gave."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from snntoolbox.backends.fpga.build import NETWORK, Accuracy, Options
from snntoolbox.backends.fpga.checks import Measurements, run_checks, tidy
from snntoolbox.backends.fpga.costs import InferenceCost, inference_cost
from snntoolbox.backends.fpga.project import Project, project, reference
from snntoolbox.backends.fpga.report import Report, report_data, report_text, spoken_checks
from snntoolbox.backends.fpga.saturation import Saturation, at_limits, saturation
from snntoolbox.backends.protocol import Exported
from snntoolbox.errors import DataError
from snntoolbox.ir.host import HostInput
from snntoolbox.ir.io import save
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.result import Result
from snntoolbox.ir.timing import run_steps
from snntoolbox.ir.writing import write_json, write_text

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False, kw_only=True)
class Deployment(Exported):
    """The folder of a project, and what was measured: `report` is what its ``report.json`` holds."""

    project: Project
    measured: Measurements


def write_project(
    network: SpikingNetwork, folder: Path, samples: tuple[Array, ...], options: Options, accuracy: Accuracy
) -> Deployment:
    """Write a network whose input currents reach what they do for `samples` into an empty folder, and check it.

    `accuracy` gives what the report says of it. Errors as `project`.
    """
    if not samples or not len(samples[0]):
        raise DataError("there are no samples for the test bench", hint="give some of the test set")
    steps = run_steps(network, options.duration)
    if options.bench_samples > len(samples[0]):
        log.warning("samples of the test bench: %d, there are no more", len(samples[0]))
    built = project(network, samples, steps, options.build())
    accuracies = accuracy(built.network, network)
    loss = None
    if options.saturate:
        loss = saturation(network, built.network, built.saturating, samples, steps, options.membrane_bits)
    first = [a[: options.bench_samples] for a in samples]
    expected = reference(built.network, first, steps, potentials=bool(built.saturating))
    built.export(folder, first, expected)
    save(built.network, folder / NETWORK)
    seconds = options.sim_seconds, options.synth_seconds
    measurements = run_checks(folder, built.build, *seconds, lambda goal: log.info("%s", goal), len(first[0]))
    tidy(folder)
    report = Report(
        project=built, cost=_cost(built, first, expected), measured=measurements, accuracy=accuracies,
        saturation=_with_limits(loss, built, expected),
    )  # fmt: skip
    data = report_data(report)
    write_json(folder / "report.json", data)
    write_text(folder / "report.md", report_text(report))
    checks = spoken_checks(measurements)
    return Deployment(folder=folder, project=built, measured=measurements, checks=checks, report=data)


def _cost(built: Project, first: list[Array], expected: Result) -> InferenceCost:
    """What an inference of the samples of the test bench costs."""
    trains = HostInput(built.network, tuple(np.asarray(a) for a in first), expected.steps, 0).trains
    weights = sum(m.size for m in built.memories if m.weights or m.name.endswith("_synapses.mem"))
    return inference_cost(built.network, built.design, expected, trains, weights)


def _with_limits(loss: Saturation | None, built: Project, expected: Result) -> Saturation | None:
    """What saturation loses, and how often potentials of the test bench were clipped."""
    return None if loss is None else replace(loss, at_limits=at_limits(built.saturating, expected))
