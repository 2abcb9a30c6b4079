"""Moves reorderings of axes towards the outputs until they meet their inverse, so that convolutions follow directly.

Keeps ``f(P x) = P f(x)`` for elementwise f, ``P Q = (PQ)``, and ``W (P x) = (W P) x`` for a dense layer behind a
flattened permutation. Channels-last models and exporters that put transposes around convolutions end up without any.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Array, Node, Shape
from snntoolbox.ir.nodes import (
    Add,
    Concat,
    Dense,
    Elementwise,
    Floor,
    Input,
    Mean,
    Multiply,
    Normalise,
    Pad,
    Permute,
    ReLU,
    Reshape,
    Scale,
    Softmax,
    Take,
)

Axes = tuple[int, ...]


@dataclass(frozen=True)
class View:
    """A value of the old graph as `axes` permuting a new node's value, or as that flat value's `order`."""

    core: str
    axes: Axes = ()
    order: tuple[int, ...] = ()

    @property
    def plain(self) -> bool:
        """Whether the value is the new node's value itself."""
        return self.axes == tuple(range(len(self.axes))) and not self.order


@dataclass(frozen=True)
class CancelPermutes:
    """The pass; exact."""

    def __call__(self, graph: Graph) -> Graph:
        """The same function with permutations merged, cancelled or absorbed."""
        return _Sweep(graph).run()


