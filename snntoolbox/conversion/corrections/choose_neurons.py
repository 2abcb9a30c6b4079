"""Chooses how many neurons say each value of a layer: the fewest with which a network loses little accuracy."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from snntoolbox.conversion.corrections.choose import output_errors
from snntoolbox.conversion.corrections.choose_in_turn import original_outputs
from snntoolbox.conversion.lowering.shared_values import share_values
from snntoolbox.conversion.thresholds.comparisons import Comparisons
from snntoolbox.conversion.thresholds.thresholds import Scales
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.head import Head
from snntoolbox.ir.node import Array
from snntoolbox.ir.nodes import ReLU
from snntoolbox.ir.progress import counted

log = logging.getLogger(__name__)

COUNTS = (1, 2, 4)
"""The numbers of neurons for a value that are tried."""

HELD = 256
"""At most so many samples judge."""

FEWEST_HELD = 32
"""With fewer nothing is chosen."""


class More(NamedTuple):
    """A layer, or several that are compared, with `neurons` for each value, and what each neuron more saves."""

    layers: tuple[str, ...]
    neurons: int
    saves: float


@dataclass(frozen=True, kw_only=True)
class NeuronsChoice:
    """How many neurons the values of each layer have, where these are several, and what that was chosen by.

    `before` is the loss that is expected with one neuron for each value, `loss` that with those chosen, `allowed` what
    it was to be at most; `neurons_before` and `neurons` are how many the network has, `most` how many it may have, if
    that was said. `held` samples judged.
    """

    layers: Mapping[str, int]
    before: float
    loss: float
    allowed: float
    neurons_before: int
    neurons: int
    most: float
    held: int

    @property
    def reached(self) -> bool:
        """Whether no more is lost than is allowed."""
        return self.loss <= self.allowed

    def data(self) -> dict[str, Any]:
        """For a report."""
        return {
            "neurons_per_value": dict(self.layers),
            "expected_loss": {"one_neuron": self.before, "chosen": self.loss, "allowed": self.allowed},
            "neurons": {"one_neuron": self.neurons_before, "chosen": self.neurons},
            "neurons_judged_on": self.held,
        }

    def __str__(self) -> str:
        told = f"expected loss {100 * self.before:.2f} points with one neuron for each value"
        if not self.layers:
            return f"{told}, which is little enough"
        layers = ", ".join(f"{name}: {count}" for name, count in self.layers.items())
        more = f"{self.neurons:,} neurons in place of {self.neurons_before:,}"
        short = "" if self.reached else f", more than {100 * self.allowed:g}"
        return f"{told}, {100 * self.loss:.2f}{short} with {more}; neurons for each value: {layers}"


@dataclass(frozen=True, kw_only=True)
class ChooseNeurons:
    """The pass, for windows of `levels` levels, to lose `allowed` at most with `most` times the neurons (0: any).

    What is judged are networks in whose rectifiers values are rounded to as many levels as their neurons tell apart,
    by one pass each, on samples that chose none of their thresholds. First each layer is rounded alone: what errors of
    the outputs (`output_errors`) that makes, e, falls to e / c^2 with c neurons, as steps of 1 / c leave squared errors
    of 1 / c^2. So a layer of N neurons saves ``3/4 e / N`` for each neuron more as it gets two for each value, and
    ``3/32 e / N`` as it gets four. Those that save most come first; and of these as few as keep to what is allowed, by
    halving (see `expected_losses`). Layers that are named in `own` have windows of so many levels.
    """

    levels: int
    allowed: float
    most: float = 0.0
    own: Mapping[str, int] = field(default_factory=dict)

    def __call__(
        self, graph: Graph, scales_of: Callable[[Graph, Sequence[Array]], Scales], x: Sequence[Array]
    ) -> tuple[Graph, NeuronsChoice | None]:
        """The graph whose nodes say how many neurons their values have, and the choice.

        The graph as it is, and None, where there are too few samples, or all rectifiers were trained with levels.
        """
        held = min(HELD, len(x[0]) // 3)
        groups = self._groups(graph)
        if held < FEWEST_HELD or not groups:
            log.warning("neurons_per_value = auto needs %d samples and rectifiers without levels", 3 * FEWEST_HELD)
            return graph, None
        trial = _Trial(self.levels, self.own, graph, scales_of, [a[:-held] for a in x], [a[-held:] for a in x])
        steps = self._affordable(graph, self._ranked(trial, groups))
        before = trial.loss({})
        few, many = 0, len(steps)
        found = {0: before, many: trial.loss(_said(steps)) if steps else before}
        while before > self.allowed and many - few > 1:
            middle = (few + many) // 2
            found[middle] = trial.loss(_said(steps[:middle]))
            few, many = (few, middle) if found[middle] <= self.allowed else (middle, many)
        taken = 0 if before <= self.allowed else many
        layers = _said(steps[:taken])
        shared = share_values(graph, tuple(layers.items()))
        choice = NeuronsChoice(
            layers=layers, before=before, loss=found[taken], allowed=self.allowed, neurons_before=neurons(graph),
            neurons=neurons(shared), most=self.most, held=held,
        )  # fmt: skip
        log.info("chosen: %s", choice)
        if not choice.reached:
            log.warning("%s: longer windows, or more neurons, lose less", choice)
        return shared, choice

    def _groups(self, graph: Graph) -> list[tuple[str, ...]]:
        """Rectifiers that may have more neurons, each with those that have as many as it."""
        compared = Comparisons.of(graph).sources
        free = [n for n in graph.nodes.values() if isinstance(n, ReLU) and n.levels is None and n.of_input]
        joined: dict[str, set[str]] = {n.name: {n.name} for n in free}
        for name, sources in compared.items():
            whole = set().union(*(joined.get(n, {n}) for n in (name, *sources)))
            joined |= dict.fromkeys(whole, whole)
        alike = {tuple(n for n in graph.nodes if n in group) for group in joined.values()}
        return [g for g in sorted(alike, key=lambda g: list(graph.nodes).index(g[0])) if {n.name for n in free} >= {*g}]

    def _ranked(self, trial: _Trial, groups: Sequence[tuple[str, ...]]) -> list[More]:
        steps = []
        for group in counted("Rounding each layer alone", groups):
            error, size = trial.error_of(group), sum(trial.graph.size(name) for name in group)
            for before, count in pairwise(COUNTS):
                saved = error * (before**-2 - count**-2) / (size * (count - before))
                steps.append(More(group, count, saved))
        return sorted(steps, key=lambda step: -step.saves)

    def _affordable(self, graph: Graph, steps: Sequence[More]) -> list[More]:
        """Those that the neurons suffice for, from the first on."""
        if not self.most:
            return list(steps)
        taken: list[More] = []
        for step in steps:
            if neurons(share_values(graph, tuple(_said([*taken, step]).items()))) <= self.most * neurons(graph):
                taken.append(step)
        return taken


def _said(steps: Sequence[More]) -> dict[str, int]:
    """How many neurons layers have then, by name."""
    found: dict[str, int] = {}
    for step in steps:
        found |= {name: max(step.neurons, found.get(name, 1)) for name in step.layers}
    return found


def neurons(graph: Graph) -> int:
    """How many neurons a lowered graph becomes."""
    return sum(graph.size(n.name) * n.neurons for n in graph.nodes.values() if isinstance(n, ReLU))


class _Trial:
    """The graph with rounded layers, on the samples held back."""

    def __init__(
        self,
        levels: int,
        own: Mapping[str, int],
        graph: Graph,
        scales_of: Callable[[Graph, Sequence[Array]], Scales],
        fitted: Sequence[Array],
        held: Sequence[Array],
    ) -> None:
        self.levels, self.own, self.graph, self.held = levels, own, graph, held
        every = [tuple((n.name, c) for n in graph.nodes.values() if isinstance(n, ReLU)) for c in COUNTS]
        self.scales = {c: scales_of(share_values(graph, p), fitted) for c, p in zip(COUNTS, every, strict=True)}
        self.wanted = original_outputs(graph, held)

    def loss(self, layers: Mapping[str, int]) -> float:
        """The loss that is expected where layers have so many neurons for each value, those not named one."""
        names = [n.name for n in self.graph.nodes.values() if isinstance(n, ReLU)]
        said = self._said({name: layers.get(name, 1) for name in names})
        pairs = zip(said, self.wanted, self.graph.heads, strict=True)
        return max(float(expected_losses(*pair).mean()) for pair in pairs)

    def error_of(self, group: Sequence[str]) -> float:
        """The error of the outputs where these layers alone are rounded, to what one neuron tells apart."""
        pairs = zip(self._said(dict.fromkeys(group, 1)), self.wanted, self.graph.heads, strict=True)
        return float(sum(output_errors(*pair, parts=4, any_scale=True).mean() for pair in pairs))

    def _said(self, counts: Mapping[str, int]) -> list[Array]:
        """What the outputs are where these layers are rounded to what so many neurons tell apart, others not."""
        nodes = {name: node for name in counts if isinstance(node := self.graph.nodes[name], ReLU)}
        rounded = []
        for name, node in nodes.items():
            count = max(counts[name], node.neurons)
            scale = self.scales[counts[name]][name]
            rounded.append(replace(node, max_value=np.asarray(scale), levels=self.own.get(name, self.levels) * count))
        return original_outputs(self.graph.edited(rounded), self.held)


def expected_losses(outputs: Array, targets: Array, head: Head) -> Array:
    """What accuracy each sample's outputs (samples, *shape) should lose to the targets, for an output of this head.

    Where it says classes, the softmax p of the original's outputs says how likely each is. So with the class c that it
    chooses and c' that the network does, p_c - p_c' is what its choice is less likely right; 0 where they are alike.
    That varies less from sample to sample than whether classes are right, and needs no labels. As outputs may have any
    unit, they are taken as they are and in quarters of their standard deviation, and the larger loss counts. Else it is
    the squared error over the variance.
    """
    if not head.decides:
        return output_errors(outputs, targets, head)
    scores, others = (head.scores(a.astype(np.float64)) for a in (targets, outputs))
    deviation = float((scores - scores.mean(axis=-1, keepdims=True)).std())
    found = []
    for unit in (1.0, deviation / 4 or 1.0):
        shares = np.exp((scores - scores.max(axis=-1, keepdims=True)) / unit)
        shares /= shares.sum(axis=-1, keepdims=True)
        chosen = np.take_along_axis(shares, others.argmax(axis=-1)[..., None], axis=-1)[..., 0]
        found.append((shares.max(axis=-1) - chosen).reshape(len(shares), -1).mean(axis=1))
    return np.asarray(np.maximum(*found))
