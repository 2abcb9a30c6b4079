"""One run for each value of one configuration key, one after the other or side by side on workers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from snntoolbox.backends.workers import cluster
from snntoolbox.backends.workers.cluster import Cluster
from snntoolbox.errors import ConfigError, SNNToolboxError
from snntoolbox.ir.arguments import checked
from snntoolbox.ir.files import RunFolder
from snntoolbox.ir.foreign import file_names
from snntoolbox.ir.writing import write_json
from snntoolbox.workflow.config.checks import problems_of_sweep, swept_key
from snntoolbox.workflow.config.load import load_config
from snntoolbox.workflow.config.schema import Settings
from snntoolbox.workflow.config.values import show, spelled
from snntoolbox.workflow.report.terminal import progress
from snntoolbox.workflow.stories.run import run

log = logging.getLogger(__name__)

REPORTED = (
    *("snn_accuracy", "snn_error", "agreement", "ann_accuracy", "parsed_accuracy", "synaptic_operations"),
    *("duration", "samples", "seconds"),
)
"""What `sweep.json` repeats of each point's report."""


@dataclass(frozen=True)
class Sweep:
    """The reports of all points: `values[i]` of the key `name` gave `reports[i]`, and files in `folders[i]`."""

    name: str
    values: tuple[object, ...]
    reports: tuple[Mapping[str, Any], ...]
    folders: tuple[Path, ...]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """For each point its value, its folder's name, and what is `REPORTED` of it."""
        points = zip(self.values, self.folders, self.reports, strict=True)
        return [
            {"value": value, "folder": folder.name, **{k: report[k] for k in REPORTED if k in report}}
            for value, folder, report in points
        ]


@checked
def sweep(
    config: str | Path,
    name: str = "",
    values: Sequence[object] = (),
    *,
    overrides: Iterable[str] = (),
    force: bool = False,
) -> Sweep:
    """Run the configuration once for each of `values` of the key `name` (``section.key``).

    Both are those of the section [parameter_sweep] unless given; `overrides` are ``section.key=value``, `force`
    is for networks too large for the simulator. The results are in `log_dir_of_current_run`, all at once: a folder per
    point, and `sweep.json`. With [simulation] workers or a scheduler the points are shared out among them; they must
    then see the same files. ConfigError names every value that is not allowed, before the first run.
    """
    overrides = list(overrides)
    settings = load_config(config, overrides)
    name = name or settings.parameter_sweep.param_name
    values = tuple(values) or settings.parameter_sweep.param_values
    points = _points(Path(config), overrides, name, values)
    cluster.check(min(settings.simulation.workers, len(points)), settings.simulation.scheduler)
    place, labels = settings.paths.log_dir_of_current_run, _labels(name, values)
    with RunFolder(place, overwrite=settings.output.overwrite) as folder:
        tasks = [
            (_at(point, place / label), folder / label, f"{name} = {show(value)}", force)
            for point, label, value in zip(points, labels, values, strict=True)
        ]
        reports = tuple(_reports(settings, tasks))
        swept = Sweep(name, values, reports, tuple(place / label for label in labels))
        write_json(folder / "sweep.json", {"parameter": swept_key(name), "points": swept.rows})
    return swept


def _points(config: Path, overrides: list[str], name: str, values: Sequence[object]) -> list[Settings]:
    """The settings of every point; ConfigError with the problems of all of them."""
    if not values:
        raise ConfigError("there are no values to sweep", hint="[parameter_sweep] param_values = [16, 32, 64]")
    if problems := problems_of_sweep(name, values):
        raise ConfigError("; ".join(problems))
    points, wrong = [], []
    for value in values:
        try:
            one = [*overrides, "parameter_sweep.param_values=[]", f"{swept_key(name)}={spelled(value)}"]
            points.append(load_config(config, one))
        except ConfigError as error:
            wrong.append(error.message)
    if wrong:
        raise ConfigError("\n".join(dict.fromkeys(wrong)))
    return points


def _at(point: Settings, folder: Path) -> Settings:
    """The settings of a point, so that its configuration repeats it alone."""
    paths = replace(point.paths, log_dir_of_current_run=folder)
    return replace(point, paths=paths, simulation=replace(point.simulation, workers=0, scheduler=""))


def _labels(name: str, values: Sequence[object]) -> list[str]:
    """The names of the points' folders."""
    texts = [f"{swept_key(name).split('.')[1]}_{show(value)}" for value in values]
    names = file_names(texts)
    return [names[text] for text in texts]


def _reports(settings: Settings, tasks: list[tuple[Settings, Path, str, bool]]) -> Iterator[Mapping[str, Any]]:
    """The report of each point, in order."""
    simulation, verbose = settings.simulation, settings.output.verbose
    if simulation.workers < 2 and not simulation.scheduler:
        for number, task in enumerate(tasks, start=1):
            log.info("%s (%d of %d)", task[2], number, len(tasks))
            yield run_point(None, *task)
        return
    bar = progress("Sweeping", len(tasks)) if verbose else nullcontext[Callable[[int], None]](lambda points: None)
    workers = min(simulation.workers, len(tasks))
    with Cluster(workers, simulation.scheduler) as running, bar as advance:
        for task, report in zip(tasks, running.ordered(run_quietly, None, tasks, name="a point"), strict=True):
            for warning in report["warnings"]:
                log.warning("%s: %s", task[2], warning)
            advance(1)
            yield report


def run_point(shared: None, settings: Settings, folder: Path, label: str, force: bool) -> Mapping[str, Any]:
    """Run one point into a folder and return its report; its errors begin with the point's `label`."""
    try:
        done = run(settings, into=folder, force=force)
        if done.failure is not None:
            raise done.failure
        return done.report
    except SNNToolboxError as error:
        error.message = f"with {label}: {error.message}"
        error.args = (f"with {label}: {error}",)
        raise


def run_quietly(shared: None, settings: Settings, folder: Path, label: str, force: bool) -> Mapping[str, Any]:
    """Run one point on a worker: what it has to say is said where the sweep runs."""
    ours = logging.getLogger("snntoolbox")
    level = ours.level
    ours.setLevel(logging.CRITICAL)
    try:
        quiet = replace(settings, output=replace(settings.output, verbose=0))
        return run_point(shared, quiet, folder, label, force)
    finally:
        ours.setLevel(level)