class _Sweep:
    """One walk in topological order that builds the new nodes."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes: dict[str, Node] = {}
        self.shapes: dict[str, Shape] = {}
        self.views: dict[str, View] = {}
        self.nodes_of: dict[View, str] = {}

    def run(self) -> Graph:
        for name, node in self.graph.nodes.items():
            views = [self.views[i] for i in node.inputs]
            moved = None if all(v.plain for v in views) and not isinstance(node, Permute) else self._move(node, views)
            self.views[name] = moved or self._emit(node.with_inputs(*map(self._value, views)))
            if isinstance(node, Input) and (axes := _axes_behind_rectifiers(self.graph, name)) is not None:
                self.views[name] = self._turned(self.views[name], axes)
        outputs = [self._value(self.views[o]) for o in self.graph.outputs]
        heads = self.graph.heads
        return Graph(self.nodes.values(), outputs, name=self.graph.name, heads=heads).edited()

    def _emit(self, node: Node, axes: Axes | None = None, order: tuple[int, ...] = ()) -> View:
        if node.name in self.nodes:
            node = node.renamed(self.graph.fresh(node.name, self.nodes))
        self.nodes[node.name] = node
        self.shapes[node.name] = node.output_shape(*(self.shapes[i] for i in node.inputs))
        return View(node.name, tuple(range(len(self.shapes[node.name]))) if axes is None else axes, order)

    def _value(self, view: View) -> str:
        """The name of a node with the view's value, made where it is not there yet."""
        if view.plain:
            return view.core
        if view not in self.nodes_of:
            shape = self.shapes[view.core]
            origin = self.nodes[view.core].origin
            node: Node
            if view.order:
                name = self.graph.fresh(f"{view.core}.order", self.nodes)
                node = Take(name=name, inputs=(view.core,), axis=0, indices=view.order, origin=origin)
            elif _keeps_order(shape, view.axes):
                name = self.graph.fresh(f"{view.core}.reshape", self.nodes)
                node = Reshape(name=name, inputs=(view.core,), shape=tuple(shape[a] for a in view.axes), origin=origin)
            else:
                name = self.graph.fresh(f"{view.core}.permute", self.nodes)
                node = Permute(name=name, inputs=(view.core,), axes=view.axes, origin=origin)
            self.nodes_of[view] = self._emit(node).core
        return self.nodes_of[view]

    def _move(self, node: Node, views: list[View]) -> View | None:
        """The node applied before its inputs' permutations, or None where they must be carried out first."""
        if isinstance(node, Permute):
            (view,) = views
            axes = tuple(view.axes[a] for a in node.axes)
            return None if view.order or node.bias is not None else View(view.core, axes)
        if isinstance(node, Reshape):
            return self._reshape(node, views[0])
        if isinstance(node, (Add, Concat, Multiply)):
            return self._join(node, views)
        if views and views[0].order:
            return self._behind_order(node, views[0])
        handler = _BEHIND_AXES.get(type(node))
        return handler(self, node, views[0]) if handler else None

    def _reshape(self, node: Reshape, view: View) -> View | None:
        shape = self.shapes[view.core]
        if view.order:
            return None
        if _keeps_order(shape, view.axes):
            return self._emit(node.with_inputs(view.core))
        if len(node.shape) != 1:
            return None
        order = np.arange(node.shape[0]).reshape(shape).transpose(view.axes).ravel()
        bias = None if node.bias is None else _unordered(node.bias, order.tolist())
        return self._emit(replace(node, inputs=(view.core,), bias=bias), (0,), tuple(order.tolist()))

    def _join(self, node: Add | Concat | Multiply, views: list[View]) -> View | None:
        views = self._others_turned(views, any_value=isinstance(node, Multiply))
        first = views[0]
        if first.order or any(v.axes != first.axes or v.order for v in views):
            return None
        moved = node.with_inputs(*(v.core for v in views))
        if isinstance(moved, Multiply):
            return self._emit(moved, first.axes)
        if isinstance(moved, Concat):
            moved = replace(moved, axis=first.axes[moved.axis])
        return self._emit(replace(moved, bias=_unpermuted(moved.bias, first.axes)), first.axes)

    def _others_turned(self, views: list[View], *, any_value: bool) -> list[View]:
        """The views with inputs of the graph, or `any_value`, turned to the order of all others: channels first.

        Else channels would be the last axis behind a join with a channels-last input, or a product with a gate for each
        channel, and thresholds one per row.
        """
        others = {v.axes for v in views if not v.plain}
        plain = [self.nodes[v.core] for v in views if v.plain]
        turns = any_value or all(isinstance(n, Input) for n in plain)
        if len(others) != 1 or any(v.order for v in views) or not turns:
            return views
        (axes,) = others
        return [self._turned(v, _inverse(axes)) if v.plain else v for v in views]

    def _turned(self, view: View, axes: Axes) -> View:
        """The plain view of an input as one of the input permuted by `axes`."""
        return View(self._value(View(view.core, axes)), _inverse(axes))

    def _behind_order(self, node: Node, view: View) -> View | None:
        order = list(view.order)
        if isinstance(node, ReLU):
            bound = _unordered(node.max_value, order) if isinstance(node.max_value, np.ndarray) else node.max_value
            return self._emit(replace(node, inputs=(view.core,), max_value=bound), view.axes, view.order)
        if isinstance(node, Dense):
            weight = np.empty_like(node.weight)
            weight[:, order] = node.weight
            return self._emit(replace(node, inputs=(view.core,), weight=weight))
        if isinstance(node, Scale):
            gain, bias = _unordered(node.gain, order), None if node.bias is None else _unordered(node.bias, order)
            return self._emit(replace(node, inputs=(view.core,), gain=gain, bias=bias), view.axes, view.order)
        return None

    def same(self, node: Node, view: View) -> View:
        """An operation on single values."""
        return self._emit(node.with_inputs(view.core), view.axes)

    def relu(self, node: ReLU, view: View) -> View:
        """Its upper bounds permuted back."""
        bound = node.max_value
        bound = bound.transpose(np.argsort(view.axes)) if isinstance(bound, np.ndarray) and bound.ndim else bound
        return self._emit(replace(node, inputs=(view.core,), max_value=bound), view.axes)

    def softmax(self, node: Softmax, view: View) -> View:
        """The axis renamed."""
        return self._emit(replace(node, inputs=(view.core,), axis=view.axes[node.axis]), view.axes)

    def normalise(self, node: Normalise, view: View) -> View:
        """The axes renamed."""
        axes = tuple(sorted(view.axes[a] for a in node.axes))
        return self._emit(replace(node, inputs=(view.core,), axes=axes), view.axes)

    def scale(self, node: Scale, view: View) -> View:
        """Gain and bias permuted back."""
        gain = node.gain.transpose(np.argsort(view.axes))
        bias = _unpermuted(node.bias, view.axes)
        return self._emit(replace(node, inputs=(view.core,), gain=gain, bias=bias), view.axes)

    def dense(self, node: Dense, view: View) -> View:
        """The axis renamed."""
        axis = view.axes[node.axis]
        bias = _unpermuted(node.bias, view.axes)
        return self._emit(replace(node, inputs=(view.core,), axis=axis, bias=bias), view.axes)

    def take(self, node: Take, view: View) -> View:
        """The axis renamed."""
        bias = _unpermuted(node.bias, view.axes)
        return self._emit(replace(node, inputs=(view.core,), axis=view.axes[node.axis], bias=bias), view.axes)

    def pad(self, node: Pad, view: View) -> View:
        """The pads in the other order."""
        pads = tuple(node.pads[i] for i in np.argsort(view.axes))
        bias = _unpermuted(node.bias, view.axes)
        return self._emit(replace(node, inputs=(view.core,), pads=pads, bias=bias), view.axes)

    def mean(self, node: Mean, view: View) -> View:
        """The axes renamed; those left keep their relative order."""
        gone = {view.axes[a] for a in node.axes}
        if node.keepdims:
            axes = view.axes
        else:
            left = [a for a in view.axes if a not in gone]
            axes = tuple(sorted(left).index(a) for a in left)
        bias = _unpermuted(node.bias, axes)
        return self._emit(replace(node, inputs=(view.core,), axes=tuple(sorted(gone)), bias=bias), axes)


