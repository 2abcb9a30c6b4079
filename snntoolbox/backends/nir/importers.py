"""What importers of NIR will make of a network: their rules for neurons, and how far they agree with ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from snntoolbox.errors import Unsupported, UnsupportedError
from snntoolbox.ir.interpreter import interpret
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.neurons import IF, Reset
from snntoolbox.ir.node import Array
from snntoolbox.ir.result import Record, Result

MOST_SPIKES = 32
"""Spikes of one step that are followed where an importer lets a neuron fire several times."""

HIGHEST = 1e30
"""No bound: no simulator's number is larger."""

RECORD = Record(spikes=True)

FITTING = "[cell] reset = zero with [conversion] initial_potential = 0, in Python IF(reset='zero', initial=0.0)"
SEVERAL = (
    "[cell] levels = [1, 2, 3, 4] and v_limits = [-1, 1000] with [conversion] initial_potential = 0, in Python "
    "IF(levels=(1, 2, 3, 4), saturation=(-1, 1000), initial=0.0): as many levels as it may fire in a step"
)
_ALSO = {
    "a reset to a potential": "[cell] reset = subtract",
    "a leak, which it has by an equation of its own": "[cell] leak = False",
    "synaptic currents": "[cell] tau_syn_E = 0.01 and tau_syn_I = 0.01",
    "several spikes in a step": "[cell] levels = [1]",
    "potentials that saturate": "no [cell] v_limits",
    "thresholds that differ": "[conversion] weight_bits = 0",
}
"""Settings that some networks need beside those that fit an importer."""


@dataclass(frozen=True, kw_only=True)
class Importer:
    """Rules that importers follow: `libraries` are those that were seen to, with the neuron that does the same.

    `uniform`: that neuron is only known where all thresholds of a layer are the same. `strict`: it fires above the
    threshold alone. `misfits`: why no threshold gives a neuron's spikes by these rules, and `fitting` settings of
    networks where one does.
    """

    libraries: str
    rules: str
    neuron: Callable[[IF], IF]
    misfits: Callable[[IF], Mapping[str, bool]]
    fitting: str
    uniform: bool = False
    strict: bool = False


def _to_zero(neuron: IF) -> IF:
    return replace(neuron, reset=Reset.ZERO, initial=0.0, levels=(1.0,), saturation=None)


def _above(neuron: IF) -> IF:
    """V > threshold is V >= the next number above it."""
    return replace(_to_zero(neuron), threshold=np.nextafter(np.asarray(neuron.threshold, np.float64), np.inf))


def _several(neuron: IF) -> IF:
    """Several spikes in a step, each taking a threshold away; no potential falls below minus the threshold."""
    lowest = -float(np.max(neuron.threshold))
    levels = tuple(float(n) for n in range(1, MOST_SPIKES + 1))
    return replace(
        neuron, reset=Reset.SUBTRACT, reset_potential=0.0, initial=0.0, levels=levels, saturation=(lowest, HIGHEST)
    )


def _no_reset_to_zero(neuron: IF) -> dict[str, bool]:
    return {
        "reset by subtraction": neuron.reset is not Reset.ZERO,
        "a start potential other than 0": bool(np.any(neuron.initial)),
        "a leak, which it has by an equation of its own": neuron.leak != 1,
        "synaptic currents": any(neuron.synaptic),
        "several spikes in a step": len(neuron.levels) > 1,
        "potentials that saturate": neuron.saturation is not None,
    }


def _no_one_threshold(neuron: IF) -> dict[str, bool]:
    return {**_no_reset_to_zero(neuron), "thresholds that differ": bool(np.ptp(neuron.threshold))}


def _no_several(neuron: IF) -> dict[str, bool]:
    low, high = neuron.saturation or (-HIGHEST, HIGHEST)
    spikes = range(1, len(neuron.levels) + 1)
    return {
        "a reset to a potential": neuron.reset is not Reset.SUBTRACT,
        "a start potential other than 0": bool(np.any(neuron.initial)),
        "a leak, which it has by an equation of its own": neuron.leak != 1,
        "synaptic currents": any(neuron.synaptic),
        "one spike in a step at most": len(neuron.levels) == 1,
        "spikes of other values than 1, 2, 3, ...": tuple(neuron.levels) != tuple(map(float, spikes)),
        "potentials that may fall below minus the threshold": low < -float(np.min(neuron.threshold)),
        "potentials that end above minus the threshold": low > -float(np.max(neuron.threshold)),
        "potentials that end where spikes are counted": high < (len(spikes) + 1) * float(np.max(neuron.threshold)),
    }


IMPORTERS: Mapping[str, Importer] = {
    "norse": Importer(
        libraries="Norse 1.1",
        rules="reset to v_reset, spikes where V > v_threshold",
        neuron=_above,
        misfits=_no_reset_to_zero,
        fitting=FITTING,
        strict=True,
    ),
    "spikingjelly": Importer(
        libraries="SpikingJelly 2.0",
        rules="reset to v_reset, spikes where V >= v_threshold",
        neuron=_to_zero,
        misfits=_no_one_threshold,
        fitting=FITTING,
    ),
    "sinabs": Importer(
        libraries="sinabs 3.1",
        rules="several spikes a step, each subtracting, V not below -v_threshold",
        neuron=_several,
        misfits=_no_several,
        fitting=f"{SEVERAL}; or export it as a module of sinabs: --to sinabs",
        uniform=True,
    ),
}


