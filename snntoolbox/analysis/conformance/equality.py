"""Compares two networks by all that a run of them follows from: what is read back with what was written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from snntoolbox.ir.network import SpikingNetwork

_POPULATION = ("shape", "neuron", "bias", "pulses")
_READOUT = ("shape", "bias", "scale", "start")
"""The parts of each that its run follows from; names are compared beside them."""

_TOLERANCE = 1e-6
"""Of numbers that were written in single precision."""


def differences(network: SpikingNetwork, original: SpikingNetwork, *, exact: bool = True) -> Iterator[str]:
    """What of a network is not as in the original, in words; numbers within rounding where not `exact`."""
    yield from _unlike("the time step", network.dt, original.dt, exact)
    yield from _unlike("the schedule", network.schedule, original.schedule, exact)
    yield from _keyed("input", _inputs(network), _inputs(original), exact)
    yield from _keyed("population", _populations(network), _populations(original), exact)
    yield from _keyed("read-out", _readouts(network), _readouts(original), exact)
    for what, names in {"inputs": _inputs, "read-outs": _readouts}.items():  # arrays and predictions go by their order
        if (ours := [*names(network)]) != (theirs := [*names(original)]):
            yield f"the {what} are in the order {', '.join(ours)}, not {', '.join(theirs)}"
    yield from _projections(network, original, exact)


def _inputs(network: SpikingNetwork) -> dict[str, Any]:
    return dict(network.encodings)


def _populations(network: SpikingNetwork) -> dict[str, dict[str, Any]]:
    return {name: _parts(population, _POPULATION) for name, population in network.populations.items()}


def _readouts(network: SpikingNetwork) -> dict[str, dict[str, Any]]:
    return {readout.name: _parts(readout, _READOUT) for readout in network.readouts}


def _parts(item: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(item, name) for name in names}


def _keyed(what: str, items: Mapping[str, Any], original: Mapping[str, Any], exact: bool) -> Iterator[str]:
    """Differences of things that have names."""
    for name in sorted(items.keys() ^ original.keys()):
        yield f"{what} '{name}' is {'missing' if name in original else 'new'}"
    for name in original:
        if name in items:
            yield from _unlike(f"{what} '{name}'", items[name], original[name], exact)


def _projections(network: SpikingNetwork, original: SpikingNetwork, exact: bool) -> Iterator[str]:
    """Differences of the wiring, as synapses: any nodes that come to the same are the same."""
    ours, theirs = _synapses(network), _synapses(original)
    for pair in sorted(ours.keys() ^ theirs.keys()):
        yield f"{_way(*pair)} is {'missing' if pair in theirs else 'new'}"
    for pair in (p for p in theirs if p in ours):
        yield from _unlike(_way(*pair), ours[pair], theirs[pair], exact)


def _way(source: str, target: str, lag: int) -> str:
    return f"the projection from '{source}' to '{target}'" + (f", {lag} steps later," if lag else "")


def _synapses(network: SpikingNetwork) -> dict[tuple[str, str, int], sp.csr_array]:
    """Those of each source, target and lag that has any."""
    each = {(p.source, p.target, p.lag): p.synapses() for p in network.projections}
    return {pair: matrix for pair, matrix in each.items() if matrix.count_nonzero()}


def _unlike(what: str, value: Any, original: Any, exact: bool) -> Iterator[str]:
    """The difference of two values, named by its place in them; arrays that broadcast to each other can be equal."""
    if is_dataclass(original) and type(value) is type(original):
        names = tuple(f.name for f in fields(original))
        value, original = _parts(value, names), _parts(original, names)
    if isinstance(original, tuple) and any(map(is_dataclass, original)) and len(value) == len(original):
        value, original = dict(enumerate(value)), dict(enumerate(original))
    if isinstance(original, Mapping) and isinstance(value, Mapping) and value.keys() == original.keys():
        for key in original:
            yield from _unlike(f"{key} of {what}", value[key], original[key], exact)
    elif not _same(value, original, exact):
        yield f"{what} is {_shown(value)}, not {_shown(original)}"


def _same(value: Any, original: Any, exact: bool) -> bool:
    if isinstance(original, sp.csr_array) and isinstance(value, sp.csr_array):
        return value.shape == original.shape and _numbers_same(value - original, abs(original).max(), exact)
    if _number(value) and _number(original):
        first, second = (np.asarray(0.0 if v is None else v, float) for v in (value, original))
        try:
            return _numbers_same(first - second, np.abs(second).max(initial=0.0), exact)
        except ValueError:  # shapes that do not broadcast
            return False
    return bool(value == original)


def _numbers_same(difference: Any, largest: float, exact: bool) -> bool:
    return bool(abs(difference).max() <= (0.0 if exact else _TOLERANCE * max(largest, 1.0)))


def _number(value: Any) -> bool:
    """Whether it is a number or an array of them; None is none of a bias, which is 0."""
    return value is None or isinstance(value, int | float | np.ndarray | np.generic)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 and "\n" not in text else f"another {type(value).__name__}"
