"""The events of one sample, placed in the model's input: as a frame of sums, and as spikes in steps of time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from snntoolbox.errors import DataError
from snntoolbox.ir.node import Array, Shape
from snntoolbox.workflow.data.events.recording import Recording

METHODS = ("rectified_sum", "signed_sum", "rectified_polarity_channels", "signed_polarity_channels")
_METHOD = "input.frame_gen_method"


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where events go in a sample of `shape`.

    method: signed ones count -1 where a pixel saw less light; those with polarity channels have these events in channel
    0, the others in channel 1. channel_axis is None where a sample is an image without channels. x_first: the first
    axis of the image is x. chip is (width, height); where the image has another size, pixels are scaled to it, corners
    to corners. unique: events that are alike after that (pixel, time, polarity where it counts) are one. clipped: sums
    beyond three standard deviations are outliers.
    """

    shape: Shape
    channel_axis: int | None = 0
    method: str = METHODS[0]
    x_first: bool = False
    x_flipped: bool = False
    y_flipped: bool = False
    chip: tuple[int, int] | None = None
    unique: bool = True
    clipped: bool = True

    @property
    def signed(self) -> bool:
        """Whether less light counts -1."""
        return self.method.startswith("signed")

    @property
    def image(self) -> tuple[int, int]:
        """(width, height) of the image in a sample."""
        sides = [n for axis, n in enumerate(self.shape) if axis != self.channel_axis]
        return (sides[0], sides[1]) if self.x_first else (sides[1], sides[0])

    def fits(self, recording: Recording) -> bool:
        """Whether the events lie in the image as they are."""
        width, height = self.image
        return bool(recording.x.max() < width and recording.y.max() < height)


def placement(shape: Shape, method: str, data_format: str, **others: bool | tuple[int, int] | None) -> Placement:
    """The placement in samples of this shape; of no `method` that which the shape has the channels for. DataError."""
    methods = [method] if method else [METHODS[0], METHODS[2]]
    for name in methods:
        axes = _channel_axes(shape, _channels(name), data_format)
        if len(axes) > 1:
            told = f"either end of {shape} may be the channels of {name}"
            raise DataError(told, hint="datagen_kwargs = {'data_format': 'channels_first'} or 'channels_last' says")
        if axes:
            return Placement(shape=shape, channel_axis=axes[0], method=name, **others)  # type: ignore[arg-type]
    wants = " or ".join(f"{name} has {_channels(name)} channel(s)" for name in methods)
    hint = f"{_METHOD} and data_format in datagen_kwargs must be those that the model was trained with"
    raise DataError(f"the model takes samples of shape {shape}, and {wants}", hint=hint)


def _channels(method: str) -> int:
    return 2 if "channels" in method else 1


def _channel_axes(shape: Shape, channels: int, data_format: str) -> list[int | None]:
    """The axes that can be the channels."""
    if len(shape) == 2:
        return [None] if channels == 1 else []
    if len(shape) != 3:
        return []
    axes = {"channels_first": (0,), "channels_last": (2,)}.get(data_format, (0, 2))
    return [axis for axis in axes if shape[axis] == channels]


@dataclass(frozen=True, eq=False)
class Placed:
    """The events of one sample, in order of time: place in the flat sample, 1 or -1, and µs."""

    shape: Shape
    place: Array
    sign: Array
    t: Array

    def frame(self) -> Array:
        """The sum of the events of each place, float32."""
        sums = np.bincount(self.place, self.sign, math.prod(self.shape))
        return sums.reshape(self.shape).astype(np.float32)


