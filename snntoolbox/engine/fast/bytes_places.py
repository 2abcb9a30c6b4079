"""Bytes that are moved without being copied: where the places of a moved train begin in the train itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from snntoolbox.engine.fast.bytes_layout import rows, shaped
from snntoolbox.engine.kernels import prepare
from snntoolbox.engine.tensors import Target
from snntoolbox.ir.node import Array, Node, Shape


class Moved:
    """A train of bytes of one shape behind some moves (takes, paddings, reshapes, permutations).

    `channels` is how many values lie side by side at a place, `shape` what comes out.
    """

    def __init__(self, source: Shape, moves: Sequence[Node]) -> None:
        self.source, self.moves, self.shape = source, moves, source
        for node in moves:
            self.shape = node.output_shape(self.shape)
        self.channels = self.shape[0]

    @cached_property
    def starts(self) -> Array | None:
        """Where the channels of each place begin in a sample of the train, -1 where they are zeros.

        None where they do not lie side by side there, see `layout.rows`.
        """
        numbers = shaped(torch.arange(1.0, math.prod(self.source) + 1, dtype=torch.float64)[None], self.source)
        for kernel in self._kernels(torch.float64):
            numbers = kernel(numbers)
        found = rows(numbers).numpy().reshape(-1, self.channels).astype(np.int64) - 1
        first = found[:, :1]
        wanted = np.where(first < 0, -1, first + np.arange(self.channels))
        return np.ascontiguousarray(found[:, 0]) if np.array_equal(found, wanted) else None

    def bytes(self, x: Tensor) -> tuple[Array, int, Array]:
        """The train in memory, flat; how long one sample of it is; and where the channels of each place begin."""
        if self.starts is not None:
            return _flat(x), math.prod(self.source), self.starts
        size = math.prod(self.shape)
        return _flat(self(x)), size, np.arange(0, size, self.channels)

    def __call__(self, x: Tensor) -> Tensor:
        """The bytes (samples, *shape) themselves."""
        for kernel in self._bytes:
            x = kernel(x)
        return x

    @cached_property
    def _bytes(self) -> list[Callable[..., Tensor]]:
        return self._kernels(torch.uint8)

    def _kernels(self, dtype: torch.dtype) -> list[Callable[..., Tensor]]:
        target, shape, found = Target(torch.device("cpu"), dtype), self.source, []
        for node in self.moves:
            found.append(prepare(node, (shape,), target))
            shape = node.output_shape(shape)
        return found


def _flat(x: Tensor) -> Array:
    return np.asarray(rows(x).contiguous().numpy().reshape(-1))
