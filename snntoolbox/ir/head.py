"""What an output of a network says: a class, several, yes or no, or plain values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from snntoolbox.errors import ArgumentError, DataError
from snntoolbox.ir.node import Array, Shape

Kind = Literal["classes", "logits", "values"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_NO_CLASS = {
    "one": "one value is a logit or a target, and nothing says which",
    "map": "an output of shape {shape} is no class per sample",
    "values": "an output of plain values holds no classes",
}
_SAY = {
    "one": "load(..., head='logits') takes class 1 above 0, head=Head(kind='logits', threshold=0.5) above that; or "
    "compare result.output with the targets",
    "map": "use the output itself, or name the axis of the classes: load(..., head=Head(kind='classes', axis=0))",
    "values": "use the output itself",
}


@dataclass(frozen=True, kw_only=True)
class Head:
    """The meaning of one output, whose values for a sample have some shape.

    classes: the class is the index of the largest value. Without an `axis` all values of a sample are one for each
    class; with an `axis` of the sample there is a class for each place along the other axes (a map, several heads, the
    steps of a sequence), or for one `place` of these alone, counted in C order: -1 is the last. logits: each value says
    1 where it is above `threshold`, else 0. values: numbers of a regression, or of which nobody said what they are.
    """

    kind: Kind = "values"
    axis: int | None = None
    threshold: float = 0.0
    place: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ArgumentError(f"a head of kind '{self.kind}' is unknown", hint=f"known: {', '.join(KINDS)}")
        if not math.isfinite(self.threshold):
            raise ArgumentError(f"a threshold of {self.threshold:g} is no number")
        if self.axis is not None and self.kind != "classes":
            raise ArgumentError(f"a head of kind '{self.kind}' has no axis of classes")
        if self.place is not None and self.axis is None:
            raise ArgumentError(f"a place of {self.place} without an axis of classes", hint="name it: axis=-1")

    @property
    def decides(self) -> bool:
        """Whether it says classes."""
        return self.kind != "values"

    def decides_once(self, shape: Shape) -> bool:
        """Whether it says one class per sample."""
        return self.decides and self.places(shape) == ()

    def __str__(self) -> str:
        if self.kind == "classes":
            at = "" if self.place is None else f", at place {self.place}"
            return "classes" if self.axis is None else f"classes along axis {self.axis}{at}"
        return f"class 1 above {self.threshold:g}" if self.kind == "logits" else "values"

    def check(self, shape: Shape, output: str) -> Head:
        """The head with its axis counted from 0; ArgumentError where an output of this shape cannot have it."""
        if self.axis is None:
            if self.kind == "classes" and math.prod(shape) < 2:
                only = f"the output '{output}' has one value, which cannot be classes"
                raise ArgumentError(only, hint="head = logits reads its sign as the class")
            return self
        if not -len(shape) <= self.axis < len(shape):
            raise ArgumentError(f"the output '{output}' of shape {shape} has no axis {self.axis} of classes")
        axis = self.axis % len(shape)
        if shape[axis] < 2:
            raise ArgumentError(f"the output '{output}' of shape {shape} has one value along axis {axis}: no classes")
        places = math.prod(shape) // shape[axis]
        if self.place is not None and not -places <= self.place < places:
            raise ArgumentError(f"the output '{output}' of shape {shape} has {places} places, none is {self.place}")
        if places == 1:
            return Head(kind="classes")
        return Head(kind="classes", axis=axis, place=None if self.place is None else self.place % places)

    def classes(self, shape: Shape) -> int:
        """How many classes a place can have; 0 for plain values."""
        if self.kind == "logits":
            return 2
        if self.kind == "values":
            return 0
        return math.prod(shape) if self.axis is None else shape[self.axis]

    def places(self, shape: Shape) -> Shape:
        """The shape of the classes of one sample, () for one."""
        if self.kind == "logits":
            return () if math.prod(shape) == 1 else tuple(shape)
        if self.axis is None or self.place is not None:
            return ()
        return (*shape[: self.axis], *shape[self.axis + 1 :])

    def scores(self, values: Array) -> Array:
        """The values (samples, *shape) as (samples, *places, classes); DataError where it says no classes."""
        shape = values.shape[1:]
        self.require(shape)
        if self.kind == "logits":
            above = (values - self.threshold).reshape(len(values), *self.places(shape))
            return np.stack([-above, above], axis=-1)
        return self.rows(values)

    def rows(self, values: Array) -> Array:
        """Values (samples, *shape) with the axis of the classes as the last one: of the places that count."""
        if self.axis is None:
            return values.reshape(len(values), -1)
        moved = np.moveaxis(values, self.axis + 1, -1)
        if self.place is None:
            return moved
        return np.asarray(moved.reshape(len(moved), -1, moved.shape[-1])[:, self.place])

    def decisions(self, values: Array) -> Array:
        """The classes (samples, *places) of values (samples, *shape).

        -1 where all values of a place are equal (no output has spiked). DataError where it says no classes.
        """
        self.require(values.shape[1:])
        if self.kind == "logits":
            return (values > self.threshold).astype(np.int64).reshape(len(values), *self.places(values.shape[1:]))
        scores = self.scores(values)
        undecided = (scores == scores[..., :1]).all(axis=-1)
        return np.where(undecided, -1, scores.argmax(axis=-1))

    def require(self, shape: Shape) -> None:
        """DataError, with what to do, where it says no classes."""
        if not self.decides:
            lacking = "one" if math.prod(shape) == 1 else "map" if sum(n > 1 for n in shape) > 1 else "values"
            raise DataError(_NO_CLASS[lacking].format(shape=shape), hint=_SAY[lacking])


def usual_head(shape: Shape) -> Head:
    """What an output of this shape says where nothing else is known: a vector of two or more has one value a class."""
    size = math.prod(shape)
    return Head(kind="classes") if size > 1 and max(shape) == size else Head()
