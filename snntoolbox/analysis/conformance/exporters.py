"""Runs conformance cases on an exporter: what is read back equals what was written, and nothing half stays behind."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from snntoolbox.analysis.conformance.cases import Case, cases
from snntoolbox.analysis.conformance.checks import ConformanceError, compare_results, refused
from snntoolbox.analysis.conformance.equality import differences
from snntoolbox.backends.export import checked_options, export, option_names
from snntoolbox.backends.protocol import Exported, Exporter, ReadsBack
from snntoolbox.backends.registry import exporter_named
from snntoolbox.errors import SNNToolboxError
from snntoolbox.ir.arguments import checked
from snntoolbox.ir.capabilities import Capabilities
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.result import Record

log = logging.getLogger(__name__)

INTERRUPTED = "an export that is interrupted"
"""The case that is none of a network."""


@checked
def check_exporter(exporter: str | Exporter, **options: Any) -> dict[str, str]:
    """Write the network of every case by an exporter (or the one of this name): case -> how that ended.

    'passed': what is read back equals what was written, in its parts and in every spike, or the exporter's own checks
    passed; 'refused'; 'not checked': written, but it cannot be read and nothing was checked.
    `options` are those of the exporter. ConformanceError lists every case that failed.
    """
    tested = exporter_named(exporter) if isinstance(exporter, str) else exporter
    outcomes, failures = {}, []
    for case in written_cases():
        try:
            outcomes[case.name] = check_case(tested, case, **options)
        except ConformanceError as error:
            failures.append(error.message)
        log.info("%s: %s", case.name, outcomes.get(case.name, "failed"))
    try:
        outcomes[INTERRUPTED] = check_interrupted(tested, **options)
    except ConformanceError as error:
        failures.append(error.message)
    if failures:
        raise ConformanceError("\n".join([f"{len(failures)} of {len(written_cases()) + 1} cases failed:", *failures]))
    return outcomes


def written_cases() -> list[Case]:
    """The cases that differ in their network; others are about the life of a simulation."""
    return [case for case in cases() if case.check in ("identical", "rates")]


def check_case(exporter: Exporter, case: Case, **options: Any) -> str:
    """Write the network of one case: 'passed', 'refused' or 'not checked', see `check_exporter`.

    ConformanceError says what differs, the first of it.
    """
    network = case.build()
    with TemporaryDirectory() as name:
        root = Path(name)
        try:
            if exporter.capabilities.missing(network):
                _check_refused(exporter, case, network, root, options)
                return "refused"
            return _check_written(exporter, case, network, root, options)
        except ConformanceError as error:
            raise ConformanceError(f"{case.name}: {error.message}") from None
        except SNNToolboxError as error:
            raise ConformanceError(f"{case.name}: {error}") from error


def _check_refused(
    exporter: Exporter, case: Case, network: SpikingNetwork, root: Path, options: Mapping[str, Any]
) -> None:
    """What the capabilities lack is refused, every item by name, by the exporter itself, and nothing is written."""
    chosen = _options(exporter, case, network, options)
    with refused(exporter.capabilities.missing(network)):
        exporter.export(network, root, case.inputs(network), **chosen)
    if any(root.iterdir()):
        raise ConformanceError(f"refused, but {_names(root)} written")


def _check_written(
    exporter: Exporter, case: Case, network: SpikingNetwork, root: Path, options: Mapping[str, Any]
) -> str:
    x = case.inputs(network)
    chosen = _options(exporter, case, network, options)
    exported = export(network, exporter, root / "written", x, **chosen)
    if _names(root) != ["written"]:
        raise ConformanceError(f"writes {_names(root)}, beside the folder that it was given")
    for check in exported.checks:
        if check.outcome == "failed":
            raise ConformanceError(f"its own check failed: {check.goal}: {check.why}")
    if isinstance(exporter, ReadsBack):
        _check_read(exporter.read(exported.folder), network, case, x)
        return "passed"
    return "passed" if any(check.passed for check in exported.checks) else "not checked"


def _check_read(read: SpikingNetwork, network: SpikingNetwork, case: Case, x: tuple[Array, ...]) -> None:
    """The networks have the same parts, and the reference gives the same spikes and outputs for both."""
    exact = case.check == "identical"
    if first := next(differences(read, network, exact=exact), None):
        raise ConformanceError(f"what is read back is not what was written: {first}")
    record = Record(spikes=exact, potentials=exact)
    results = [interpret(n, *x, steps=case.steps, record=record) for n in (read, network)]
    if exact:
        compare_results(*results)
        return
    for name, counts in results[1].counts.items():
        # A potential may meet its threshold by less than rounding.
        if (worst := int(np.abs(results[0].counts[name] - counts).max())) > 1:
            raise ConformanceError(f"spike counts of {name} differ by up to {worst}, more than one")


def _options(exporter: Exporter, case: Case, network: SpikingNetwork, options: Mapping[str, Any]) -> dict[str, Any]:
    """Those given, and the duration of the case, or of its windows, where the exporter takes one."""
    windows = network.schedule if network.schedule and network.schedule.steps else None
    steps = windows.window if windows else case.steps
    return {**({"duration": steps * network.dt} if "duration" in option_names(exporter) else {}), **options}


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# -- interruption ---------------------------------------------------------------------------------------------------


class _Stopped:
    """An exporter that is interrupted when all is written, and nothing has its name yet."""

    def __init__(self, exporter: Exporter, options: Mapping[str, Any]) -> None:
        self.exporter, self.own = exporter, options

    @property
    def name(self) -> str:
        """That of the exporter."""
        return self.exporter.name

    @property
    def capabilities(self) -> Capabilities:
        """Those of the exporter."""
        return self.exporter.capabilities

    def export(
        self, network: SpikingNetwork, folder: Path, samples: tuple[Array, ...] = (), **options: Any
    ) -> Exported:
        """Write, and stop."""
        self.exporter.export(network, folder, samples, **self.own)
        raise KeyboardInterrupt


def check_interrupted(exporter: Exporter, **options: Any) -> str:
    """An export that is interrupted leaves nothing, and an earlier one as it was: 'passed', or 'refused' for none."""
    fitting = (c for c in written_cases() if not exporter.capabilities.missing(c.build()))
    case = next(fitting, None)
    if case is None:
        return "refused"
    network = case.build()
    chosen = checked_options(exporter, _options(exporter, case, network, options))
    stopped = _Stopped(exporter, chosen)
    with TemporaryDirectory() as name:
        root = Path(name)
        _interrupt(stopped, case, network, root / "new")
        if any(root.iterdir()):
            raise ConformanceError(f"{INTERRUPTED} leaves {', '.join(_names(root))}")
        export(network, exporter, root / "earlier", case.inputs(network), **chosen)
        before = _contents(root)
        _interrupt(stopped, case, network, root / "earlier")
        if _contents(root) != before:
            raise ConformanceError(f"{INTERRUPTED} changes an earlier one")
    return "passed"


def _interrupt(stopped: _Stopped, case: Case, network: SpikingNetwork, folder: Path) -> None:
    with suppress(KeyboardInterrupt):
        export(network, stopped, folder, case.inputs(network), force=True)


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
