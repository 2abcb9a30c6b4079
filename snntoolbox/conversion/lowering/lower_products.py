"""Brings products of two values to the form that spikes can multiply: counts times counts that came before.

``max(x y, 0)`` of two values that spikes carry is what neurons do whose synapses are latched (`Latched`), where all
that carries y has fired before what carries x. So a value that has a constant part, or comes from an input, is
rectified first, ``v = relu(v) - relu(-v)``; where none comes before the other, what sends the deeper one, or that value
itself, is rectified once more, which takes a turn longer. A product of any sign is ``relu(x y) - relu(-x y)``. Where
the second factor is to be `whole` only what is analogue in it is rectified, and a neuron that always fires carries what
is constant, so that nothing of the sum is rounded. All of it is exact.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from snntoolbox.ir.editing import Editing
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import LinearNode, Node, Origin, Shape
from snntoolbox.ir.nodes import (
    Add,
    AveragePool,
    Concat,
    Conv,
    Dense,
    Input,
    MatrixProduct,
    MaxPool,
    Mean,
    MovingNode,
    Multiply,
    ReLU,
    Reshape,
    Scale,
    Softmax,
)
from snntoolbox.ir.nodes.multiplying import PRODUCTS


@dataclass(frozen=True)
class LowerProducts:
    """Every product is read by rectifiers alone, and spikes carry both inputs: those of the second come before.

    A rectifier that reads one is a population of its own, and its product no other node.
    """

    def __call__(self, graph: Graph) -> Graph:
        """The graph with those rectifiers; the same one where nothing is multiplied."""
        products = [n for n in graph.nodes.values() if isinstance(n, PRODUCTS)]
        if not products:
            return graph
        lowering = _Lowering(Editing(graph))
        for product in products:
            lowering.lower(product.name)
        return lowering.editing.graph()


class _Lowering:
    """One product after the other, from the inputs to the outputs; `new` are the nodes that the present one needs."""

    def __init__(self, editing: Editing) -> None:
        self.editing = editing
        self.new: dict[str, Node] = {}
        self.turns: dict[str, tuple[int, int]] = {}
        self.signs: dict[str, bool] = {}
        self.sent: dict[str, str] = {}
        self.one = ""

    def lower(self, name: str) -> None:
        """Bring one product to its form."""
        node, self.new = self.editing.nodes[name], {}
        one, other = node.inputs
        first = self._carried(one, f"{name}.x")
        whole = isinstance(node, Multiply) and node.whole
        second = self._whole(other) if whole else self._carried(other, f"{name}.y")
        later, earlier, exchanged = self._in_order(first, second, name)
        positive = self._positive(first) and self._positive(second)
        readers = [self.editing.nodes[r] for r in self.editing.readers(name)]
        if isinstance(node, MatrixProduct):
            sums = node.contraction.swapped if exchanged else node.contraction
            product: Node = replace(node, inputs=(later, earlier), contraction=sums)
        else:
            product = Multiply(name=name, inputs=(later, earlier), origin=node.origin)
        self._add(product)
        if len(readers) == 1 and _rectifies(readers[0]) and not self.editing.is_output(name):
            self.editing.edit(self.new.values())
            return
        end = self._add(ReLU(name=self._fresh(f"{name}.product"), inputs=(name,), origin=node.origin))
        if not positive:
            end = self._signed(product, end)
        self.editing.edit(self.new.values(), redirect={name: end})

    def _signed(self, product: Node, up: str) -> str:
        """A product less its negative part."""
        name, (later, earlier), origin = product.name, product.inputs, product.origin
        minus = self._add(self._negated(f"{name}.minus", later, len(self._shape(later)), origin))
        negative = self._add(product.renamed(self._fresh(f"{name}.negative")).with_inputs(minus, earlier))
        down = self._add(ReLU(name=self._fresh(f"{name}.down"), inputs=(negative,), origin=origin))
        return self._add(self._difference(f"{name}.signed", up, down, origin))

    def _negated(self, stem: str, source: str, rank: int, origin: Origin | None) -> Node:
        return Scale(name=self._fresh(stem), inputs=(source,), gain=np.full((1,) * rank, -1.0), origin=origin)

    def _difference(self, stem: str, up: str, down: str, origin: Origin | None) -> Node:
        return Add(name=self._fresh(stem), inputs=(up, down), coefficients=(1.0, -1.0), origin=origin)

    def _node(self, name: str) -> Node:
        return self.new[name] if name in self.new else self.editing.nodes[name]

    def _fresh(self, stem: str) -> str:
        return self.editing.fresh(stem, self.new)

    def _add(self, node: Node) -> str:
        self.new[node.name] = node
        return node.name

    # -- values that spikes carry -------------------------------------------------------------------------------

    def _carried(self, source: str, stem: str) -> str:
        """`source`, or where spikes alone do not carry it what does."""
        return source if self._by_spikes(source) else self._rectified(source, stem)

    def _by_spikes(self, name: str) -> bool:
        """Whether a value is a linear map, without a constant part, of what rectifiers send."""
        waiting = [name]
        while waiting:
            node = self._node(waiting.pop())
            if isinstance(node, ReLU):
                continue
            if not isinstance(node, LinearNode) or node.bias is not None:
                return False
            waiting += node.inputs
        return True

    def _rectified(self, source: str, stem: str) -> str:
        """The value by the spikes of one rectifier, or of two where it may be negative; moved about behind them.

        Before all moves, as far as there are no more values than behind some: of three parts of a layer one.
        """
        moves, places = list[Node](), [source]
        while isinstance(node := self._node(places[-1]), MovingNode) and len(node.inputs) == 1 and node.bias is None:
            moves.append(node)
            places += node.inputs
        sizes = [math.prod(self._shape(place)) for place in places]
        lowest = len(sizes) - 1 - sizes[::-1].index(min(sizes))
        end = self._split(places[lowest], stem, self._node(places[lowest]).origin)
        for move in reversed(moves[:lowest]):
            end = self._add(move.renamed(self._fresh(f"{stem}.{move.name}")).with_inputs(end))
        return end

    def _split(self, source: str, stem: str, origin: Origin | None) -> str:
        up = self._add(ReLU(name=self._fresh(f"{stem}.up"), inputs=(source,), origin=origin))
        if self._positive(source):
            return up
        minus = self._add(self._negated(f"{stem}.minus", source, len(self._shape(source)), origin))
        down = self._add(ReLU(name=self._fresh(f"{stem}.down"), inputs=(minus,), origin=origin))
        return self._add(self._difference(f"{stem}.whole", up, down, origin))

    def _whole(self, name: str) -> str:
        """The value by spikes, rounded no more than those are: a copy of the linear maps from them to it."""
        if name not in self.sent:
            self.sent[name] = name if self._by_spikes(name) else self._copied(name)
        return self.sent[name]

    def _copied(self, name: str) -> str:
        node = self._node(name)
        if not isinstance(node, LinearNode) or self._turns(name) == (0, 0):
            return self._rectified(name, name)
        read = [self._whole(source) for source in node.inputs]
        mapped = self._add(node.renamed(self._fresh(f"{name}.sent")).with_inputs(*read).with_bias(None))
        if node.bias is None:
            return mapped
        shape = self.editing.shapes[name]
        weight = np.broadcast_to(node.bias, shape).reshape(-1, 1).astype(np.float64)
        map_ = Dense(name=self._fresh(f"{name}.weights"), inputs=(self._always(),), weight=weight, origin=node.origin)
        flat = self._add(map_)
        constant = self._add(Reshape(name=self._fresh(f"{name}.constant"), inputs=(flat,), shape=shape))
        return self._add(Add(name=self._fresh(f"{name}.shifted"), inputs=(mapped, constant), origin=node.origin))

    def _always(self) -> str:
        """The neuron of shape (1,) that sends 1 whatever comes: one for all products."""
        if not self.one:
            source = next(n.name for n in self.editing.nodes.values() if isinstance(n, Input))
            axes = tuple(range(len(self.editing.shapes[source])))
            if axes:
                source = self._add(Mean(name=self._fresh("always.mean"), inputs=(source,), axes=axes, keepdims=True))
            flat = self._add(Reshape(name=self._fresh("always.flat"), inputs=(source,), shape=(1,)))
            none = Scale(name=self._fresh("always.one"), inputs=(flat,), gain=np.zeros(1), bias=np.ones(1))
            self.one = self._add(ReLU(name=self._fresh("always"), inputs=(self._add(none),), max_value=1.0, levels=1))
        return self.one

    def _shape(self, name: str) -> Shape:
        """The shape of a value, which may be new here."""
        if name not in self.new:
            return self.editing.shapes[name]
        return self.new[name].output_shape(*map(self._shape, self.new[name].inputs))

    def _positive(self, name: str) -> bool:
        """Whether a value is never negative, as far as the nodes tell."""
        if name not in self.signs:
            node = self._node(name)
            shares = isinstance(node, Softmax) and not node.log
            below = _keeps_sign(node) and all(self._positive(i) for i in node.inputs)
            self.signs[name] = shares or below or isinstance(node, ReLU)
        return self.signs[name]

    # -- turns --------------------------------------------------------------------------------------------------

    def _in_order(self, first: str, second: str, stem: str) -> tuple[str, str, bool]:
        """Both values, the later one first, and whether that was the second; rectified where they come together."""
        one, other = self._turns(first), self._turns(second)
        if one[1] < other[0]:
            return second, first, True
        if other[1] < one[0]:
            return first, second, False
        if one[1] >= other[1]:
            return self._waiting(first, other[1], stem), second, False
        return self._waiting(second, one[1], stem), first, True

    def _waiting(self, source: str, turn: int, stem: str) -> str:
        """The value behind that turn: by what sends it once more, so that nothing is rounded, where these are few."""
        carriers = self._carriers(source)
        neurons = sum(math.prod(self._shape(carrier)) for carrier in carriers)
        most = math.prod(self.editing.shapes[stem])
        if isinstance(self.editing.nodes[stem], MatrixProduct):  # which may have fewer values than its factors
            most = max(most, 2 * math.prod(self._shape(source)))
        if self._turns(source)[0] < turn or neurons > most:
            return self._rectified(source, f"{stem}.later")
        later: dict[str, str] = {}
        for name in carriers:
            again = ReLU(name=self._fresh(f"{stem}.later"), inputs=(name,), origin=self._node(name).origin)
            later[name] = self._add(again)
        return self._reading(source, later, stem)

    def _carriers(self, name: str) -> list[str]:
        """The rectifiers whose spikes carry a value."""
        waiting, found = [name], dict[str, None]()
        while waiting:
            node = self._node(waiting.pop())
            if isinstance(node, ReLU):
                found[node.name] = None
            else:
                waiting += node.inputs
        return [*found]

    def _reading(self, name: str, later: dict[str, str], stem: str) -> str:
        """The value by what stands in `later` for its carriers; maps that it has read so are added to that."""
        if name not in later:
            node = self._node(name)
            read = [self._reading(source, later, stem) for source in node.inputs]
            later[name] = self._add(node.renamed(self._fresh(f"{stem}.{name}")).with_inputs(*read))
        return later[name]

    def _turns(self, name: str) -> tuple[int, int]:
        """The first and the last turn in which what carries a value fires; inputs come in turn 0."""
        if name not in self.turns:
            node = self._node(name)
            below = [self._turns(i) for i in node.inputs]
            last = max((high for _, high in below), default=0)
            if isinstance(node, ReLU | MaxPool):
                self.turns[name] = (last + 1, last + 1)
            else:
                self.turns[name] = (min((low for low, _ in below), default=0), last)
        return self.turns[name]


def _rectifies(node: Node) -> bool:
    return isinstance(node, ReLU) and node.of_input


def _keeps_sign(node: Node) -> bool:
    """Whether a node makes no negative value of values that are not."""
    if isinstance(node, MaxPool | Multiply | MatrixProduct):
        return True
    if not isinstance(node, LinearNode) or isinstance(node, Input):
        return False
    if node.bias is not None and np.any(node.bias < 0):
        return False
    if isinstance(node, Add):
        return all(factor >= 0 for factor in node.factors)
    if isinstance(node, Conv | Dense | Scale):
        return node.weights is not None and bool(np.all(node.weights >= 0))
    return isinstance(node, AveragePool | Mean | MovingNode | Concat)
