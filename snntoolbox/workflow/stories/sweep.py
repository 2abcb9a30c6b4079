"""One run for each value of one configuration key, one after the other or side by side on workers."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import product, zip_longest
from pathlib import Path
from typing import Any

from snntoolbox.backends.workers import cluster
from snntoolbox.errors import ConfigError, SNNToolboxError
from snntoolbox.ir.arguments import checked
from snntoolbox.ir.files import RunFolder, restore
from snntoolbox.ir.foreign import file_names, longer, shown
from snntoolbox.ir.interrupts import held_back
from snntoolbox.ir.writing import OutputError, write_json
from snntoolbox.workflow.config.load import load_config
from snntoolbox.workflow.config.raw_config import Config
from snntoolbox.workflow.config.schema import Settings
from snntoolbox.workflow.config.sweeping import Varied, problems_of_sweep, varied
from snntoolbox.workflow.config.values import show, spelled
from snntoolbox.workflow.journal import watching
from snntoolbox.workflow.report.html.page import write_page
from snntoolbox.workflow.report.html.sweep_page import sweep_page
from snntoolbox.workflow.report.sweep_picture import draw
from snntoolbox.workflow.stories.points import Outcome, Point, outcomes, refused, together
from snntoolbox.workflow.stories.run import UNFINISHED

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
        return [_row(value, folder.name, report) for value, folder, report in points]


def _row(value: object, folder: str, report: Mapping[str, Any]) -> dict[str, Any]:
    return {"value": value, "folder": folder, **{k: report[k] for k in REPORTED if k in report}}


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
    ConfigError names every value that is not allowed, before the first run. A point that fails stops no other; where
    one did, or the sweep was interrupted, the finished ones are in a folder of their own, ``...-unfinished``, and
    UnfinishedError tells what the others failed of.
    """
    overrides = list(overrides)
    settings = _base(config, overrides, name, values)
    names = ((name,) if isinstance(name, str) else tuple(name)) if name else settings.parameter_sweep.param_name
    keys = _varied(names, tuple(values) or settings.parameter_sweep.param_values, settings)
    combined = tuple(product(*keys.values()))
    points = _points(config, overrides, list(keys), combined)
    cluster.check(min(settings.simulation.workers, len(points)), settings.simulation.scheduler)
    place, labels = settings.paths.log_dir_of_current_run, _labels(list(keys), combined)
    told = [_told(names, each) for each in combined]
    at = [_at(point, place / label) for point, label in zip(points, labels, strict=True)]
    target = RunFolder(place, overwrite=settings.output.overwrite)
    with target as folder, watching(settings.output.verbose):
        tasks = [Point(point, folder / label, text) for point, label, text in zip(at, labels, told, strict=True)]
        if errors := refused(tasks):
            raise together(errors)
        record = _Record(folder / "sweep.json", tuple(keys), combined, labels)
        picture = partial(_draw, folder, keys, combined, labels, settings)
        ended = _run(outcomes(settings, tasks, force=force), tasks, record, picture)
        if not ended.whole:
            if not ended.reports:
                raise ended.error()
            target.path = target.path.with_name(longer(target.path.name, UNFINISHED))
    if not ended.whole:
        raise ended.error(target.path)
    return _swept(names, combined, ended.reports, tuple(place / label for label in labels))


def _draw(
    folder: Path,
    keys: Varied,
    combined: Sequence[tuple[object, ...]],
    labels: Sequence[str],
    settings: Settings,
    reports: Sequence[Mapping[str, Any]],
) -> None:
    """The page of all points, and their picture."""
    draw(folder, keys, combined, reports, settings, log.warning)
    write_page(folder / "report.html", sweep_page([*keys], combined, labels, reports, settings), log.warning)