def written_for(network: SpikingNetwork, name: str) -> SpikingNetwork:
    """The network whose spikes are ours by an importer's rules; UnsupportedError names every layer that has none.

    Where it fires above the threshold alone, thresholds are lower: by half a unit of the grid, or by as little as
    float32 can be.
    """
    importer = IMPORTERS[name]
    neurons = {p.label: importer.misfits(_plain(p.neuron)) for p in network.populations.values()}
    reasons = {label: ", ".join(why for why, holds in found.items() if holds) for label, found in neurons.items()}
    offenders = [Unsupported(label, why) for label, why in reasons.items() if why]
    if offenders:
        also = [way for why, way in _ALSO.items() if any(found.get(why) for found in neurons.values())]
        raise UnsupportedError(f"NIR for {name}", offenders, hint=", and ".join([*also, importer.fitting]))
    if not importer.strict:
        return network
    lower = [
        replace(p, neuron=replace(_plain(p.neuron), threshold=_below(_plain(p.neuron), network.grid is not None)))
        for p in network.populations.values()
    ]
    return network.replaced(populations=lower, grid=None)


def _below(neuron: IF, grid: bool) -> Array:
    threshold = np.asarray(neuron.threshold, np.float64)
    if grid:
        return threshold - 0.5
    return np.nextafter(threshold.astype(np.float32), np.float32(-np.inf)).astype(np.float64)


def agreements(
    network: SpikingNetwork, x: tuple[Array, ...], steps: int, written: SpikingNetwork | None = None
) -> dict[str, Any]:
    """For each importer: the share of equal cells of the rasters, spikes, equal classes; {} without samples.

    `written` is the network in the file where that has other thresholds.
    """
    if not x or not len(x[0]):
        return {}
    ours = interpret(network, *x, steps=steps, record=RECORD)
    differ = any(np.ptp(_plain(p.neuron).threshold) for p in network.populations.values())
    slow = any(any(_plain(p.neuron).synaptic) for p in network.populations.values())
    found: dict[str, Any] = {}
    for name, importer in IMPORTERS.items():
        found[name] = {"rules": importer.rules}
        if slow or (importer.uniform and differ):
            found[name]["not measured"] = "synaptic currents" if slow else "thresholds differ within a layer"
            continue
        theirs = interpret(as_imported(written or network, importer), *x, steps=steps, record=RECORD)
        found[name] |= {
            "samples": len(x[0]),
            "steps": steps,
            "cells that agree": _cells(theirs, ours),
            "spikes, ours": _spikes(ours),
            "spikes, theirs": _spikes(theirs),
            "classes that agree": _classes(theirs, ours),
        }
    return found


def as_imported(network: SpikingNetwork, importer: Importer) -> SpikingNetwork:
    """The network with the neurons that an importer makes of it."""
    populations = [replace(p, neuron=importer.neuron(_plain(p.neuron))) for p in network.populations.values()]
    return network.replaced(populations=populations)


def _plain(neuron: Any) -> IF:
    assert isinstance(neuron, IF)
    return neuron


def _cells(theirs: Result, ours: Result) -> float:
    same = sum(int((theirs.spikes[n] == spikes).sum()) for n, spikes in ours.spikes.items())
    return same / max(sum(spikes.size for spikes in ours.spikes.values()), 1)


def _spikes(result: Result) -> int:
    return int(sum(counts.sum() for counts in result.counts.values()))


def _classes(theirs: Result, ours: Result) -> float | None:
    return float(np.mean(theirs.predictions == ours.predictions)) if ours.head.decides else None


def text_of_agreements(network: SpikingNetwork, measured: Mapping[str, Any]) -> str:
    """What the file is, and what who reads it will do, in Markdown."""
    lines = [
        "# What readers make of network.nir",
        "",
        "NIR says neither that a spike subtracts its threshold, nor where potentials start. snntoolbox reads both, and",
        "more, from the metadata of the file; importers that know nothing of them follow rules of their own.",
        "",
    ]
    if not measured:
        return "\n".join([*lines, "No samples were given to measure by.", ""])
    one = next((found for found in measured.values() if "samples" in found), None)
    lines += [
        f"Measured on {one['samples']} samples, {one['steps']} steps, by the rules that each was seen to follow:"
        if one
        else "None was measured:",
        "",
        "| importer | its rules | equal cells of rasters | spikes, theirs / ours | equal classes |",
        "|---|---|--:|--:|--:|",
    ]
    return "\n".join([*lines, *(_row(IMPORTERS[name].libraries, found) for name, found in measured.items()), ""])


def _row(libraries: str, found: Mapping[str, Any]) -> str:
    """The line of an importer."""
    if "not measured" in found:
        return f"| {libraries} | {found['rules']} | not measured: {found['not measured']} | | |"
    classes = found["classes that agree"]
    told = "-" if classes is None else f"{classes:.1%}"
    spikes = f"{found['spikes, theirs']:,} / {found['spikes, ours']:,}"
    return f"| {libraries} | {found['rules']} | {found['cells that agree']:.2%} | {spikes} | {told} |"
