"""Compares simulators: each runs the samples, and every raster is held against that of the first that runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np

from snntoolbox.analysis.comparison.comparison import Comparison, Divergence, Side
from snntoolbox.analysis.comparison.divergence import divergence
from snntoolbox.analysis.comparison.rasters import RasterTotals, StoredRasters
from snntoolbox.analysis.comparison.side import Progress, Runner, Task
from snntoolbox.backends.protocol import Backend
from snntoolbox.backends.registry import backend_named, backend_names
from snntoolbox.errors import ArgumentError, BackendError, DataError
from snntoolbox.ir.arguments import checked
from snntoolbox.ir.data_range import tell_differences
from snntoolbox.ir.encodings import Spiking
from snntoolbox.ir.labels import class_labels
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.samples import checked_arrays
from snntoolbox.ir.scratch import Scratch
from snntoolbox.ir.timing import run_steps


@checked
def compare(
    network: SpikingNetwork,
    x: Array | Sequence[Array],
    *,
    simulators: Sequence[str | Backend] = ("INI", "brian2"),
    duration: float | None = None,
    labels: Array | None = None,
    predictions: Array | None = None,
    batch_size: int = 100,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> Comparison:
    """Run the same network and samples for `duration` ms on each simulator and compare, spike by spike.

    Without a duration as long as `simulate` would.

    `labels` are as for `Result.accuracy`, `predictions` (classes that the original network gives) as in a result.
    `options`:
    simulator -> options of its `build`; `force` takes networks that are too large for one. A simulator that is
    missing, refuses or dies is listed with the reason, and the others still run; the first that runs is the
    reference. Rasters are recorded some samples at a time and kept on disk. BackendError for an unknown simulator,
    DataError for samples that do not fit.
    """
    backends = backends_of(simulators)
    _check_options(options or {}, backends)
    arrays = checked_arrays({n: network.wiring.shapes[n] for n in network.encodings}, x, network.encodings)
    _check(network, arrays, predictions, batch_size)
    tell_differences(network.calibrated, network.encodings, arrays)
    task = Task(network, arrays, run_steps(network, duration), batch_size)
    comparing = _Comparing(task, _labels(network, labels, len(arrays[0])), predictions)
    with ExitStack() as stack:
        comparing.rasters = StoredRasters(stack.enter_context(Scratch(prefix="snntoolbox-compare-")).path)
        sides = []
        for backend in backends:
            runner = Runner(backend, task, (options or {}).get(backend.name, {}), force=force)
            sides.append(comparing.side(runner, stack, progress))
    reference = comparing.reference
    return Comparison(
        model=network.name,
        reference=reference.backend.name if reference else "",
        samples=task.samples,
        steps=task.steps,
        duration=task.steps * network.dt if duration is None else duration,
        weight_bits=network.grid.weight_bits if network.grid else 0,
        layers={n: p.label for n, p in network.populations.items()},
        sides=tuple(sides),
    )


def backends_of(simulators: Sequence[str | Backend]) -> list[Backend]:
    """The backends of these names; BackendError where one is unknown, comes twice, or there are fewer than two."""
    backends = [backend_named(s) if isinstance(s, str) else s for s in simulators]
    names = [b.name for b in backends]
    if twice := sorted({n for n in names if names.count(n) > 1}):
        raise BackendError(f"simulator {' and '.join(twice)} is named twice", hint="name each simulator once")
    if len(names) < 2:
        known = ", ".join(backend_names())
        raise BackendError(f"a comparison needs two simulators or more, got {len(names)}", hint=f"known: {known}")
    return backends


def _check_options(options: Mapping[str, Mapping[str, Any]], backends: Sequence[Backend]) -> None:
    """ArgumentError for options of simulators that are not compared."""
    names = [backend.name for backend in backends]
    if strangers := sorted(set(options) - set(names)):
        wrong = f"compare: options for {', '.join(strangers)}, which are not compared"
        raise ArgumentError(wrong, hint=f"compared are {', '.join(names)}")


def _check(
    network: SpikingNetwork, x: Sequence[Array], predictions: Array | None, batch_size: int
) -> None:
    if not len(x[0]):
        raise DataError("there are no samples to simulate")
    if not network.populations:
        raise DataError("the network has no populations to compare")
    if batch_size < 1:
        raise DataError(f"batch_size = {batch_size} is not at least 1")
    if predictions is not None and network.readouts:
        expected = (len(x[0]), *network.readouts[0].head.places(network.readouts[0].shape))
        if np.shape(predictions) != expected:
            raise DataError(f"predictions have shape {np.shape(predictions)}, not {expected}")
    for (name, encoding), array in zip(network.encodings.items(), x, strict=True):
        if isinstance(encoding, Spiking):
            encoding.check(array, name)


def _labels(network: SpikingNetwork, labels: Array | None, samples: int) -> Array | None:
    """The classes that labels say, for the first read-out."""
    if labels is None:
        return None
    if not network.readouts:
        raise DataError("the network has no read-out to hold labels against")
    return class_labels(labels, network.readouts[0].head, network.readouts[0].shape, samples)


class _Comparing:
    """What all sides of a comparison share: the samples, and the reference as soon as one simulator has run."""

    rasters: StoredRasters

    def __init__(self, task: Task, labels: Array | None, predictions: Array | None) -> None:
        self.task, self.labels, self.predictions = task, labels, predictions
        self.order = tuple(n for n in task.network.targets if n in task.network.populations)
        self.classifies = bool(task.network.readouts) and task.network.readouts[0].head.decides
        self.reference: Runner | None = None
        self.reference_totals: RasterTotals | None = None

    def side(self, runner: Runner, stack: ExitStack, progress: Progress | None) -> Side:
        """Run one simulator; `stack` keeps the reference open, to be asked again at a difference."""
        totals, at = RasterTotals(self.order, self.classifies), None
        with ExitStack() as own:
            if runner.open(stack if self.reference is None else own):
                self._run(runner, totals, progress)
            if totals.first is not None and self.reference is not None:
                at = divergence(totals.first, runner, self.reference)
        if self.reference is None and totals.samples:
            self.reference, self.reference_totals = runner, totals
        return self._summed(runner, totals, at)

    def _run(self, runner: Runner, totals: RasterTotals, progress: Progress | None) -> None:
        for first, stop, result in runner.results():
            if self.reference is None:
                self.rasters.add({n: result.spikes[n] for n in self.order})
                totals.add(result, {})
            else:
                totals.add(result, self.rasters.read(first, stop))
            if progress is not None:
                progress(runner.backend.name, stop - first)

    def _summed(self, runner: Runner, totals: RasterTotals, at: Divergence | None) -> Side:
        predictions, first = totals.predictions, self.reference is runner
        theirs = None if first or self.reference_totals is None else self.reference_totals.predictions
        return Side(
            simulator=runner.backend.name,
            status=runner.status,
            reason=runner.reason,
            samples=totals.samples,
            accuracy=_share(predictions, self.labels),
            agreement=_share(predictions, theirs),
            ann_agreement=_share(predictions, self.predictions),
            spikes={n: count / max(totals.samples, 1) for n, count in totals.spikes.items()} if totals.samples else {},
            hardware={n: value / max(totals.samples, 1) for n, value in totals.hardware.items()},
            differing={} if first else dict(totals.differing),
            cells={} if first else dict(totals.cells),
            compared=0 if first else totals.compared,
            seconds_to_build=round(runner.seconds_to_build, 3),
            seconds_to_run=round(runner.seconds_to_run, 3),
            divergence=at,
        )


def _share(predictions: Array | None, expected: Array | None) -> float | None:
    """The share of equal classes, of the samples that both have."""
    if predictions is None or expected is None:
        return None
    count = min(len(predictions), len(expected))
    return float(np.mean(predictions[:count] == np.asarray(expected)[:count])) if count else None
