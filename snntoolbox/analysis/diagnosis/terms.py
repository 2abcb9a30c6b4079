"""The equation of the diagnosis: the error of a rate as a sum of what caused it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from snntoolbox.errors import GraphError
from snntoolbox.ir.counting import Counting
from snntoolbox.ir.neurons import IF, Neuron
from snntoolbox.ir.node import Array
from snntoolbox.ir.tabulating import Table

CLIPPING, QUANTISATION, PROPAGATED = "clipping", "quantisation", "propagated"
SAMPLING, UNEVENNESS = "sampling", "unevenness"
WINDOW, CORRECTION = "window", "correction"

LOCAL = (CLIPPING, QUANTISATION, SAMPLING, UNEVENNESS)
"""What a layer adds itself; the rest it has from the layers before it."""

TOLERANCE = 1e-6
"""The terms must add up to the error to this share of the scale."""

TIE = 1e-6
"""Spikes: a float drive this close below a threshold counts as on it, as rounding decides there."""

_ANY = frozenset({"threshold", "initial", "reset_potential"})
"""Fields of `IF` that the equation holds for whatever they are."""

_SUMMED = frozenset({"window", "latched", "contraction", "table"})

_IN_WINDOWS: Mapping[Counting, frozenset[str]] = {
    Counting.ONE: _SUMMED,
    Counting.DIGIT: _SUMMED | {"counting", "ends"},
    Counting.LEAD: _SUMMED | {"counting", "reset"},  # to 0: it fires once, and that says its sum
}
"""Fields of `IF` that windows have, in which a count is the sum in levels, or a table's at it."""

_COUNTED = frozenset(
    {"reset", "leak", "synaptic", "latched", "refractory", "window", "counting", "levels", "negative", "saturation"}
    | {"contraction", "table", "ends"}
)
"""Fields of `IF` that change when spikes come or what they are worth, with counts that tell their sum."""


def undefined(neuron: Neuron, *, scheduled: bool = False) -> str:
    """Why the split is not defined for a neuron; empty where it is.

    It asks for integration without loss: reset by subtraction, and every other field as in a plain neuron. In a
    network with a schedule, whose rates are counted in windows, a neuron may have one, whatever a spike counts in it.
    """
    if not isinstance(neuron, IF):
        return f"{type(neuron).__name__} does not integrate a current"
    changed = _changed(neuron) - _ANY - (_IN_WINDOWS[neuron.counting] if scheduled else set())
    return ", ".join(f"{name} = {getattr(neuron, name)}" for name in sorted(changed))


def opaque(neuron: Neuron) -> bool:
    """Whether a spike may stand for something else than one threshold, by a field that this module does not know."""
    return isinstance(neuron, IF) and bool(_changed(neuron) - _ANY - _COUNTED)


def _changed(neuron: IF) -> set[str]:
    """The fields that differ from those of a plain neuron, which integrates without loss."""
    plain = type(neuron)()
    return {f.name for f in fields(neuron) if not np.array_equal(getattr(neuron, f.name), getattr(plain, f.name))}


@dataclass(frozen=True, eq=False, kw_only=True)
class Layer:
    """What one layer did to a batch, arrays (samples, *shape) in the user's units.

    activation: of the analogue network, a. drive: its value before the rectifier, z. mean_drive: what the spiking
    neurons got instead, averaged over the steps. expected_drive: the same with the expected value of random input
    trains in place of the trains drawn; None without such input. counts: spikes fired in `steps` steps. `scale`
    (theta) is the activation that one spike per step stands for, `initial` (v0) the start potential in thresholds, and
    `table` what counts are read from, where they are. `most` is the largest count, T = `steps` unless a layer has a
    window of its own. Where several neurons say each value, `counts` are their mean, and `others` the start potentials
    and tables of all but the first.
    """

    activation: Array
    drive: Array
    mean_drive: Array
    counts: Array
    steps: int
    most: int
    scale: Array
    initial: Array | float
    expected_drive: Array | None = None
    table: Table | None = None
    tie: float = TIE
    others: tuple[tuple[Array | float, Table | None], ...] = ()


