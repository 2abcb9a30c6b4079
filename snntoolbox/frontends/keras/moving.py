"""Operations of ``keras.ops`` that move, pick or repeat values along axes of the sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from snntoolbox.frontends.keras.call import KerasCall, constant
from snntoolbox.frontends.layer_call import TREAT_ALONE, Activation, Refusal, check_size
from snntoolbox.ir.node import Array


def roll(call: KerasCall) -> str:
    """Axes rotated."""
    pairs = zip(np.atleast_1d(call.config["shift"]).tolist(), _named(call.config.get("axis")), strict=True)
    source = call.source()
    for shift, axis in ((int(s), call.axis(a)) for s, a in pairs):
        source = _picked(call, source, axis, np.roll(np.arange(call.shape(source)[axis]), shift))
    return source


def flip(call: KerasCall) -> str:
    """Axes in reverse order."""
    source = first = call.source()
    for axis in call.axes(call.config.get("axis"), first):
        source = _picked(call, source, axis, np.arange(call.shape(source)[axis])[::-1])
    return source


def split(call: KerasCall) -> tuple[str, ...]:
    """Consecutive parts of an axis, as many or at the places that are asked for."""
    axis, parts = call.axis(call.config.get("axis", 0)), call.config["indices_or_sections"]
    places = np.arange(call.shape()[axis])
    if isinstance(parts, int) and (parts < 1 or len(places) % parts):
        raise Refusal(f"splits {len(places)} values in {parts} parts")
    pieces = np.split(places, parts if isinstance(parts, int) else [int(p) for p in parts])
    if any(len(piece) == 0 for piece in pieces):
        raise Refusal("has a part without values")
    return tuple(_picked(call, call.source(), axis, piece) for piece in pieces)


def stack(call: KerasCall) -> str:
    """Branches of one shape joined along a new axis."""
    shape = call.shape(call.sources[0])
    axis = call.axis(call.config.get("axis", 0), call.sources[0], added=1)
    given = call.args[0] if len(call.args) == 1 else call.args
    if any(not isinstance(value, Activation) for value in given):
        raise Refusal("joins a constant to an activation")
    wide = (*shape[:axis], 1, *shape[axis:])
    parts = [call.builder.reshape(f"{call.name}_part", s, wide, call.origin) for s in call.sources]
    return call.builder.concat(call.name, parts, axis, call.origin)


def take(call: KerasCall) -> str:
    """Constant positions of an axis."""
    given = call.args[1] if len(call.args) > 1 else call.kwargs.get("indices")
    if isinstance(given, Activation) or given is None:
        raise Refusal("looks values up by an activation")
    axis, places = call.axis(_named(call.config.get("axis"))[0]), constant(given)
    size = call.shape()[axis]
    if not places.size or places.min() < -size or places.max() >= size:
        raise Refusal(f"a position lies outside the {size} values of its axis")
    picked = _picked(call, call.source(), axis, places.ravel() % size)
    shape = call.shape()
    return call.builder.reshape(f"{call.name}_shape", picked, (*shape[:axis], *places.shape, *shape[axis + 1 :]),
                                call.origin)  # fmt: skip


def repeat(call: KerasCall) -> str:
    """Each value of an axis repeated in place."""
    axis = call.axis(_named(call.config.get("axis"))[0])
    times = np.asarray(call.config["repeats"]).astype(int)
    return _picked(call, call.source(), axis, np.repeat(np.arange(call.shape()[axis]), times))


def tile(call: KerasCall) -> str:
    """The whole repeated along axes of the sample."""
    source, rank = call.source(), len(call.shape())
    times = [int(t) for t in np.atleast_1d(call.config["repeats"])]
    times = [1] * (rank + 1 - len(times)) + times
    if len(times) != rank + 1 or times[0] != 1:
        raise Refusal("repeats the batch axis", hint=TREAT_ALONE)
    for axis, count in enumerate(times[1:]):
        if count != 1:
            source = _picked(call, source, axis, np.tile(np.arange(call.shape(source)[axis]), count))
    return source


def swap_axes(call: KerasCall) -> str:
    """Two axes exchanged."""
    order = list(range(len(call.shape())))
    one, other = (call.axis(call.config[name]) for name in ("axis1", "axis2"))
    order[one], order[other] = other, one
    return call.builder.permute(call.name, call.source(), order, call.origin)


def move_axis(call: KerasCall) -> str:
    """Axes moved to other places."""
    ends = [[call.axis(a) for a in _named(call.config[name])] for name in ("source", "destination")]
    order = [a for a in range(len(call.shape())) if a not in ends[0]]
    for where, what in sorted(zip(ends[1], ends[0], strict=True)):
        order.insert(where, what)
    return call.builder.permute(call.name, call.source(), order, call.origin)


def _named(axes: Any) -> list[int]:
    """The axes that an operation names; none means all of them, the batch too."""
    if axes is None:
        raise Refusal("works along all axes, the batch too, and mixes samples", hint=TREAT_ALONE)
    return [int(a) for a in np.atleast_1d(axes)]


def _picked(call: KerasCall, source: str, axis: int, places: Array) -> str:
    shape = call.shape(source)
    check_size([*shape[:axis], len(places), *shape[axis + 1 :]])
    return call.builder.take(call.name, source, axis, [int(p) for p in places], call.origin)


_TABLE: dict[str, Callable[[KerasCall], str | tuple[str, ...]]] = {
    "Roll": roll,
    "Flip": flip,
    "Split": split,
    "Stack": stack,
    "Take": take,
    "Repeat": repeat,
    "Tile": tile,
    "Swapaxes": swap_axes,
    "Moveaxis": move_axis,
}

HANDLERS = {f"keras.ops.{name}": handler for name, handler in _TABLE.items()}
