"""What a run of a spiking network gives back, the same from every backend."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

import numpy as np

from snntoolbox.errors import ArgumentError, DataError
from snntoolbox.ir.arguments import misfits
from snntoolbox.ir.as_neo import block_of
from snntoolbox.ir.as_xarray import dataset_of
from snntoolbox.ir.drawing.html_forms import result_html
from snntoolbox.ir.drawing.result_plots import ResultPlots
from snntoolbox.ir.foreign import shown
from snntoolbox.ir.head import Head, usual_head
from snntoolbox.ir.labels import share_right
from snntoolbox.ir.node import Array, Shape
from snntoolbox.ir.ran import Ran

if TYPE_CHECKING:
    from neo import Block
    from xarray import Dataset

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExitRule:
    """A sample ends in the first step t whose margin reaches `margin`: t/T times the gap of its two largest outputs.

    Outputs are means over the steps so far, so the gap times t is what the spikes until then have decided; early gaps
    are large by chance. Outputs of a network with a schedule are sums already, and their gap is the margin itself.
    `agreement` is the share of predictions that the rule was to keep, `assured` the share that its calibration samples
    are enough to be sure of: less, where they are too few; `samples` is their number.
    """

    margin: float
    agreement: float
    assured: float = 0.0
    samples: int = 0


@dataclass(frozen=True, eq=False)
class EarlyExit:
    """What a rule does to a result: `predictions` and `steps`, (samples,), and `kept`, (samples,) bool.

    `kept` says whether a prediction is that after the last step; `rule` is the rule, `head` and `shape` are those of
    the output that decides.
    """

    predictions: Array
    steps: Array
    kept: Array
    rule: ExitRule
    head: Head
    shape: Shape

    @property
    def mean_steps(self) -> float:
        """Steps per sample."""
        return float(self.steps.mean())

    @property
    def agreement(self) -> float:
        """The share of samples whose prediction is that after the last step."""
        return float(self.kept.mean())

    def accuracy(self, labels: Array) -> float:
        """The share of samples whose prediction is the label; labels are indices, alone or in a column, or one-hot."""
        return share_right(self.predictions, labels, self.head, self.shape)


def joined_exits(parts: Sequence[EarlyExit]) -> EarlyExit:
    """The exits of consecutive batches, which have the same rule, as one."""
    predictions, steps, kept = (np.concatenate([getattr(p, n) for p in parts]) for n in _FIELDS)
    return replace(parts[0], predictions=predictions, steps=steps, kept=kept)


_FIELDS = ("predictions", "steps", "kept")


MOST_NAMES = 8
"""Names of populations that a message lists."""


@dataclass(frozen=True)
class Record:
    """What to keep beside spike counts and outputs: names of populations, or ``True`` for all of them."""

    spikes: frozenset[str] | bool = False
    potentials: frozenset[str] | bool = False
    outputs_per_step: bool = True

    def __post_init__(self) -> None:
        for name in ("spikes", "potentials"):
            if isinstance(value := getattr(self, name), list | tuple | set):
                object.__setattr__(self, name, frozenset(value))
        if wrong := misfits(self):
            raise ArgumentError(f"nothing can be recorded so: {'; '.join(wrong)}", hint='Record(spikes={"conv1"})')

    def check(self, populations: Collection[str]) -> None:
        """ArgumentError naming what is no population of a network that has these."""
        named = frozenset().union(*(v for v in (self.spikes, self.potentials) if isinstance(v, frozenset)))
        if unknown := sorted(named - set(populations)):
            near = [n for u in unknown for n in get_close_matches(u, populations)] or list(populations)
            hint = f"it has {', '.join(dict.fromkeys(near[:MOST_NAMES]))}"
            raise ArgumentError(f"the network has no population {', '.join(unknown)} to record", hint=hint)

    def wants_spikes(self, population: str) -> bool:
        """Whether this population's spike trains are kept."""
        return self.spikes is True or (isinstance(self.spikes, frozenset) and population in self.spikes)

    def wants_potentials(self, population: str) -> bool:
        """Whether this population's membrane potentials (after the reset) are kept."""
        return self.potentials is True or (isinstance(self.potentials, frozenset) and population in self.potentials)


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Result:
    """Counts, outputs and recordings of a batch of samples over `steps` steps.

    counts: population -> (samples, *shape) number of spikes, or the sum of the values that they carry.
    outputs: read-out -> (samples, *shape) value after the last step, in the user's units.
    outputs_per_step: read-out -> (steps, samples, *shape) value after each step; empty unless recorded.
    spikes: population -> (steps, samples, *shape) bool, or the values that they carry. potentials: the same, float,
    after the reset.
    fired: population -> (samples, *shape) number of spikes, for those whose spikes carry values.
    window: what counts are divided by for rates, in a network with a schedule; None: the number of steps.
    engine_paths: population -> the ways in which the simulator computed its input, where it has several; the built-in
    one knows dense, event, int8 (one product in 8-bit arithmetic; int8x2: two), constant (the same every step, computed
    once), counts (all steps in one pass), reference, and on CUDA scan (dense, and one kernel for the neurons over all
    steps of a chunk) and tf32 (a product on tensor cores).
    early_exit: when each sample ended, with its prediction then, if that was asked for; all else is after all steps.
    heads: read-out -> what it says.
    hardware: what a simulator of chips says that a sample took there, by name and unit -> (samples,).
    ran: the network and the samples that it came from, where `simulate` or `run` gave it.
    """

    steps: int
    samples: int
    counts: Mapping[str, Array]
    outputs: Mapping[str, Array]
    outputs_per_step: Mapping[str, Array] = field(default_factory=dict)
    spikes: Mapping[str, Array] = field(default_factory=dict)
    potentials: Mapping[str, Array] = field(default_factory=dict)
    fired: Mapping[str, Array] = field(default_factory=dict)
    window: int | None = None
    engine_paths: Mapping[str, frozenset[str]] = field(default_factory=dict)
    early_exit: EarlyExit | None = None
    heads: Mapping[str, Head] = field(default_factory=dict)
    hardware: Mapping[str, Array] = field(default_factory=dict)
    ran: Ran | None = None

    @property
    def plot(self) -> ResultPlots:
        """Pictures of it: ``result.plot.accuracy(y)``, ``result.plot.raster("relu1")``; they need matplotlib."""
        return ResultPlots(self)

    def to_xarray(self) -> Dataset:
        """Everything in it as an ``xarray.Dataset``, with named axes and times in ms; it needs xarray."""
        return dataset_of(self)

    def to_neo(self) -> Block:
        """The recorded spike trains and potentials as a ``neo.Block``, a segment for each sample; it needs Neo."""
        return block_of(self)

    def __repr__(self) -> str:
        kept = [name for name in ("spikes", "potentials", "outputs_per_step", "hardware") if getattr(self, name)]
        names = ", ".join(map(shown, self.counts))
        held = ", ".join(["counts", "outputs", *kept])
        return f"Result({self.samples} samples, {self.steps} steps; {held} of {names})"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return result_html(self)

    @property
    def dt(self) -> float:
        """The length of a step in ms; 1 where it is not known what ran."""
        return 1.0 if self.ran is None else self.ran.network.dt

    @property
    def mean_steps(self) -> float:
        """Steps per sample until its answer: all of them, unless samples ended early."""
        return float(self.steps) if self.early_exit is None else self.early_exit.mean_steps

    @property
    def span(self) -> int:
        """The steps that counts are divided by for rates."""
        return self.window or self.steps

    @property
    def events(self) -> Mapping[str, Array]:
        """The number of spikes whatever their value, population -> (samples, *shape)."""
        return {**self.counts, **self.fired}

    @property
    def output(self) -> Array:
        """The first read-out's value after the last step, (samples, *shape)."""
        return next(iter(self.outputs.values()))

    def read_out(self, name: str | None = None) -> tuple[Array, Head]:
        """The value of a read-out (samples, *shape), the first unless it is named, and what it says; DataError."""
        if name is None and len(self.outputs) > 1:
            first, *others = self.outputs
            log.warning("'%s' decides, the first of the outputs; output= names another: %s", first, ", ".join(others))
        name = next(iter(self.outputs)) if name is None else name
        if name not in self.outputs:
            raise DataError(f"there is no output '{name}'", hint=f"outputs: {', '.join(self.outputs)}")
        values = self.outputs[name]
        return values, self.heads.get(name) or usual_head(values.shape[1:])

    @property
    def head(self) -> Head:
        """What the first read-out says."""
        return next(iter(self.heads.values()), None) or usual_head(self.output.shape[1:])

    @property
    def predictions(self) -> Array:
        """The class of each sample that the first read-out says, (samples,), or of its places, (samples, *places).

        -1 where all its values are equal (no output has spiked). DataError where it says no classes.
        """
        return self.head.decisions(self.output)

    @property
    def predictions_per_step(self) -> Array:
        """The same after each step, (steps, samples, *places)."""
        if not self.outputs_per_step:
            raise DataError("outputs per step were not recorded", hint="run with Record(outputs_per_step=True)")
        return np.stack([self.head.decisions(values) for values in next(iter(self.outputs_per_step.values()))])

    def classes(self, output: str | None = None) -> Array:
        """The classes that a read-out says, as `predictions`; the first read-out unless it is named."""
        values, head = self.read_out(output)
        return head.decisions(values)

    def accuracy(self, labels: Array, output: str | None = None) -> float:
        """The share of samples, or of their places, whose class is the label.

        Labels are indices, alone or in a column, or one-hot along the axis of the classes; `output` names the read-out,
        the first unless it is given. DataError where they are none of these, or it says no classes.
        """
        values, head = self.read_out(output)
        return share_right(head.decisions(values), labels, head, values.shape[1:])

    def rates(self, population: str) -> Array:
        """Spikes per step of a window and neuron, (samples, *shape)."""
        return np.asarray(self.counts[population] / self.span)


def joined(results: list[Result]) -> Result:
    """Results of consecutive batches as one."""
    if len(results) == 1:
        return results[0]
    exits = [r.early_exit for r in results if r.early_exit is not None]
    figures = dict.fromkeys(n for r in results for n in r.hardware)  # a batch without spikes may have none

    def join(name: str, axis: int) -> dict[str, Array]:
        return {k: np.concatenate([getattr(r, name)[k] for r in results], axis) for k in getattr(results[0], name)}

    return Result(
        steps=results[0].steps,
        samples=sum(r.samples for r in results),
        counts=join("counts", 0),
        outputs=join("outputs", 0),
        outputs_per_step=join("outputs_per_step", 1),
        spikes=join("spikes", 1),
        potentials=join("potentials", 1),
        fired=join("fired", 0),
        window=results[0].window,
        engine_paths={n: frozenset().union(*(r.engine_paths[n] for r in results)) for n in results[0].engine_paths},
        early_exit=joined_exits(exits) if exits else None,
        heads=results[0].heads,
        hardware={n: np.concatenate([r.hardware.get(n, np.zeros(r.samples)) for r in results]) for n in figures},
    )