def placed(recording: Recording, where: Placement) -> Placed:
    """The events of a sample in their places, without those that are alike and the outliers."""
    x, y, on = recording.x.astype(np.int64), recording.y.astype(np.int64), recording.on
    for axis, pixels in enumerate((x, y)):
        side, size = where.image[axis], (where.chip or where.image)[axis]
        if side != size:
            pixels *= side - 1
            pixels //= max(size - 1, 1)
    image = where.image
    x, y = (image[0] - 1 - x if where.x_flipped else x), (image[1] - 1 - y if where.y_flipped else y)
    position = [x, y] if where.x_first else [y, x]
    if where.channel_axis is not None:
        position.insert(where.channel_axis, on * 1 if _channels(where.method) == 2 else np.zeros_like(x))
    place = np.ravel_multi_index(position, where.shape)
    sign = np.where(on | (not where.signed), 1, -1)
    events = Placed(where.shape, place, sign, recording.t)
    events = _each_once(events) if where.unique else events
    return _without_outliers(events, where) if where.clipped else events


def _chosen(events: Placed, kept: Array) -> Placed:
    return Placed(events.shape, events.place[kept], events.sign[kept], events.t[kept])


def _each_once(events: Placed) -> Placed:
    rows = np.stack([events.place, events.sign, events.t], axis=1)
    first = np.unique(rows, axis=0, return_index=True)[1]
    return _chosen(events, np.sort(first))


def _without_outliers(events: Placed, where: Placement) -> Placed:
    """Without the last events of places whose sum is beyond three standard deviations.

    Of unsigned sums from 0 to 3 deviations of those that are not 0; of signed ones 1.5 to either side of the mean. One
    event is no outlier, though all sums be alike.
    """
    sums = events.frame().ravel()
    if where.signed:
        bounds = np.mean(sums) + np.array([-1.5, 1.5]) * np.std(sums)
    else:
        bounds = np.array([0.0, 3 * np.std(sums[sums != 0])])
    low, high = min(math.ceil(bounds[0]), -1), max(math.floor(bounds[1]), 1)
    surplus = (sums - np.clip(sums, low, high)).astype(np.int64)[events.place]
    against = np.sign(surplus) == events.sign
    later = _rank(np.where(against, events.place, -1)[::-1])[::-1]
    return _chosen(events, ~(against & (later < np.abs(surplus))))


def _rank(groups: Array) -> Array:
    """How many equal values stand before each one."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    starts = np.searchsorted(ordered, ordered, side="left")
    rank = np.empty(len(groups), np.int64)
    rank[order] = np.arange(len(groups)) - starts
    return rank


@dataclass(frozen=True)
class Clock:
    """How times become steps: `width` µs each, or, where it is 0, so that the sample fills all `steps`.

    With a width a step begins with the first event that is in none before it, so that silence takes no steps.
    """

    steps: int
    width: int = 0

    def train(self, events: Placed) -> tuple[Array, int]:
        """Spikes (steps, *shape), int8, at most one at a place and step, and how many events found no step.

        An event that finds its step taken moves to the next free one.
        """
        rank = _rank(events.place)
        step = self._in_turn(events.place, rank, self._steps_of(events.t))
        if not self.width:
            left = np.bincount(events.place, minlength=math.prod(events.shape))[events.place] - rank
            step = np.minimum(step, self.steps - left)
        inside = (step >= 0) & (step < self.steps)
        train = np.zeros((self.steps, math.prod(events.shape)), np.int8)
        train[step[inside], events.place[inside]] = events.sign[inside]
        return train.reshape(self.steps, *events.shape), int((~inside).sum())

    def _steps_of(self, t: Array) -> Array:
        if not len(t):
            return t
        if not self.width:
            share: Array = (t - t[0]) * self.steps // (int(t[-1] - t[0]) + 1)
            return share
        step, first, number = np.empty(len(t), np.int64), 0, 0
        while first < len(t):
            end = int(np.searchsorted(t, t[first] + self.width))
            step[first:end], first, number = number, end, number + 1
        return step

    @staticmethod
    def _in_turn(place: Array, rank: Array, step: Array) -> Array:
        """The first steps from these on at which no earlier event has the same place."""
        if not len(step):
            return step
        order = np.lexsort((rank, place))
        apart = (np.unique(place, return_inverse=True)[1] * (int(step.max()) + len(step) + 1))[order]
        free = np.maximum.accumulate((step - rank)[order] + apart) - apart
        taken: Array = np.empty_like(free)
        taken[order] = free + rank[order]
        return taken
