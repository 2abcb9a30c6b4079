"""A Keras layer as its handler gets it: one call, with the layer's config, weights and arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from snntoolbox.frontends.keras.records import Layer, Net
from snntoolbox.frontends.layer_call import Activation, LayerCall, Operand, Refusal, per_axis, real
from snntoolbox.ir.node import Array


@dataclass(frozen=True, eq=False, kw_only=True)
class KerasCall(LayerCall):
    """`args` and `kwargs` are what the layer is called with, an `Activation` in the place of each tensor."""

    net: Net
    layer: Layer
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    @property
    def config(self) -> Mapping[str, Any]:
        """The layer's config."""
        return self.layer.config or {}

    @property
    def channels_last(self) -> bool:
        """The layout that the layer works in."""
        return bool(self.config.get("data_format", "channels_last") != "channels_first")

    @property
    def space(self) -> range:
        """The axes of the sample that are spatial."""
        rank = len(self.shape())
        return range(rank - 1) if self.channels_last else range(1, rank)

    def weight(self, *names: str) -> Array:
        """The weight under the first of these names that the layer has."""
        for name in names:
            if name in self.layer.weights:
                return self.layer.weights[name]
        raise Refusal(f"has no weight '{names[0]}'")

    @property
    def bias(self) -> Array | None:
        """The bias vector, None where the layer has none."""
        return self.layer.weights.get("bias")

    def sizes(self, key: str, rank: int, default: Any = 1) -> tuple[int, ...]:
        """A config value that is one integer or one per spatial axis, as the latter."""
        value = self.config.get(key)
        return per_axis(key, default if value is None else value, rank)

    def operands(self) -> tuple[Operand, Operand]:
        """The two things that an operation of arithmetic works on."""
        if len(self.args) != 2 or self.kwargs:
            raise Refusal("called in a way that is not supported")
        first, second = (a if isinstance(a, Activation) else constant(a) for a in self.args)
        return first, second

    def in_channels_first(self, operation: Callable[[str], str]) -> str:
        """The operation, which works on (channels, *space), between the permutations that the layer's layout needs.

        Nothing is permuted back where the operation leaves only the channels.
        """
        source, rank = self.source(), len(self.shape())
        if not self.channels_last:
            return operation(source)
        inner = operation(self.builder.channels_first(f"{self.name}_channels_first", source, self.origin))
        if len(self.shape(inner)) != rank:
            return inner
        return self.builder.channels_last(f"{self.name}_channels_last", inner, self.origin)


def constant(value: Any) -> Array:
    """An array from a number, a list, an array, or what Keras writes into a file for one."""
    if isinstance(value, Mapping) and value.get("class_name") in ("__numpy__", "__tensor__"):
        value = value["config"]["value"]
    try:
        return real(np.asarray(value)).astype(np.float64)
    except (TypeError, ValueError):
        raise Refusal("a constant that is not made of numbers") from None
