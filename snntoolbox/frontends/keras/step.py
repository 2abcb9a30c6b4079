"""What a handler is given: one call of a layer with its config, weights and inputs, and the graph being built."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from snntoolbox.frontends.keras.records import Layer, Net, refs
from snntoolbox.ir.builder import GraphBuilder
from snntoolbox.ir.node import Array, Origin, Shape

# Values per sample in one layer: more is a damaged file, or one that was made to fill the memory.
MAX_VALUES = 2**27


class Refused(Exception):  # noqa: N818 (not an error of ours: it is caught and listed)
    """Raised by a handler for a layer that it cannot take; the text is the reason."""


@dataclass(frozen=True)
class Step:
    """One call being lowered; `args` and `kwargs` hold a `Ref` to a node of the graph for each tensor."""

    builder: GraphBuilder
    net: Net
    layer: Layer
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The user's name of the layer."""
        return self.layer.name

    @property
    def config(self) -> Mapping[str, Any]:
        """The layer's config."""
        return self.layer.config or {}

    @property
    def origin(self) -> Origin:
        """The layer, for messages."""
        return self.builder.origin(self.layer.kind, self.layer.name)

    @property
    def sources(self) -> tuple[str, ...]:
        """The nodes that the layer reads."""
        return tuple(r.key for r in refs((self.args, self.kwargs)))

    @property
    def source(self) -> str:
        """The only node that the layer reads."""
        if len(self.sources) != 1:
            raise Refused(f"called with {len(self.sources)} tensors instead of one")
        return self.sources[0]

    @property
    def shape(self) -> Shape:
        """The shape of the only input, in Keras' order of axes."""
        return self.builder.shape(self.source)

    @property
    def channels_last(self) -> bool:
        """The layout that the layer works in."""
        return bool(self.config.get("data_format", "channels_last") != "channels_first")

    @property
    def space(self) -> range:
        """The axes of the sample that are spatial."""
        return range(len(self.shape) - 1) if self.channels_last else range(1, len(self.shape))

    def weight(self, *names: str) -> Array:
        """The weight under the first of these names that the layer has."""
        for name in names:
            if name in self.layer.weights:
                return self.layer.weights[name]
        raise Refused(f"has no weight '{names[0]}'")

    @property
    def bias(self) -> Array | None:
        """The bias vector, None where the layer has none."""
        return self.layer.weights.get("bias")

    def sizes(self, key: str, rank: int, default: Any = 1) -> tuple[int, ...]:
        """A config value that is one integer or one per spatial axis, as the latter."""
        value = self.config.get(key)
        value = default if value is None else value
        given = (value,) * rank if isinstance(value, int) else tuple(value)
        if any(isinstance(v, bool) or not isinstance(v, int) or not 0 <= v < 2**31 for v in given):
            raise Refused(f"{key} = {value}")
        if len(given) == rank:
            return given
        if len(given) == 1:
            return given * rank
        raise Refused(f"{key} {given} does not fit {rank} spatial axes")

    def axis(self, axis: Any, rank: int | None = None) -> int:
        """An axis of Keras, which counts the batch, as an axis of the sample."""
        rank = len(self.shape) if rank is None else rank
        if isinstance(axis, list | tuple) and len(axis) == 1:
            axis = axis[0]
        if not isinstance(axis, int) or not -rank <= axis <= rank or axis == 0:
            raise Refused(f"axis {axis} (one axis other than the batch is supported)")
        return axis - 1 if axis > 0 else axis + rank

    def in_channels_first(self, operation: Callable[[str], str]) -> str:
        """The operation, which works on (channels, *space), between the permutations that the layer's layout needs.

        Nothing is permuted back where the operation leaves only the channels.
        """
        source, rank = self.source, len(self.shape)
        if not self.channels_last:
            return operation(source)
        first = (rank - 1, *range(rank - 1))
        inner = operation(self.builder.permute(f"{self.name}_channels_first", source, first, self.origin))
        if len(self.builder.shape(inner)) != rank:
            return inner
        return self.builder.permute(f"{self.name}_channels_last", inner, (*range(1, rank), 0), self.origin)


def check_size(shape: Shape) -> None:
    """Refused where a value of this shape is too large to be a layer's."""
    if math.prod(shape) > MAX_VALUES:
        raise Refused(f"its output {tuple(shape)} is too large")


def constant(value: Any) -> Array:
    """An array from a number, a list, an array, or what Keras writes into a file for one."""
    if isinstance(value, Mapping) and value.get("class_name") in ("__numpy__", "__tensor__"):
        value = value["config"]["value"]
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise Refused("a constant that is not made of numbers") from None
