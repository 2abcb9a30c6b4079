"""Runs conformance cases on a backend, against the reference interpreter."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from snntoolbox.analysis.conformance.cases import Case, cases
from snntoolbox.backends.protocol import Backend, Executable
from snntoolbox.backends.registry import backend_named
from snntoolbox.errors import BackendError, SNNToolboxError, Unsupported, UnsupportedError
from snntoolbox.ir.arguments import checked
from snntoolbox.ir.features import RECORDED_POTENTIALS, RECORDED_SPIKES
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.result import Record, Result

log = logging.getLogger(__name__)
FIRST_SAMPLE = 10
"""Where the numbering of samples begins: a backend that ignores it has other Poisson trains."""


class ConformanceError(BackendError):
    """A backend does not do what a case demands."""


@checked
def check_backend(backend: str | Backend, **options: Any) -> dict[str, str]:
    """Run every case on a backend (or the one of this name): case -> 'passed' or 'refused'.

    `options` go to its `build`. ConformanceError lists every case that failed.
    """
    tested = backend_named(backend) if isinstance(backend, str) else backend
    outcomes, failures = {}, []
    for case in cases():
        try:
            outcomes[case.name] = check(tested, case, **options)
        except ConformanceError as error:
            failures.append(error.message)
        log.info("%s: %s", case.name, outcomes.get(case.name, "failed"))
    if failures:
        raise ConformanceError("\n".join([f"{len(failures)} of {len(cases())} cases failed:", *failures]))
    return outcomes


def check(backend: Backend, case: Case, **options: Any) -> str:
    """Run one case: 'passed', or 'refused' where the backend's capabilities lack something and it says so.

    ConformanceError says what differs: for a run the first step, sample and neuron.
    """
    network = case.build()
    lacking = backend.capabilities.missing(network)
    try:
        if lacking:
            with refused(lacking), backend.build(network, **options):
                pass
            return "refused"
        _CHECKS[case.check](_Trial(backend, case, network, options), case.inputs(network))
    except ConformanceError as error:
        raise ConformanceError(f"{case.name}: {error.message}") from None
    except SNNToolboxError as error:
        raise ConformanceError(f"{case.name}: {error}") from error
    return "passed"


@contextmanager
def refused(lacking: Sequence[Unsupported]) -> Iterator[None]:
    """What is done here must be refused, every item that is lacking by name; ConformanceError otherwise."""
    try:
        yield
    except UnsupportedError as error:
        if unnamed := [item for item in lacking if item not in error.offenders]:
            items = ", ".join(f"{u.layer}: {u.reason}" for u in unnamed)
            raise ConformanceError(f"refused without naming {items}") from None
        return
    raise ConformanceError(f"taken, although its capabilities lack {lacking[0].reason}")


class _Trial:
    """One backend on one network."""

    def __init__(self, backend: Backend, case: Case, network: SpikingNetwork, options: Mapping[str, Any]) -> None:
        self.backend, self.case, self.network, self.options = backend, case, network, options
        held = backend.capabilities.features
        self.record = Record(spikes=RECORDED_SPIKES in held, potentials=RECORDED_POTENTIALS in held)

    def build(self) -> Executable:
        """The network on the backend."""
        return self.backend.build(self.network, **self.options)

    def run(self, executable: Executable, x: tuple[Array, ...], first: int = FIRST_SAMPLE) -> Result:
        """A run with everything recorded that the backend can record."""
        return executable.run(*x, steps=self.case.steps, record=self.record, first_sample=first)

    def expected(self, x: tuple[Array, ...]) -> Result:
        """What the reference does."""
        return interpret(self.network, *x, steps=self.case.steps, record=self.record, first_sample=FIRST_SAMPLE)


def _identical(trial: _Trial, x: tuple[Array, ...]) -> None:
    with trial.build() as executable:
        compare_results(trial.run(executable, x), trial.expected(x))


def _rates(trial: _Trial, x: tuple[Array, ...]) -> None:
    """Within one spike, 1 / T in rates: a potential may meet its threshold by less than rounding."""
    with trial.build() as executable:
        found, expected = trial.run(executable, x), trial.expected(x)
    for name, counts in expected.counts.items():
        worst = int(np.abs(found.counts[name] - counts).max())
        if worst > 1:
            raise ConformanceError(f"spike counts of {name} differ by up to {worst}, more than one")


def _repeated(trial: _Trial, x: tuple[Array, ...]) -> None:
    """Nothing is left over from one run to the next, nor from one build to the next."""
    expected = trial.expected(x)
    for _ in range(2):
        with trial.build() as executable:
            for _ in range(2):
                compare_results(trial.run(executable, x), expected)


def _batched(trial: _Trial, x: tuple[Array, ...]) -> None:
    """Samples do not touch one another, and their Poisson trains follow from their numbers."""
    with trial.build() as executable:
        whole = trial.run(executable, x)
        for i in range(trial.case.samples):
            single = trial.run(executable, tuple(a[i : i + 1] for a in x), FIRST_SAMPLE + i)
            for kind in ("counts", "outputs"):
                for name, value in getattr(single, kind).items():
                    if not np.array_equal(value[0], getattr(whole, kind)[name][i]):
                        raise ConformanceError(f"{kind} of {name}: sample {i} alone differs from it in the batch")


def _recorded(trial: _Trial, x: tuple[Array, ...]) -> None:
    """Counts and last outputs are there without recording; some populations alone can be recorded; steps are told."""
    first = next(iter(trial.network.populations))
    some = Record(
        spikes=frozenset({first}) if trial.record.spikes else False,
        potentials=frozenset({first}) if trial.record.potentials else False,
        outputs_per_step=False,
    )
    for record in (Record(outputs_per_step=False), some):
        told: list[int] = []
        with trial.build() as executable:
            found = executable.run(*x, steps=trial.case.steps, record=record, progress=told.append)
        expected = interpret(trial.network, *x, steps=trial.case.steps, record=record)
        compare_results(found, expected)
        if told != sorted(told) or (told and told[-1] != trial.case.steps):
            raise ConformanceError(f"progress is told as {told}, not as growing numbers up to {trial.case.steps}")


_CHECKS: Mapping[str, Callable[[_Trial, tuple[Array, ...]], None]] = {
    "identical": _identical,
    "rates": _rates,
    "repeated": _repeated,
    "batched": _batched,
    "recorded": _recorded,
}


def compare_results(found: Result, expected: Result) -> None:
    """Everything that the expected result holds is identical; potentials as float32, which some record."""
    if (found.steps, found.samples, found.window) != (expected.steps, expected.samples, expected.window):
        raise ConformanceError(f"{found.samples} samples of {found.steps} steps came back, window {found.window}")
    for field in ("spikes", "potentials", "counts", "fired", "outputs_per_step", "outputs"):
        ours, theirs = getattr(found, field), getattr(expected, field)
        if set(ours) != set(theirs):
            raise ConformanceError(f"{field} are those of {sorted(ours)}, wanted {sorted(theirs)}")
        for name, value in theirs.items():
            single = np.float32 if field == "potentials" else value.dtype
            _compare_arrays(f"{field} of {name}", ours[name].astype(single), value.astype(single))


def _compare_arrays(what: str, found: Array, expected: Array) -> None:
    if found.shape != expected.shape:
        raise ConformanceError(f"{what} have shape {found.shape}, not {expected.shape}")
    if len(wrong := np.argwhere(found != expected)):
        first = tuple(int(i) for i in wrong[0])
        raise ConformanceError(
            f"{what}: {len(wrong)} of {found.size} values differ, the first at index {first}: "
            f"{found[first]} instead of {expected[first]}"
        )