def quantised(layer: Layer, drive: Array) -> Array:
    """``theta / T * clip(floor(T z / theta + v0), 0, most)``: the rate times scale of a neuron with an even drive z.

    With a table what that has at the floor, theta being that of its input. Of several neurons for each value the mean.
    """
    counts = [_counts(layer, drive, *each) for each in ((layer.initial, layer.table), *layer.others)]
    return np.asarray(layer.scale / layer.steps * (counts[0] if len(counts) == 1 else np.mean(counts, axis=0)))


def _counts(layer: Layer, drive: Array, initial: Array | float, table: Table | None) -> Array:
    theta = layer.scale if table is None else table.input_scale(drive.ndim - 1)
    spikes = np.floor(layer.steps * drive / theta + initial + layer.tie)
    return np.asarray(np.clip(spikes if table is None else table.read(spikes), 0, layer.most))


def clipping(layer: Layer) -> Array:
    """c - a with c = min(a, most theta / T): no neuron fires more than once per step."""
    return _clipped(layer) - layer.activation


def _clipped(layer: Layer) -> Array:
    return np.asarray(np.minimum(layer.activation, layer.scale * (layer.most / layer.steps)))


def quantisation(layer: Layer) -> Array:
    """q - c: in T steps there are only T + 1 rates."""
    return quantised(layer, layer.drive) - _clipped(layer)


def propagated(layer: Layer) -> Array:
    """q' - q: the drive differs from the analogue one, because of the layers before."""
    expected = layer.mean_drive if layer.expected_drive is None else layer.expected_drive
    return quantised(layer, expected) - quantised(layer, layer.drive)


def sampling(layer: Layer) -> Array:
    """What the random input trains that were drawn add to their expected value; zero without such input."""
    if layer.expected_drive is None:
        return np.zeros_like(layer.mean_drive)
    return quantised(layer, layer.mean_drive) - quantised(layer, layer.expected_drive)


def unevenness(layer: Layer) -> Array:
    """r - q': spikes that came unevenly, so that some were fired too early to be taken back, or came too late."""
    return np.asarray(layer.counts * (layer.scale / layer.steps) - quantised(layer, layer.mean_drive))


def error(layer: Layer) -> Array:
    """r - a: the rate times its scale, less the activation."""
    return np.asarray(layer.counts * (layer.scale / layer.steps) - layer.activation)


def split(layer: Layer, label: str) -> dict[str, Array]:
    """The terms that add up to `error`, which is checked; GraphError where they do not.

    r - a = (c - a) + (q - c) + (q_e - q) + (q' - q_e) + (r - q')
    """
    terms = {
        CLIPPING: clipping(layer),
        QUANTISATION: quantisation(layer),
        PROPAGATED: propagated(layer),
        UNEVENNESS: unevenness(layer),
    }
    if layer.expected_drive is not None:
        terms[SAMPLING] = sampling(layer)
    check_sum(terms, error(layer), float(np.max(layer.scale)), label)
    return terms


def check_sum(terms: Mapping[str, Array], total: Array, scale: float, label: str) -> None:
    """GraphError where the terms do not add up to the total, to 1e-6 of the scale (or of the largest value)."""
    rest = np.abs(np.sum(list(terms.values()), axis=0) - total).max(initial=0.0)
    allowed = TOLERANCE * max(scale, float(np.abs(total).max(initial=0.0)))
    if not rest <= allowed:  # NaN is no agreement
        raise GraphError(
            f"the terms of its error leave {rest:.2g} over, more than {allowed:.2g}",
            layer=label,
            hint="this is a defect of snntoolbox: please report the model; [output] diagnosis = False runs without",
        )
