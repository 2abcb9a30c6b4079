"""Checks that a backend or an exporter can take a network, and builds it there: what it can be, how large it may be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from typing import Any

from snntoolbox.backends.estimates import check_size, network_size
from snntoolbox.backends.protocol import Backend, Costly, Executable, Exporter, HasNotes, PreparesAhead
from snntoolbox.backends.registry import backend_named, backend_names, exporter_named, exporter_names
from snntoolbox.errors import BackendError, TooLargeError, Unsupported, UnsupportedError
from snntoolbox.ir.capabilities import Capabilities
from snntoolbox.ir.feature import Feature
from snntoolbox.ir.features import RECORDED_POTENTIALS, RECORDED_SPIKES
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.progress import bar
from snntoolbox.ir.result import Record


def all_capabilities() -> dict[str, Capabilities]:
    """What each simulator can run, by name, installed or not; a plug-in that cannot be loaded is left out."""
    return _capabilities(backend_names(), backend_named)


def exporter_capabilities() -> dict[str, Capabilities]:
    """What each exporter can write, by name; a plug-in that cannot be loaded is left out."""
    return _capabilities(exporter_names(), exporter_named)


def _capabilities(names: list[str], named: Callable[[str], Backend | Exporter]) -> dict[str, Capabilities]:
    loaded = {}
    for name in names:
        try:
            loaded[name] = named(name).capabilities
        except BackendError:
            continue
    return loaded


def simulators_for(
    network: SpikingNetwork,
    *,
    force: bool = False,
    legal: Callable[[SpikingNetwork, Backend], SpikingNetwork] = lambda network, backend: network,
) -> tuple[list[str], list[str]]:
    """The simulators that can run a network, installed or not, and those for which only its size is too much.

    `legal` gives the form of it that a backend runs.
    """
    fitting: list[str] = []
    too_large: list[str] = []
    synapses = network_size(network).synapses
    for name, capabilities in all_capabilities().items():
        backend = backend_named(name)
        if not capabilities.missing(legal(network, backend)):
            fits = force or not isinstance(backend, Costly) or synapses <= backend.cost.most_synapses
            (fitting if fits else too_large).append(name)
    return fitting, too_large


def check_simulator(backend: Backend, network: SpikingNetwork, *, force: bool = False) -> None:
    """Raise an error if the simulator cannot run this network: UnsupportedError names every part and who can.

    TooLargeError if the network is too large for it, unless forced. Starts nothing.
    """
    backend.capabilities.check(backend.name, network, all_capabilities())
    if isinstance(backend, Costly):
        check_size(backend.name, network, backend.cost, force=force)


def check_record(backend: Backend, record: Record) -> None:
    """UnsupportedError if the simulator cannot record what is asked for: it names what, and who can."""
    asked = {RECORDED_SPIKES: record.spikes, RECORDED_POTENTIALS: record.potentials}
    lacking = {feature for feature, names in asked.items() if names} - backend.capabilities.features
    if lacking:
        offenders = [Unsupported("this run", feature.words) for feature in asked if feature in lacking]
        able = recording_simulators(lacking)
        raise UnsupportedError(f"backend '{backend.name}'", offenders, hint=f"simulator = {' or '.join(able)} can")


def recording_simulators(recordings: Set[Feature]) -> list[str]:
    """The simulators, installed or not, that record all of these."""
    return [name for name, capabilities in all_capabilities().items() if recordings <= capabilities.features]


def check_exporter(exporter: Exporter, network: SpikingNetwork) -> None:
    """UnsupportedError if the exporter cannot write this network: it names every part, and who can."""
    try:
        exporter.capabilities.check(exporter.name, network)
    except UnsupportedError as error:
        others = [n for n, c in exporter_capabilities().items() if n != exporter.name and not c.missing(network)]
        hints = [f"export --to {' or '.join(others)} takes all of these"] if others else []
        hint = ", or ".join([*hints, error.hint or ""])
        raise UnsupportedError(f"backend '{exporter.name}'", error.offenders, hint=hint) from None


def notes_of(backend: Backend, options: Mapping[str, Any]) -> tuple[str, ...]:
    """What there is to know of a simulator's results with these options."""
    return backend.notes(**options) if isinstance(backend, HasNotes) else ()


def build_network(
    backend: Backend, network: SpikingNetwork, options: Mapping[str, Any] | None = None, *, force: bool = False
) -> Executable:
    """The network on the simulator; `force` also where it is estimated to be too large. Errors as `check`."""
    backend.capabilities.check(backend.name, network, all_capabilities())
    options = dict(options or {})
    with bar(f"Building on {backend.name}"):
        try:
            return backend.build(network, **options)
        except TooLargeError:
            # Only a simulator that refuses a size has the option to take it all the same.
            if not force:
                raise
            return backend.build(network, **{**options, "force": True})


def announce(executable: Executable, samples: int) -> None:
    """Tell a simulator that prepares ahead how many samples all runs together are going to have."""
    if isinstance(executable, PreparesAhead):
        executable.expect(samples)
