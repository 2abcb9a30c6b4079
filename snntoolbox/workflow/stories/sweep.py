"""One run for each value of one configuration key, one after the other or side by side on workers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from snntoolbox.backends.workers import cluster
from snntoolbox.backends.workers.cluster import Cluster
from snntoolbox.errors import ConfigError, SNNToolboxError
from snntoolbox.ir.arguments import checked
from snntoolbox.ir.files import RunFolder
from snntoolbox.ir.foreign import file_names
from snntoolbox.ir.writing import write_json
from snntoolbox.workflow.config.load import load_config
from snntoolbox.workflow.config.raw_config import Config
from snntoolbox.workflow.config.schema import Settings
from snntoolbox.workflow.config.sweeping import Varied, problems_of_sweep, varied
from snntoolbox.workflow.config.values import show, spelled
from snntoolbox.workflow.report.sweep_picture import draw
from snntoolbox.workflow.report.terminal import progress
from snntoolbox.workflow.stories.run import run

log = logging.getLogger(__name__)

REPORTED = (
    *("snn_accuracy", "snn_error", "agreement", "ann_accuracy", "parsed_accuracy", "synaptic_operations"),
    *("snn_accuracy_top_k", "ann_accuracy_top_k", "parsed_accuracy_top_k"),
    *("duration", "samples", "seconds"),
)
"""What `sweep.json` repeats of each point's report."""


@dataclass(frozen=True)
class Sweep:
    """The reports of all points: `values[i]` of the key `name` gave `reports[i]`, and files in `folders[i]`.

    Where several keys were varied, `name` is a tuple of them, and so is each of `values`.
    """

    name: str | tuple[str, ...]
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
    config: str | Path | Config,
    name: str | Sequence[str] = "",
    values: Sequence[object] = (),
    *,
    overrides: Iterable[str] = (),
    force: bool = False,
) -> Sweep:
    """Run the configuration once for each of `values` of the key `name` (``section.key``).

    Of several names, `values` are one list for each, and all combinations run. Both are those of the section
    [parameter_sweep] unless given; `overrides` are ``section.key=value``, `force` is for networks too large for the
    simulator. The results are in `log_dir_of_current_run`, all at once: a folder per point, and `sweep.json`. With
    [simulation] workers or a scheduler the points are shared out among them; they must then see the same files.
    ConfigError names every value that is not allowed, before the first run.
    """
    overrides = list(overrides)
    settings = load_config(config, overrides)
    names = ((name,) if isinstance(name, str) else tuple(name)) if name else settings.parameter_sweep.param_name
    keys = _varied(names, tuple(values) or settings.parameter_sweep.param_values)
    combined = tuple(product(*keys.values()))
    points = _points(config, overrides, list(keys), combined)
    cluster.check(min(settings.simulation.workers, len(points)), settings.simulation.scheduler)
    place, labels = settings.paths.log_dir_of_current_run, _labels(list(keys), combined)
    with RunFolder(place, overwrite=settings.output.overwrite) as folder:
        tasks = [
            (_at(point, place / label), folder / label, _told(names, each), force)
            for point, label, each in zip(points, labels, combined, strict=True)
        ]
        reports = tuple(_reports(settings, tasks))
        swept = _swept(names, combined, reports, tuple(place / label for label in labels))
        parameter = [*keys] if len(keys) > 1 else next(iter(keys))
        write_json(folder / "sweep.json", {"parameter": parameter, "points": swept.rows})
        draw(folder, keys, combined, reports, settings, log.warning)
    return swept


def _swept(
    names: tuple[str, ...],
    combined: tuple[tuple[object, ...], ...],
    reports: tuple[Mapping[str, Any], ...],
    folders: tuple[Path, ...],
) -> Sweep:
    if len(names) > 1:
        return Sweep(names, combined, reports, folders)
    return Sweep(names[0], tuple(value for (value,) in combined), reports, folders)


def _told(names: Sequence[str], values: Sequence[object]) -> str:
    return ", ".join(f"{name} = {show(value)}" for name, value in zip(names, values, strict=True))


def _varied(names: Sequence[str], values: Sequence[object]) -> Varied:
    """The keys and their values; ConfigError where they cannot be swept."""
    if not values:
        raise ConfigError("there are no values to sweep", hint="[parameter_sweep] param_values = [16, 32, 64]")
    if problems := problems_of_sweep(names, values):
        raise ConfigError("; ".join(problems))
    return varied(names, values)


def _points(
    config: str | Path | Config, overrides: list[str], names: Sequence[str], combined: Iterable[Sequence[object]]
) -> list[Settings]:
    """The settings of every point; ConfigError with the problems of all of them."""
    points, wrong = [], []
    for values in combined:
        own = [f"{name}={spelled(value)}" for name, value in zip(names, values, strict=True)]
        try:
            points.append(load_config(config, [*overrides, *_ALONE, *own]))
        except ConfigError as error:
            wrong.append(error.message)
    if wrong:
        raise ConfigError("\n".join(dict.fromkeys(wrong)))
    return points


_ALONE = (
    *("parameter_sweep.param_name=v_thresh", "parameter_sweep.param_values=[]"),
    "parameter_sweep.param_logscale=False",
)
"""What makes the settings of a sweep those of one run."""


def _at(point: Settings, folder: Path) -> Settings:
    """The settings of a point, so that its configuration repeats it alone."""
    paths = replace(point.paths, log_dir_of_current_run=folder)
    return replace(point, paths=paths, simulation=replace(point.simulation, workers=0, scheduler=""))


def _labels(names: Sequence[str], combined: Iterable[Sequence[object]]) -> list[str]:
    """The names of the points' folders."""
    short = [name.split(".")[1] for name in names]
    texts = ["_".join(f"{n}_{show(v)}" for n, v in zip(short, values, strict=True)) for values in combined]
    folders = file_names(texts)
    return [folders[text] for text in texts]


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