@dataclass(frozen=True, eq=False)
class _Ended:
    """What came of each point, None for those that were not run, and what ended the sweep before the last."""

    done: Sequence[Outcome | None]
    stopped: BaseException | None = None

    @property
    def reports(self) -> tuple[Mapping[str, Any], ...]:
        """Of the points that are finished."""
        return tuple(outcome for outcome in self.done if isinstance(outcome, Mapping))

    @property
    def whole(self) -> bool:
        """Whether all are, and the picture of them."""
        return self.stopped is None and len(self.reports) == len(self.done)

    def error(self, place: Path | None = None) -> BaseException:
        """What is to be raised; `place` is where the finished points are."""
        count = f"({len(self.reports)} of {len(self.done)})"
        finished = f"finished points {count} are in '{shown(place)}'" if place else ""
        if self.stopped is not None and not isinstance(self.stopped, SNNToolboxError):
            if finished and isinstance(self.stopped, Exception):  # of a signal the command tells what there is
                log.warning(finished)
            return self.stopped
        failures = [error for error in (*self.done, self.stopped) if isinstance(error, SNNToolboxError)]
        return together(failures, finished)


@dataclass(frozen=True, eq=False)
class _Record:
    """Writes `sweep.json`: the points that are finished, and of the others why not."""

    file: Path
    keys: tuple[str, ...]
    combined: Sequence[tuple[object, ...]]
    labels: Sequence[str]

    def write(self, done: Sequence[Outcome | None]) -> None:
        """What is known so far; points behind the end of `done`, and None, have not been run."""
        points, unfinished = [], []
        for values, label, outcome in zip_longest(self.combined, self.labels, done):
            value = values if len(self.keys) > 1 else values[0]
            if isinstance(outcome, Mapping):
                points.append(_row(value, label, outcome))
            else:
                unfinished.append({"value": value, "reason": "not run" if outcome is None else str(outcome)})
        parameter = [*self.keys] if len(self.keys) > 1 else self.keys[0]
        rest = {"unfinished": unfinished} if unfinished else {}
        write_json(self.file, {"parameter": parameter, "points": points, **rest})


def _run(
    coming: Iterator[Outcome],
    tasks: Sequence[Point],
    record: _Record,
    draw_all: Callable[[Sequence[Mapping[str, Any]]], None],
) -> _Ended:
    """Run all points and draw them; whatever comes in the way, those that are finished are kept."""
    done: list[Outcome | None] = []
    try:
        for outcome in coming:
            done.append(outcome)
            record.write(done)  # as long as there is room
        if (ended := _Ended(done)).whole:
            draw_all(ended.reports)
    except BaseException as error:  # a signal or a defect
        with held_back(), suppress(OutputError):
            restore(record.file.parent)  # workers that were ended leave what they had begun
            done += [_found(task.folder) for task in tasks[len(done) :]]
            record.write(done)
        return _Ended(done, error)
    return ended


def _found(folder: Path) -> Mapping[str, Any] | None:
    """The report of a point that was finished and not yet asked for: by a worker, or as a signal came."""
    with suppress(OSError, ValueError):
        return dict(json.loads((folder / "report.json").read_text()))
    return None


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


def _base(
    config: str | Path | Config, overrides: list[str], name: str | Sequence[str], values: Sequence[object]
) -> Settings:
    """The settings; where they do not go with what keys hold that are varied, those of the first point."""
    try:
        return load_config(config, overrides)
    except ConfigError:
        names = (name,) if isinstance(name, str) else tuple(name)
        try:
            first = {path: own[0] for path, own in varied(names, values).items() if own}
            return load_config(config, [*overrides, *(f"{path}={spelled(value)}" for path, value in first.items())])
        except (ConfigError, ValueError):
            pass
        raise


def _varied(names: Sequence[str], values: Sequence[object], settings: Settings) -> Varied:
    """The keys and their values; ConfigError where they cannot be swept."""
    if not values:
        raise ConfigError("there are no values to sweep", hint="[parameter_sweep] param_values = [16, 32, 64]")
    if problems := problems_of_sweep(names, values, settings):
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
