"""Chooses the scale of least squared error for a given number of steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from snntoolbox.conversion.thresholds.comparisons import Comparisons
from snntoolbox.conversion.thresholds.thresholds import Choice, Scales, activation_histograms, chosen_scales
from snntoolbox.conversion.thresholds.unseen import FROM_LEVELS, room_for_unseen
from snntoolbox.errors import ConversionError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Array, LinearNode, Node
from snntoolbox.ir.nodes import ReLU, Tabulated

if TYPE_CHECKING:
    from snntoolbox.engine.histograms import ChannelHistogram

GRID = np.geomspace(0.03, 1.0, 120)
"""The activations at the fastest rate that are tried, as shares of the largest activation."""

SMALLER = np.geomspace(0.003, 0.0291, 78)
"""More of them where samples count alike: some may be far larger than the rest."""

FACTORS = np.geomspace(0.5, 64.0, 200)
"""Scales of inverse roots that are tried, as multiples of that of the mean of all mean squares."""

MOST_LEVELS = 255
"""With more levels nothing saturates that mattered, and the scale is that for so many."""

FEWEST = 8
"""Fewer samples do not tell what others would say."""

_FEW = 10
"""A value takes about so much less time to be rounded for a scale than to find where a number of spikes begins."""

SLOWER = np.geomspace(1.03, 8.0, 60)
"""More of them for neurons with a refractory period, whose rates bend less the lower they are."""


@dataclass(frozen=True)
class MMSEThresholds:
    """Scale = the s of least ``sum (a - s / T clip(floor(T a / s + v0), 0, T))^2`` over the activations a.

    The bracket is what a neuron with threshold s and start potential v0 s sends in T = `steps` steps for a constant
    current a. At few steps a smaller scale saturates more often and rounds finer. (Li et al. 2021, eq. 12 and its
    grid search; here with v0, per channel, from streamed histograms.) `initial` is v0, in thresholds. Neurons that are
    `refractory` for k steps fire n times where ``a / s >= (n - v0) / (T - k (n - 1))``, at most once in k + 1 steps:
    what is chosen is the activation s / (k + 1) at that rate.

    Where values of the mean square v are divided by ``sqrt(v + epsilon)``, what is chosen is the scale of the factor
    with the least error of the products, so an error counts v times: rows that are almost empty have the largest
    factors, and these matter least.

    Rectifiers named in `own` have so many steps in the place of T.

    With `alike` no few samples decide for all, however large their activations are (`SampleWeights`); the values of a
    layer that is only read through max pooling are the maxima, and rectifiers that compare get its scale, see
    `Comparisons`. There too, with many levels, scales have room for values above those of the samples, as much as pays
    from one half of them to the other (`room_for_unseen`).
    """

    steps: int
    initial: float = 0.5
    refractory: int = 0
    per_channel: bool = True
    batch_size: int = 100
    alike: bool = False
    own: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.steps < 1 or not 0 <= self.initial <= 1:
            raise ConversionError(
                f"thresholds of least squared error for {self.steps} steps and a start at {self.initial} thresholds",
                hint="at least 1 step, and a start from 0 to 1",
            )

    def __call__(self, graph: Graph, x: Sequence[Array], progress: Callable[[int], None] | None = None) -> Scales:
        """The scales for calibration data `x`, one array per input."""
        comparisons = Comparisons.of(graph) if self.alike else None
        inverse = {n: node.inputs[0] for n, node in graph.nodes.items() if _divides(node)}
        rectifiers = [n for n, node in graph.nodes.items() if isinstance(node, ReLU)]
        read: Mapping[str, str] = {}
        if comparisons:
            rectifiers, read = [n for n in rectifiers if n not in comparisons.sources], comparisons.read
        places = {name: inverse.get(name, read.get(name, name)) for name in rectifiers}
        roomy = self.alike and max([self.steps, *self.own.values()]) >= FROM_LEVELS and len(x[0]) >= FEWEST
        parts = activation_histograms(graph, x, self.batch_size, progress, self.alike, places, 2 if roomy else 1)
        histograms: dict[str, ChannelHistogram] = {}
        choices: dict[str, Choice] = {}
        for name in rectifiers:
            each = parts.pop(name)  # halves go when their layer is done: they take as much memory again
            histograms[name] = whole = each[0] if len(each) == 1 else each[0].joined(each[1])
            one = replace(self, steps=self.own[name]) if name in self.own else self
            if name in inverse:
                choices[name] = partial(one.choose_inverse, epsilon=_added(graph.nodes[inverse[name]]))
            else:
                choices[name] = one.with_room(each, whole) if roomy and one.steps >= FROM_LEVELS else one.choose
        chosen = chosen_scales(graph, histograms, choices.__getitem__, self.per_channel)
        return comparisons.tied(graph, chosen) if comparisons else chosen

    def with_room(self, halves: Sequence[ChannelHistogram], whole: ChannelHistogram) -> Choice:
        """The choice of scales that leave room for what calibration samples did not show: see `room_for_unseen`."""
        layer = float(self.choose(whole.pooled())[0])
        room = room_for_unseen(halves, self.choose, self._errors, layer)
        return lambda histogram: room.of(self.choose(histogram))

    def _errors(self, values: Array, weights: Array, tried: Array) -> Array:
        scales = tried * (1 + self.refractory)
        return squared_errors(values, weights, scales, self._levels, self.initial, self.refractory)

    @property
    def _levels(self) -> int:
        return min(self.steps, MOST_LEVELS) if self.alike else self.steps

    def choose_inverse(self, squares: ChannelHistogram, epsilon: float) -> Array:
        """The scale of the inverse root of mean squares plus epsilon that is best for what is multiplied with it."""
        centres, scales = squares.centres(), np.zeros(len(squares.counts))
        for channel, counts in enumerate(squares.counts.numpy()):
            filled = np.flatnonzero(counts)[::-1]
            filled = filled[filled > 0] if filled.any() else filled  # what is in the first bin is next to nothing
            if len(filled):
                mean = centres[channel, filled]
                tried = FACTORS / np.sqrt(np.average(mean, weights=counts[filled]))
                weights = counts[filled] * np.maximum(mean - epsilon, 0)
                error = squared_errors(mean**-0.5, weights, tried, self._levels, self.initial)
                scales[channel] = tried[error.argmin()]
        return scales

    def choose(self, histogram: ChannelHistogram) -> Array:
        """The best scale of each channel, 0 for one that never fired."""
        centres = histogram.centres()
        scales = np.zeros(len(centres))
        shares = np.concatenate([SMALLER if self.alike else [], GRID, SLOWER if self.refractory else []])
        for channel, counts in enumerate(histogram.counts.numpy()):
            filled = np.flatnonzero(counts)
            if len(filled):
                tried = shares * float(histogram.maximum[channel])
                error = self._errors(centres[channel, filled], counts[filled], tried)
                scales[channel] = tried[error.argmin()]
        return scales


def _divides(node: Node) -> bool:
    return isinstance(node, Tabulated) and node.function == "inverse_root"


def _added(mean: Node) -> float:
    """What a node adds to all its values."""
    return float(np.max(mean.bias)) if isinstance(mean, LinearNode) and mean.bias is not None else 0.0


def squared_errors(
    values: Array, weights: Array, scales: Array, steps: int, initial: float, refractory: int = 0
) -> Array:
    """The weighted sum of ``(a - s / T clip(floor(T a / s + v0), 0, T))^2`` over ascending `values` a for each scale s.

    With m_n the weight and a_n the weighted sum of the values that make at least n spikes, those from
    ``s (n - v0) / T`` on, it is ``sum w a^2 + sum_n ((2 n - 1) (s / T)^2 m_n - 2 (s / T) a_n)``. In place of T in the
    former, neurons that are `refractory` for k steps have the steps ``T - k (n - 1)`` that the spikes before leave.
    Where there are few values for so many n, each is rounded in its turn, which is quicker.
    """
    most = min(-(-steps // (1 + refractory)), int(np.ceil(steps * values[-1] / scales.min() + initial)))
    if not refractory and len(values) <= _FEW * most:
        return _rounded_errors(values, weights, scales, steps, initial)
    spikes = np.arange(1, most + 1)
    first_rates = (spikes - initial) / (steps - refractory * (spikes - 1))
    weight = np.concatenate([np.cumsum(weights[::-1], dtype=np.float64)[::-1], [0.0]])
    first = np.concatenate([np.cumsum((weights * values)[::-1])[::-1], [0.0]])
    one = scales[:, None] / steps
    from_here = np.searchsorted(values, scales[:, None] * first_rates)
    terms = (2 * spikes - 1) * one**2 * weight[from_here] - 2 * one * first[from_here]
    return np.asarray(np.sum(weights * values**2) + terms.sum(axis=1))


def _rounded_errors(values: Array, weights: Array, scales: Array, steps: int, initial: float) -> Array:
    """The same as it stands, value by value."""
    sent = values * (steps / scales)[:, None]
    sent += initial
    np.minimum(np.floor(sent, out=sent), steps, out=sent)
    sent *= (scales / steps)[:, None]
    sent -= values
    return np.asarray(np.square(sent, out=sent) @ weights)
