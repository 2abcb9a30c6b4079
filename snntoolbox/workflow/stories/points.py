"""Runs the points of a sweep, here or shared out among workers, so that one that fails stops no other."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from snntoolbox.backends.workers.cluster import Cluster
from snntoolbox.errors import BackendError, SNNToolboxError, UnfinishedError
from snntoolbox.ir.progress import bar, counted
from snntoolbox.workflow.config.schema import Settings
from snntoolbox.workflow.inputs import open_inputs
from snntoolbox.workflow.memory import HINT, NO_MEMORY, out_of_memory
from snntoolbox.workflow.preparation import check_length
from snntoolbox.workflow.stories.run import run

log = logging.getLogger(__name__)

Outcome = Mapping[str, Any] | SNNToolboxError
"""The report of a point, or what it failed of."""


@dataclass(frozen=True, eq=False)
class Point:
    """The `settings` of one run, the `folder` of its files, and its values in words."""

    settings: Settings
    folder: Path
    label: str


def refused(points: Sequence[Point]) -> list[SNNToolboxError]:
    """What is known before the first run to be wrong with points: no model, no data, more steps than there is room for.

    A model and its data are looked at once for all points that have the same.
    """
    errors: list[SNNToolboxError] = []
    sizes: dict[str, tuple[int, int] | None] = {}
    for point in points:
        source = _source(point.settings)
        try:
            if source not in sizes:
                sizes[source] = _sizes(point)
            if size := sizes[source]:
                check_length(point.settings, *size)
        except SNNToolboxError as error:
            sizes.setdefault(source, None)  # that is told once
            errors.append(_labelled(error, point.label))
    return errors


def _source(settings: Settings) -> str:
    """What the model and the data of a run follow from."""
    paths = settings.paths
    if settings.tools.parse and settings.tools.convert:  # else its folder may hold what an earlier run has saved
        paths = replace(paths, log_dir_of_current_run=Path())
    return repr((paths, settings.input, settings.tools))


def _sizes(point: Point) -> tuple[int, int]:
    """How many values the outputs have, and how many samples there are."""
    inputs = open_inputs(point.settings, lambda warning: None)  # each run tells its own
    return inputs.output_values, len(inputs.test)


def outcomes(settings: Settings, points: Sequence[Point], *, force: bool) -> Iterator[Outcome]:
    """What comes of each point, in order."""
    simulation = settings.simulation
    if simulation.workers < 2 and not simulation.scheduler:
        for number, point in enumerate(counted("Sweeping", points), start=1):
            log.info("%s (%d of %d)", point.label, number, len(points))
            yield run_point(None, point, force)
        return
    workers, pieces = min(simulation.workers, len(points)), [(point, force) for point in points]
    with Cluster(workers, simulation.scheduler) as running, bar("Sweeping", len(points)) as advance:
        ordered = running.ordered(run_quietly, None, pieces, name="a point")
        for point, outcome in zip(points, ordered, strict=True):
            for warning in [] if isinstance(outcome, SNNToolboxError) else outcome["warnings"]:
                log.warning("%s: %s", point.label, warning)
            advance(1)
            yield outcome


def run_point(shared: None, point: Point, force: bool) -> Outcome:
    """Run one point into its folder; its errors begin with its label."""
    try:
        done = run(point.settings, into=point.folder, force=force)
        return done.report if done.failure is None else _labelled(done.failure, point.label)
    except SNNToolboxError as error:
        return _labelled(error, point.label)
    except (MemoryError, RuntimeError, OSError) as error:
        if not out_of_memory(error):
            raise
        return _labelled(BackendError(NO_MEMORY, hint=HINT), point.label)


def run_quietly(shared: None, point: Point, force: bool) -> Outcome:
    """Run one point on a worker: what it has to say is said where the sweep runs."""
    ours = logging.getLogger("snntoolbox")
    level = ours.level
    ours.setLevel(logging.CRITICAL)
    try:
        quiet = replace(point.settings, output=replace(point.settings.output, verbose=0))
        return run_point(shared, replace(point, settings=quiet), force)
    finally:
        ours.setLevel(level)


def _labelled(error: SNNToolboxError, label: str) -> SNNToolboxError:
    error.message = f"with {label}: {error.message}"
    error.args = (f"with {label}: {error}",)
    return error.with_traceback(None)


def together(errors: Sequence[SNNToolboxError], finished: str = "") -> SNNToolboxError:
    """One error of those of several points; `finished` says what there is all the same."""
    if len(errors) == 1 and not finished:
        return errors[0]
    return UnfinishedError("\n".join(dict.fromkeys([*map(str, errors), *([finished] if finished else [])])))
