"""Runs a graph in torch, batch by batch: the fast way to the values that ``Graph.values`` defines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from snntoolbox.engine.kernels import Kernel, prepare
from snntoolbox.engine.tensors import Target, plain_arithmetic, short_products
from snntoolbox.errors import GraphError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.large_arrays import piece
from snntoolbox.ir.node import Array
from snntoolbox.ir.nodes import Input


class Executor:
    """A graph with its weights on a device; only the nodes that an answer needs are prepared and computed.

    `dtype` is the floating type of every value. `exact` is for spiking networks, see `tensors.Target`; `short` names
    nodes whose products lose nothing with shorter factors, see `fast.products_tf32`. `kernels` are functions of
    nodes in place of their own.
    """

    def __init__(
        self,
        graph: Graph,
        *,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
        exact: bool = False,
        short: frozenset[str] = frozenset(),
        kernels: Mapping[str, Kernel] | None = None,
    ) -> None:
        self.graph = graph
        self.target = Target(torch.device(device), dtype, exact)
        self.short = short
        self._kernels = dict(kernels or {})
        self._plan = lru_cache(maxsize=16)(self._planned)

    @classmethod
    def double(cls, graph: Graph) -> Executor:
        """A graph in float64 on the CPU, as exact as ``Graph.values`` and faster."""
        return cls(graph, dtype=torch.float64)

    def kernel(self, name: str) -> Kernel:
        """The function of a node, prepared on first use."""
        if name not in self._kernels:
            kernel = prepare(self.graph.nodes[name], self.graph.input_shapes(name), self.target)
            self._kernels[name] = _shortened(kernel) if name in self.short else kernel
        return self._kernels[name]

    def tensors(self, given: Mapping[str, Tensor], keep: Iterable[str]) -> dict[str, Tensor]:
        """Values of the nodes named in `keep` for a batch of each input; an input not given is zero."""
        kept = frozenset(keep)
        batch = len(next(iter(given.values())))
        values: dict[str, Tensor] = {}
        for name, done in self._plan(kept):
            node = self.graph.nodes[name]
            if not isinstance(node, Input):
                values[name] = self.kernel(name)(*(values[i] for i in node.inputs))
            elif name in given:
                values[name] = given[name]
            else:
                values[name] = self.zeros(name, batch)
            for source in done:
                del values[source]
        return {name: values[name] for name in sorted(kept, key=self.graph.rank.__getitem__)}

    def reads_short(self, name: str) -> bool:
        """Whether a product with shorter factors, of the `short` ones, is part of a node's value."""
        return any(node in self.short for node, _ in self._plan(frozenset([name]))) if self.short else False

    def zeros(self, name: str, batch: int) -> Tensor:
        """Zeros of a node's shape that take no memory."""
        zero = torch.zeros((), dtype=self.target.dtype, device=self.target.device)
        return zero.expand(batch, *self.graph.shapes[name])

    def values(self, *x: Array, keep: Iterable[str] | None = None) -> dict[str, Array]:
        """Like ``Graph.values`` for one batch: values of the nodes in `keep` (default: the outputs)."""
        given = {n: self._checked(n, a) for n, a in zip(self.graph.inputs, x, strict=True)}
        with plain_arithmetic():
            found = self.tensors(given, self.graph.outputs if keep is None else keep)
            return {name: value.cpu().numpy() for name, value in found.items()}

    def batches(
        self, *x: Array, keep: Iterable[str] | None = None, batch_size: int = 128
    ) -> Iterator[dict[str, Array]]:
        """`values` of one slice of the samples after the other; memory does not grow with their number."""
        kept = self.graph.outputs if keep is None else tuple(keep)
        for start in range(0, len(x[0]), batch_size):
            yield self.values(*(piece(array, start, start + batch_size) for array in x), keep=kept)

    def run(self, *x: Array, batch_size: int = 128) -> Array:
        """The first output for all samples, shape (samples, *shape)."""
        first = self.graph.outputs[0]
        parts = [part[first] for part in self.batches(*x, keep=(first,), batch_size=batch_size)]
        return np.concatenate(parts) if parts else np.zeros((0, *self.graph.shapes[first]))

    def _planned(self, keep: frozenset[str]) -> list[tuple[str, tuple[str, ...]]]:
        """The nodes to compute in order, each with the values that nobody needs after it."""
        nodes, order = self.graph.nodes, self.graph.above(keep)
        last_use = {i: n for n in order for i in nodes[n].inputs}
        plan = []
        for name in order:
            done = {i for i in nodes[name].inputs if last_use[i] == name}
            plan.append((name, tuple(sorted(done - keep))))
        return plan

    def _checked(self, name: str, array: Array) -> Tensor:
        array = np.asarray(array)
        if array.shape[1:] != self.graph.shapes[name]:
            raise GraphError(f"expects samples of shape {self.graph.shapes[name]}, got {array.shape[1:]}", layer=name)
        return self.target.tensor(array)


def _shortened(kernel: Kernel) -> Kernel:
    def compute(*x: Tensor) -> Tensor:
        with short_products():
            return kernel(*x)

    return compute
