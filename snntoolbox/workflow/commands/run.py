"""``snntoolbox run``: convert and simulate as a configuration says, once or for each value of a sweep."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snntoolbox.ir.foreign import shown
from snntoolbox.workflow.commands.outcome import Outcome
from snntoolbox.workflow.commands.shared_options import add_config, add_force, columns, set_log_level

if TYPE_CHECKING:
    from snntoolbox.workflow.config.raw_config import Config
    from snntoolbox.workflow.config.schema import Settings
    from snntoolbox.workflow.stories.run import FinishedRun


def add_options(parser: argparse.ArgumentParser) -> None:
    """The configuration file, and overrides."""
    add_config(parser)
    parser.add_argument("-t", "--terminal", action="store_true", help="accepted and ignored: no window opens")
    add_force(parser, "take a network that is too large for the simulator")


def execute(options: argparse.Namespace) -> Outcome:
    """One run, or one for each value of [parameter_sweep]."""
    from snntoolbox.workflow.config.load import load_config

    settings = load_config(options.config, options.set)
    reports = carried_out(options.config, options.set, force=options.force)
    if settings.parameter_sweep.param_values:
        return Outcome(settings.paths.log_dir_of_current_run / "sweep.json")
    return Outcome(reports[0])


def carried_out(
    config: str | Path | Config, overrides: Sequence[str] = (), *, force: bool = False
) -> list[Mapping[str, Any]]:
    """Do what a configuration asks for, and print the tables; the report of the run, or those of a sweep's points."""
    from snntoolbox.workflow.config.load import load_config

    settings = load_config(config, overrides)
    set_log_level(settings.output.verbose)
    if settings.parameter_sweep.param_values:
        return _sweep(config, overrides, settings, force)
    return [run_and_show(settings, force=force)]


def run_and_show(settings: Settings, *, force: bool = False) -> Mapping[str, Any]:
    """A run and the short tables at its end; its report."""
    from snntoolbox.workflow.stories.run import run

    done = run(settings, force=force)
    show(done)
    return done.report


def show(done: FinishedRun, more: str = "") -> None:
    """The short tables of a run, `more`, and where its report is; raises what the simulator died of at the end."""
    from snntoolbox.ir.writing import OutputError
    from snntoolbox.workflow.report.terminal import run_paragraphs

    for paragraph in run_paragraphs(done.report, done.network, done.statistics, columns()):
        print(paragraph)
    if more:
        print(more)
    if not isinstance(done.failure, OutputError):
        print(f"Report: {shown(done.folder / 'report.json')}\nPage:   {shown(done.folder / 'report.html')}")
    if done.failure is not None:
        raise done.failure


def _sweep(
    config: str | Path | Config, overrides: Sequence[str], settings: Settings, force: bool
) -> list[Mapping[str, Any]]:
    """One run for each value, and a table of all of them."""
    from snntoolbox.workflow.report.terminal import sweep_table
    from snntoolbox.workflow.stories.sweep import sweep

    swept = sweep(config, overrides=overrides, force=force)
    print(sweep_table(swept.name, swept.values, swept.reports, columns()), end="\n\n")
    print(f"All results: {shown(settings.paths.log_dir_of_current_run)}")
    return list(swept.reports)
