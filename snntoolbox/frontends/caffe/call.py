"""A Caffe layer as its handler gets it: its settings, its weights, and axes counted with the batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from snntoolbox.frontends.caffe.net import Layer
from snntoolbox.frontends.caffe.schema import new_message, parameter
from snntoolbox.frontends.layer_call import LayerCall, Refusal
from snntoolbox.ir.node import Array, Shape

TRAIN = "use the .caffemodel that belongs to this .prototxt; layers find their weights by their names"


@dataclass(frozen=True, eq=False, kw_only=True)
class CaffeCall(LayerCall):
    """One layer of a net."""

    layer: Layer

    def settings(self, kind: str) -> Any:
        """The layer's settings of this kind; layers of the first version have the defaults of those they know not."""
        field = f"{kind}_param"
        known = field in self.layer.message.DESCRIPTOR.fields_by_name
        return getattr(self.layer.message, field) if known else new_message(parameter(kind))

    def trained(self, *shapes: Shape) -> list[Array]:
        """The blobs, each of the shape that is told; Refusal where they are others, or not as many."""
        blobs = self.layer.blobs
        if len(blobs) != len(shapes):
            have = f"{len(blobs)} arrays of weights" if blobs else "no weights"
            raise Refusal(f"has {have} in the .caffemodel instead of {len(shapes)}", hint=TRAIN)
        arrays = []
        for blob, shape in zip(blobs, shapes, strict=True):
            values = blob.values
            padded = (1,) * (4 - len(shape)) + tuple(shape)
            if values.shape != tuple(shape) and not (blob.old and values.shape == padded):
                raise Refusal(
                    f"its weights of shape {values.shape} are not the {tuple(shape)} of its settings", hint=TRAIN
                )
            arrays.append(values.reshape(shape))
        return arrays

    def old_or_new_axis(self, message: Any, old: str) -> int:
        """The axis that settings name, in an older field or in ``axis``."""
        if message.HasField(old) and message.HasField("axis"):
            raise Refusal(f"names both {old} and axis")
        return self.axis(getattr(message, old) if message.HasField(old) else message.axis, self.sources[0])

    def span(self, axis: int, count: int) -> tuple[int, int]:
        """The axes of a sample, from one to before another, that `count` axes from `axis` on are; -1 for all."""
        shape = self.shape(self.sources[0])
        if count == 0:
            return len(shape), len(shape)
        first = self.axis(axis, self.sources[0])
        last = len(shape) if count == -1 else first + count
        if count < -1 or last > len(shape):
            raise Refusal(f"names {count} axes from {axis} on, of samples of shape {shape}")
        return first, last

    def along(self, array: Array, last: int) -> Array:
        """An array over axes of the sample that end before `last`, so that it broadcasts to the sample."""
        return array.reshape(array.shape + (1,) * (len(self.shape(self.sources[0])) - last))


Handler = Callable[[CaffeCall], str | tuple[str, ...]]
"""Adds a layer's function to the graph: the nodes behind what it makes."""


def per_space(message: Any, what: str, single: str, rank: int, default: int | None) -> tuple[int, ...]:
    """A size for each spatial axis: a list, or for planes one each for height and width."""
    pair = tuple(f"{what}_{side}" for side in "hw")
    values: Sequence[int] = _listed(getattr(message, single), message, single)
    if any(message.HasField(p) for p in pair):
        if rank != 2 or values:
            raise Refusal(
                f"names {what}_h or {what}_w {'beside ' + single if values else f'over {rank} axes of space'}"
            )
        return tuple(getattr(message, p) for p in pair)
    if not values and default is not None:
        return (default,) * rank
    if len(values) not in (1, rank):
        raise Refusal(f"has {len(values)} values of {single} for {rank} axes of space")
    return tuple(values) * rank if len(values) == 1 else tuple(values)


def _listed(value: Any, message: Any, field: str) -> list[int]:
    """The values of a field: all of a list, or the one that is set."""
    if isinstance(value, int):
        return [value] if message.HasField(field) else []
    return [int(v) for v in value]