_BEHIND_AXES: dict[type[Node], Callable[..., View]] = {
    ReLU: _Sweep.relu,
    Floor: _Sweep.same,
    Elementwise: _Sweep.same,
    Softmax: _Sweep.softmax,
    Normalise: _Sweep.normalise,
    Scale: _Sweep.scale,
    Dense: _Sweep.dense,
    Take: _Sweep.take,
    Pad: _Sweep.pad,
    Mean: _Sweep.mean,
}


def _axes_behind_rectifiers(graph: Graph, name: str) -> Axes | None:
    """What all permutations do that follow on an input behind rectifiers, at least one, and other single-value nodes.

    These nodes can stand behind the permutation, where the first axis is the channels: a rectifier has its thresholds
    along it. None where there is no such permutation, or they differ.
    """
    orders, waiting = set(), [(reader, False) for reader in graph.consumers[name]]
    while waiting:
        reader, rectified = waiting.pop()
        node = graph.nodes[reader]
        if isinstance(node, Permute) and rectified and node.bias is None:
            orders.add(node.axes)
        elif isinstance(node, ReLU | Floor | Scale):
            waiting += [(r, rectified or isinstance(node, ReLU)) for r in graph.consumers[reader]]
    return orders.pop() if len(orders) == 1 else None


def _inverse(axes: Axes) -> Axes:
    return tuple(int(a) for a in np.argsort(axes))


def _keeps_order(shape: Shape, axes: Axes) -> bool:
    """Whether permuting moves axes of length one only: then it is a reshape."""
    moved = [a for a in axes if shape[a] != 1]
    return moved == sorted(moved)


def _unpermuted(array: Array | None, axes: Axes) -> Array | None:
    return None if array is None else array.transpose(np.argsort(axes))


def _unordered(array: Array, order: list[int]) -> Array:
    if array.size == 1:
        return array
    back = np.empty_like(array)
    back[order] = array
    return back
