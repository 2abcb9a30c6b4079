"""Checks that a simulator can take a network and builds it there: what it can run, how large it may be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from snntoolbox.backends.estimates import Cost, check_size, network_size
from snntoolbox.backends.protocol import Backend, Executable
from snntoolbox.backends.registry import backend_named, backend_names
from snntoolbox.errors import BackendError, TooLargeError
from snntoolbox.ir.capabilities import Capabilities
from snntoolbox.ir.network import SpikingNetwork


def all_capabilities() -> dict[str, Capabilities]:
    """What each simulator can run, by name, installed or not; a plug-in that cannot be loaded is left out."""
    found = {}
    for name in backend_names():
        try:
            found[name] = backend_named(name).capabilities
        except BackendError:
            continue
    return found


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
            cost: Cost | None = getattr(backend, "cost", None)
            fits = force or cost is None or synapses <= cost.most_synapses
            (fitting if fits else too_large).append(name)
    return fitting, too_large


def check_simulator(backend: Backend, network: SpikingNetwork, *, force: bool = False) -> None:
    """Raise an error if the simulator cannot run this network: UnsupportedError names every part and who can.

    TooLargeError if the network is too large for it, unless forced. Starts nothing.
    """
    backend.capabilities.check(backend.name, network, all_capabilities())
    cost: Cost | None = getattr(backend, "cost", None)
    if cost is not None:
        check_size(backend.name, network, cost, force=force)


def build_network(
    backend: Backend, network: SpikingNetwork, options: Mapping[str, Any] | None = None, *, force: bool = False
) -> Executable:
    """The network on the simulator; `force` also where it is estimated to be too large. Errors as `check`."""
    backend.capabilities.check(backend.name, network, all_capabilities())
    options = dict(options or {})
    try:
        return backend.build(network, **options)
    except TooLargeError:
        # Only a simulator that refuses a size has the option to take it all the same.
        if not force:
            raise
        return backend.build(network, **{**options, "force": True})
