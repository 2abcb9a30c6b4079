"""Chooses a threshold rule and a correction of layers by trying some on calibration samples that neither saw."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

from snntoolbox.conversion.corrections.correct import Correct, correctable, timed
from snntoolbox.conversion.corrections.sample_steps import trial_steps
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.head import Head
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.progress import counted

log = logging.getLogger(__name__)

CANDIDATES = (
    ("mmse", "search"),
    ("mmse", "search+potential"),
    ("mmse", "both"),
)
"""The rules and corrections that are tried: the first is hardly ever far from the best, the others are it on some."""

TRIED_STEPS = 32
"""In longer runs the candidates differ by less than a trial can tell."""

HELD = 128
"""At most so many samples judge."""

FEWEST_HELD, ENOUGH = 32, 40
"""Nothing is tried with fewer samples to correct with or to judge; candidates are left out down to two until each
trial can have enough of both."""


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A candidate: its rule and correction, the mean error of its outputs, and the share of equal classes.

    `agreement` is None where outputs are no classes; `uncertain` is the standard error of the difference to the error
    of the first candidate, over the samples that judge.
    """

    rule: str
    layers: str
    error: float
    uncertain: float
    agreement: float | None


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The candidates as they came, the chosen one, and how many samples corrected and judged them.

    `network` is the one that the chosen correction made for its trial, where that is how networks are corrected.
    """

    tried: tuple[Tried, ...]
    chosen: Tried
    corrected: int
    held: int
    network: SpikingNetwork | None = field(default=None, repr=False, compare=False)

    def data(self) -> dict[str, object]:
        """For a report."""
        return {"tried": [asdict(t) for t in self.tried], "corrected_on": self.corrected, "judged_on": self.held}

    def __str__(self) -> str:
        errors = ", ".join(f"{t.rule}, {t.layers}: {t.error:.3g}" for t in self.tried)
        return f"thresholds {self.chosen.rule}, layers {self.chosen.layers}; errors on held out samples: {errors}"


@dataclass(frozen=True, kw_only=True)
class Choose:
    """The pass, for runs of `steps` steps, with corrections on at most `samples` samples, and of `readouts` or not.

    Each candidate is corrected on some samples and judged on others (see `output_errors`). How many candidates and
    samples there are follows from the time allowed, see `trial_steps`.
    """

    steps: int
    samples: int = 128
    readouts: bool = True
    device: str = "cpu"

    def __call__(
        self,
        candidates: Sequence[tuple[str, str]],
        network_of: Callable[[str], SpikingNetwork],
        graph: Graph,
        x: Sequence[Array],
    ) -> Choice | None:
        """The choice among `candidates` (rule, correction), where `network_of` makes the network of a rule.

        None where there is nothing to choose: too few samples for two, or no layer that can be corrected.
        """
        first = network_of(candidates[0][0])
        count, corrected, held = self.shares(len(x[0]), len(candidates), trial_steps(first, len(x[0])))
        if count < 2 or min(corrected, held) < FEWEST_HELD or not self.open(first, graph):
            return None
        used = np.r_[:corrected, np.linspace(corrected, len(x[0]) - 1, held).round().astype(int)]
        data = [a[used] for a in x]
        tried: list[Tried] = []
        errors: list[Array] = []
        made: list[SpikingNetwork | None] = []
        activations: dict[str, Array] = {}
        for rule, layers in counted("Trying corrections", candidates[:count]):
            network, pairs = self.outcome(network_of(rule), layers, graph, data, held, activations)
            made.append(network)
            each = [self.errors(*pair, head) for pair, head in zip(pairs, graph.heads, strict=True)]
            errors.append(np.sum(each, axis=0))
            tried.append(_tried(rule, layers, errors[-1], errors[0], _agreement(*pairs[0], graph.heads[0])))
            log.info("tried %s", tried[-1])
        chosen = best(tried)
        network = made[tried.index(chosen)]
        return Choice(tried=tuple(tried), chosen=chosen, corrected=corrected, held=held, network=network)

    def errors(self, outputs: Array, targets: Array, head: Head) -> Array:
        """What a read-out's error is on each sample: see `output_errors`."""
        return output_errors(outputs, targets, head)

    def open(self, network: SpikingNetwork, graph: Graph) -> bool:
        """Whether there is a layer that can be corrected."""
        return not timed(network) and any(correctable(network, graph, p) for p in network.populations.values())

    def outcome(
        self,
        network: SpikingNetwork,
        layers: str,
        graph: Graph,
        x: Sequence[Array],
        held: int,
        activations: dict[str, Array],
    ) -> tuple[SpikingNetwork | None, list[tuple[Array, Array]]]:
        """The network, corrected on all but the last `held` samples; on these, what it and the original say.

        `activations` are what trials find out of the original, whose samples are the same.
        """
        correct = Correct(steps=self.steps, layers=layers, readouts=self.readouts, device=self.device)
        return correct.outcome(network, graph, x, held, activations)

    def shares(self, samples: int, candidates: int, sample_steps: int) -> tuple[int, int, int]:
        """How many candidates are tried, on how many samples each corrects, and on how many others it is judged."""
        total = sample_steps // self.steps
        count = min(candidates, total // (2 * ENOUGH))
        each = min(samples, total // max(count, 1))
        held = min(HELD, samples // 3, max(ENOUGH, each - self.samples))
        return count, min(self.samples, each - held), held


def best(tried: Sequence[Tried]) -> Tried:
    """The candidate of least error of the first and those that are better than it by more than two standard errors.

    Where layers that stay as they are were tried, and are no worse than that one, they are the choice.
    """
    clearly = [t for t in tried if t.error < tried[0].error - 2 * t.uncertain]
    chosen = min([tried[0], *clearly], key=lambda t: t.error)
    return next((t for t in tried if t.layers == "none" and t.error <= chosen.error), chosen)


def _tried(rule: str, layers: str, errors: Array, first: Array, agreement: float | None) -> Tried:
    uncertain = float(np.std(errors - first) / np.sqrt(len(errors)))
    return Tried(rule=rule, layers=layers, error=float(errors.mean()), uncertain=uncertain, agreement=agreement)


def output_errors(outputs: Array, targets: Array, head: Head, parts: int = 2, any_scale: bool = False) -> Array:
    """How far each sample's outputs (samples, *shape) are from the targets, for an output of this head.

    Where it says classes, the Kullback-Leibler divergence of its softmax from the original's,
    ``sum p log(p / q)``, outputs being measured in half the original's standard deviation about each sample's mean, or
    another of its `parts`: it sees how near to a change of class a sample is, where a share of equal classes sees none,
    and no unit matters; of several places their mean. With `any_scale` neither does a factor of all outputs, which
    changes no class. Else the squared error over the variance.
    """
    flat, other = (a.astype(np.float64) for a in (targets, outputs))
    if not head.decides:
        return np.asarray(((other - flat) ** 2).reshape(len(flat), -1).mean(axis=1) / (np.var(flat) or 1.0))
    flat, other = head.scores(flat), head.scores(other)
    centred = flat - flat.mean(axis=-1, keepdims=True)
    unit = float(centred.std()) / parts or 1.0
    if any_scale:
        about = other - other.mean(axis=-1, keepdims=True)
        gain = float((about * centred).sum() / ((about**2).sum() or 1.0))
        other = other * gain if gain > 0 else other
    p, q = _log_softmax(flat / unit), _log_softmax(other / unit)
    return np.asarray((np.exp(p) * (p - q)).sum(axis=-1).reshape(len(p), -1).mean(axis=1))


def _agreement(outputs: Array, targets: Array, head: Head) -> float | None:
    return float(np.mean(head.decisions(outputs) == head.decisions(targets))) if head.decides else None


def _log_softmax(outputs: Array) -> Array:
    flat = outputs - outputs.max(axis=-1, keepdims=True)
    return np.asarray(flat - np.log(np.exp(flat).sum(axis=-1, keepdims=True)))
