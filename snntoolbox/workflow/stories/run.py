"""A run from settings to files: prepare, simulate, take advice where it is wanted, write."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from snntoolbox.analysis.diagnosis.diagnosis import Diagnosis
from snntoolbox.analysis.metrics import PopulationStatistics
from snntoolbox.backends.registry import backend_named
from snntoolbox.conversion.converted import ConvertedNetwork
from snntoolbox.errors import ConfigError, DiedError
from snntoolbox.ir.files import RunFolder
from snntoolbox.ir.foreign import longer
from snntoolbox.ir.io import save
from snntoolbox.ir.writing import OutputError, write_json, write_text
from snntoolbox.workflow.choices import choices_for
from snntoolbox.workflow.config.schema import Settings
from snntoolbox.workflow.config.template import config_text
from snntoolbox.workflow.journal import watching
from snntoolbox.workflow.models import check_folder
from snntoolbox.workflow.preparation import Prepared, prepare, runs_on
from snntoolbox.workflow.report.html.network_section import Measured, layers_of
from snntoolbox.workflow.report.html.page import write_page
from snntoolbox.workflow.report.html.run_page import RunFacts, run_page
from snntoolbox.workflow.simulation import Simulated, simulated

UNFINISHED = "-unfinished"
"""Behind the name of a run's folder: the results up to where the simulator died. Earlier results stay as they are."""

Advise = Callable[[Prepared, Diagnosis | None], Diagnosis]
"""Adds advice to the diagnosis of a run; the errors are not split where it is None."""


@dataclass(frozen=True, eq=False, kw_only=True)
class FinishedRun:
    """What came of a run: its `report` is what ``report.json`` in its `folder` holds.

    `network` is None where nothing was converted or loaded, `statistics` and `diagnosis` where nothing was simulated or
    errors are not split. `failure` is what the simulator died of, where some batches were finished before, or why there
    are no files.
    """

    report: Mapping[str, Any]
    folder: Path
    network: ConvertedNetwork | None = None
    statistics: PopulationStatistics | None = None
    diagnosis: Diagnosis | None = None
    failure: DiedError | OutputError | None = None


def run(
    settings: Settings, *, into: Path | None = None, force: bool = False, advise: Advise | None = None
) -> FinishedRun:
    """Do what a configuration asks for and return what came of it; all files appear at the end, or none does.

    They are written `into` another folder than that of the settings where one is given. Where the simulator dies in
    the middle, the finished batches are reported, in a folder of their own, and `failure` says why. `force` takes a
    network that is estimated to be too large for the simulator. `advise` is asked about the errors at the end.
    """
    check_folder(settings.paths.path_wd)
    target = RunFolder(into or settings.paths.log_dir_of_current_run, overwrite=settings.output.overwrite)
    outcome, unwritten = Simulated(), None
    try:
        with target as folder, watching(settings.output.verbose):
            with choices_for(backend_named(settings.simulation.simulator).capabilities):
                prepared = prepare(settings, runs_on(settings, force=force))
            if advise is not None and prepared.inputs.graph is None:
                raise ConfigError("a diagnosis needs the parsed network", hint="set parse = True")
            _write_networks(prepared, folder)
            outcome = _simulate(prepared, folder, force=force, advised=advise is not None)
            if advise is not None and outcome.failure is None:
                outcome = _with_advice(prepared, outcome, advise)
            _write_report(prepared, outcome, folder, target.path)
            if outcome.failure is not None:
                target.path = target.path.with_name(longer(target.path.name, UNFINISHED))
    except OutputError as error:
        if not outcome.report:
            raise
        unwritten = error  # what was measured can still be shown
    network = None if prepared.network is None else ConvertedNetwork.of(prepared.network)
    return FinishedRun(
        report=_reported(prepared, outcome), folder=target.path, network=network,
        statistics=outcome.statistics, diagnosis=outcome.diagnosis, failure=unwritten or outcome.failure,
    )  # fmt: skip


def _simulate(prepared: Prepared, folder: Path, *, force: bool, advised: bool) -> Simulated:
    """The test set simulated, if that is wanted."""
    if not prepared.settings.tools.simulate or prepared.network is None:
        return Simulated()
    with prepared.journal.timed("simulate"):
        return simulated(prepared, prepared.network, folder, force=force, advised=advised)


def _with_advice(prepared: Prepared, outcome: Simulated, advise: Advise) -> Simulated:
    with prepared.journal.timed("diagnose"):
        diagnosis = advise(prepared, outcome.diagnosis)
    return replace(outcome, diagnosis=diagnosis, report={**outcome.report, "diagnosis": diagnosis.data()})


def _write_networks(prepared: Prepared, folder: Path) -> None:
    """Save the settings and the networks, before the long work: there must be room for them."""
    paths = prepared.settings.paths
    write_text(folder / "config.ini", config_text(prepared.settings))
    if prepared.inputs.graph is not None:
        save(prepared.inputs.graph, folder / f"{Path(paths.filename_parsed_model).name}.npz")
    if prepared.network is not None:
        save(prepared.network, folder / f"{Path(paths.filename_snn).name}.npz")


def _write_report(prepared: Prepared, outcome: Simulated, folder: Path, final: Path) -> None:
    """Write the numbers, the pictures, what these had to say, and the page, which says in which folder all will be."""
    before = len(prepared.journal.warnings)
    write_json(folder / "report.json", _reported(prepared, outcome))
    outcome.plot()
    write_page(folder / "report.html", run_page(_facts(prepared, outcome, final)), prepared.journal.warn)
    if len(prepared.journal.warnings) > before:
        with suppress(OutputError):  # it is there without them
            write_json(folder / "report.json", _reported(prepared, outcome))


def _facts(prepared: Prepared, outcome: Simulated, final: Path) -> RunFacts:
    """What the page is made of."""
    network, statistics, measured = prepared.network, outcome.statistics, None
    if network is not None and statistics is not None:
        made_of = layers_of(network, prepared.inputs.leading, prepared.inputs.layers)
        measured = Measured(
            network=network, statistics=statistics, figures=outcome.figures, diagnosis=outcome.diagnosis,
            made_of=made_of,
        )  # fmt: skip
    return RunFacts(
        report=_reported(prepared, outcome), settings=prepared.settings, folder=final, measured=measured,
        remedy=outcome.remedy,
    )  # fmt: skip


def _reported(prepared: Prepared, outcome: Simulated) -> Mapping[str, Any]:
    """What ``report.json`` holds."""
    report = {**prepared.report, **outcome.report}
    if prepared.network is not None:
        report["neurons_per_layer"] = {n: p.size for n, p in prepared.network.populations.items()}
    return report
