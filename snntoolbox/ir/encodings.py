"""Input codings as data, one class each, and the one seeded source of the spike trains that every simulator gets."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from snntoolbox.errors import ConversionError, DataError
from snntoolbox.ir.arguments import misfits
from snntoolbox.ir.draws import uniforms
from snntoolbox.ir.feature import Feature, Lowering
from snntoolbox.ir.large_arrays import pieces
from snntoolbox.ir.node import Array, Shape
from snntoolbox.ir.parts import ONLY_SCHEDULES
from snntoolbox.ir.ways_out import RATE, one_input


class Encoding:
    """How an input is presented: a frozen dataclass.

    `features` are what it may ask of a backend, in the words in which it is refused.
    """

    features: ClassVar[tuple[Feature, ...]]

    def asks(self) -> tuple[Feature, ...]:
        """The features that it asks for, as it is."""
        return self.features

    def check(self, x: Array, name: str) -> None:
        """DataError where samples `x` of the input `name` cannot be presented so."""

    def sample_shape(self, shape: Shape, x: Array) -> Shape:
        """The shape that samples `x` of an input of this shape must have."""
        return shape

    def words(self, dt: float) -> str:
        """What it is, for people, in a network of steps of `dt` ms."""
        return str(self)


class Spiking(Encoding, ABC):
    """An input that reaches the network as spikes, which the wiring multiplies by `amplitude`.

    `valued` where its trains are other values than spikes: what has sources of spikes alone gets them as currents.
    """

    valued: ClassVar[bool] = False

    amplitude: float
    """The value that one spike per step stands for."""

    @abstractmethod
    def train(self, x: Array, steps: int, first_sample: int, first_step: int) -> Array:
        """Signed spikes (steps, batch, *shape), int8, of samples and steps that are numbered from the first ones on."""


@dataclass(frozen=True)
class ConstantCurrent(Encoding):
    """The sample itself as a current, the same every step; with `steps` in the first so many steps alone.

    `largest`, where given, is the largest |x| that the network is made for.
    """

    features = (
        Feature("constant-current input", lowered_by=Lowering("[input] poisson_input = True")),
        Feature("input for the first steps alone", avoided_by=RATE, why_not=ONLY_SCHEDULES),
    )

    steps: int | None = None
    largest: float | None = None

    def __post_init__(self) -> None:
        _check_types(self)
        _check_steps(self.steps)

    def asks(self) -> tuple[Feature, ...]:
        """Constant currents, and an end of them where there is one."""
        return self.features if self.steps is not None else self.features[:1]

    def words(self, dt: float) -> str:
        """With how long it lasts."""
        return f"constant current{_first_steps(self.steps)}"

    def check(self, x: Array, name: str) -> None:
        """DataError where a value is beyond what the network is made for."""
        if self.largest is None:
            return
        largest = _largest(x)
        if largest > self.largest * (1 + 1e-6):
            raise DataError(
                f"the network is made for values up to {self.largest:.4g}, the data hold {largest:.4g}",
                layer=name,
                hint="convert it with a wider input_range",
            )


@dataclass(frozen=True)
class Poisson(Spiking):
    """Independent spikes with the sign of x (+1 or -1) and probability |x| / amplitude per step.

    The wiring multiplies them by `amplitude`, so that the mean current is x. Rates above one spike per step are cut
    off: `amplitude` must be at least max |x|. An input rate of r Hz at a step of dt ms is
    amplitude = max|x| / (r * dt / 1000). With `steps` there are spikes in the first so many steps alone, with `most`
    the first so many spikes of each sample alone.
    """

    features = (Feature("Poisson input", lowered_by=Lowering("[input] poisson_input = False")),)

    amplitude: float = 1.0
    seed: int = 0
    steps: int | None = None
    most: int | None = None

    def __post_init__(self) -> None:
        _check_types(self)
        _check_amplitude(self.amplitude)
        _check_steps(self.steps)
        if self.most is not None and self.most < 1:
            raise ConversionError(f"Poisson input of {self.most} spikes a sample: it must be at least 1")
        if not 0 <= self.seed < 2**64:
            raise ConversionError(f"the seed {self.seed} of Poisson input is not from 0 to 2^64 - 1")

    def words(self, dt: float) -> str:
        """With its largest rate."""
        most = f"at most {1000 / dt:,.0f} Hz for |x| = {self.amplitude:g}"
        few = "" if self.most is None else f", the first {self.most} of a sample"
        return f"Poisson spikes, {most}, seed {self.seed}{few}{_first_steps(self.steps)}"

    def train(self, x: Array, steps: int, first_sample: int, first_step: int) -> Array:
        """See `poisson_spikes`."""
        if self.most is None:
            return poisson_spikes(x, steps, self, first_sample, first_step)
        whole = poisson_spikes(x, first_step + steps, self, first_sample)  # how many came before is not known else
        return first_spikes(whole, self.most)[first_step:]

    def check(self, x: Array, name: str) -> None:
        """DataError where a value would need more than one spike per step."""
        largest = _largest(x)
        if largest > self.amplitude * (1 + 1e-6):
            raise DataError(
                f"Poisson input of amplitude {self.amplitude:.4g} cannot present values up to {largest:.4g}",
                layer=name,
                hint="the amplitude must be at least max |x|",
            )


@dataclass(frozen=True)
class SpikeTimes(Spiking):
    """Given spikes: a sample is its own train, (steps, *shape), of -1, 0 and 1; behind its end all is silent.

    The wiring multiplies spikes by `amplitude`, the value that one spike per step stands for.
    """

    features = (Feature("spike-time input", why_not="no sources that play given spikes"),)

    amplitude: float = 1.0

    def __post_init__(self) -> None:
        _check_types(self)
        _check_amplitude(self.amplitude)

    def sample_shape(self, shape: Shape, x: Array) -> Shape:
        """With the steps in front."""
        return (*x.shape[1:2], *shape)

    def words(self, dt: float) -> str:
        """With what a spike is worth."""
        return f"given spikes, each worth {self.amplitude:g}"

    def train(self, x: Array, steps: int, first_sample: int, first_step: int) -> Array:
        """Those of these steps; none behind the end of a sample."""
        given = np.moveaxis(np.asarray(x)[:, first_step : first_step + steps], 1, 0).astype(np.int8)
        silence = np.zeros((steps - len(given), *given.shape[1:]), np.int8)
        return np.concatenate([given, silence])

    def check(self, x: Array, name: str) -> None:
        """DataError where a value is no spike."""
        if not np.isin(x, (-1, 0, 1)).all():
            raise DataError("the input's trains hold other values than -1, 0 and 1", layer=name)


@dataclass(frozen=True)
class StepByStep(Spiking):
    """A sequence (steps, ...), one step after the other: each as a current in the first `window` of `period` steps.

    What is not presented is zero, so the wiring may add up over the steps of the sequence.
    """

    features = (
        Feature(
            "sequences presented step by step",
            avoided_by=one_input,
            why_not="its inputs are the same in every step, or spikes",
        ),
    )
    valued = True

    window: int = 1
    period: int = 2
    amplitude: float = 1.0

    def __post_init__(self) -> None:
        _check_types(self)
        _check_amplitude(self.amplitude)
        if not 1 <= self.window <= self.period:
            raise ConversionError(f"windows of {self.window} steps cannot recur every {self.period} steps")

    def words(self, dt: float) -> str:
        """With how long a step lasts."""
        return f"a sequence, each step for {self.window} of {self.period} steps"

    def shown(self, x: Array) -> Iterator[tuple[int, Array]]:
        """For each step of the sequence the first step in which it is there, and the sample that has it alone."""
        for at in range(x.shape[1]):
            alone = np.zeros(x.shape)
            alone[:, at] = x[:, at]
            yield at * self.period, alone

    def train(self, x: Array, steps: int, first_sample: int, first_step: int) -> Array:
        """The values themselves (steps, batch, *shape), zero but for the step of the sequence that is there."""
        currents = np.zeros((steps, *x.shape), np.result_type(x.dtype, np.float32))
        for i in range(steps):
            at, within = divmod(first_step + i, self.period)
            if at < x.shape[1] and within < self.window:
                currents[i, :, at] = x[:, at]
        return currents


def _check_types(coding: Encoding) -> None:
    if wrong := misfits(coding):
        raise ConversionError(f"invalid input coding: {'; '.join(wrong)}", hint=f"by default {type(coding)()}")


def _check_amplitude(amplitude: float) -> None:
    if not 0 < amplitude < math.inf:  # NaN neither
        raise ConversionError(f"the amplitude {amplitude} of a spiking input is not above 0 and finite")


def _check_steps(steps: int | None) -> None:
    if steps is not None and (steps < 1 or steps != int(steps)):
        raise ConversionError(f"an input for the first {steps} steps: it must be a whole number of them, at least 1")


def _largest(x: Array) -> float:
    """max |x|, without a copy of |x|: the samples may lie in a mapped file that is larger than the memory."""
    parts = (max(-float(part.min(initial=0)), float(part.max(initial=0))) for part in pieces(x))
    return max(parts, default=0.0)


def _first_steps(steps: int | None) -> str:
    return "" if steps is None else f" in the first {steps} steps"


def first_spikes(train: Array, most: int) -> Array:
    """Spikes (steps, batch, ...) without those behind the first `most` of each sample, counted step by step."""
    by_sample = np.moveaxis(train, 1, 0).reshape(train.shape[1], -1)
    kept = by_sample * (np.cumsum(by_sample != 0, axis=1) <= most)
    return np.moveaxis(kept.reshape(train.shape[1], train.shape[0], *train.shape[2:]), 0, 1)


def spike_trains(x: Array, steps: int, encoding: Spiking, first_sample: int, first_step: int = 0) -> Array:
    """Signed spikes (steps, batch, *shape) of a spiking input: the same for every simulator.

    They are int8, or floats where an input is presented as it is.
    """
    return encoding.train(x, steps, first_sample, first_step)


def poisson_spikes(x: Array, steps: int, encoding: Poisson, first_sample: int, first_step: int = 0) -> Array:
    """Signed spikes (steps, batch, *shape), int8, for samples numbered from `first_sample`.

    The train of a sample depends on the seed, its number and the step alone, not on batches or chunks: see `uniforms`.
    """
    if x.dtype.kind != "f":  # no sign of booleans, and no |-128| of 8 bits
        x = x.astype(np.float64)
    probability = np.abs(x) / encoding.amplitude
    sign = np.sign(x).astype(np.int8)
    size = int(np.prod(x.shape[1:]))
    spikes = np.empty((steps, *x.shape), np.int8)
    for b in range(len(x)):
        uniform = uniforms(encoding.seed, first_sample + b, first_step, steps, size)
        spikes[:, b] = (uniform.reshape(steps, *x.shape[1:]) < probability[b]) * sign[b]
    if encoding.steps is not None:
        spikes[max(encoding.steps - first_step, 0) :] = 0
    return spikes
