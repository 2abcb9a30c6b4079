"""Works out what the outputs of a graph say, from what stands at their end."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from snntoolbox.errors import ArgumentError
from snntoolbox.ir.head import Head, usual_head
from snntoolbox.ir.node import Node, Shape
from snntoolbox.ir.nodes.elementwise import Elementwise
from snntoolbox.ir.nodes.moving import MovingNode, Permute, Reshape, Take
from snntoolbox.ir.nodes.nonlinear import Softmax

MOVING = (Reshape, Permute, Take)
"""What may stand behind a softmax or sigmoid that still ends its output."""


@dataclass(frozen=True, eq=False)
class End:
    """The node that gives an output its values, and what moves these on the way to the output, in order."""

    node: Node
    moves: tuple[MovingNode, ...]


def end_of(nodes: Mapping[str, Node], output: str) -> End:
    """What gives an output its values."""
    moves: list[MovingNode] = []
    node = nodes[output]
    while isinstance(node, MOVING) and node.bias is None:
        moves.append(node)
        node = nodes[node.inputs[0]]
    return End(node, tuple(reversed(moves)))


def worked_out(nodes: Mapping[str, Node], shapes: Mapping[str, Shape], outputs: Sequence[str]) -> tuple[Head, ...]:
    """The head of each output.

    A softmax names the axis of the classes, wherever the moves behind it put that; a single sigmoid is the probability
    of class 1. Else the shape decides, see `usual_head`.
    """
    return tuple(_head(nodes, shapes, output) for output in outputs)


def told(head: Head | str, nodes: Mapping[str, Node], shapes: Mapping[str, Shape], output: str) -> Head:
    """The head that a user gives an output, as it is or by its kind; ArgumentError where it cannot have it.

    The classes of a softmax are where it has them; a sigmoid's values say 1 above 1/2.
    """
    end, shape = end_of(nodes, output), shapes[output]
    if not isinstance(head, Head):
        head = Head(kind=head)  # type: ignore[arg-type] # its own check names the kinds
        if head.kind == "classes" and isinstance(end.node, Softmax):
            return _head(nodes, shapes, output)
        if head.kind == "logits" and _is_sigmoid(end.node):
            return Head(kind="logits", threshold=0.5)
    if head.kind == "logits" and _is_sigmoid(end.node) and not 0 < head.threshold < 1:
        wrong = f"the output '{output}' is a sigmoid, whose values are never on both sides of {head.threshold:g}"
        raise ArgumentError(wrong, hint="a threshold between 0 and 1; head='logits' means 0.5")
    return head.check(shape, output)


def _is_sigmoid(node: Node) -> bool:
    return isinstance(node, Elementwise) and node.function == "sigmoid"


def _head(nodes: Mapping[str, Node], shapes: Mapping[str, Shape], output: str) -> Head:
    end, shape = end_of(nodes, output), shapes[output]
    if isinstance(end.node, Softmax):
        return softmax_head(end, shapes[end.node.name], shape) or Head()
    if _is_sigmoid(end.node) and math.prod(shape) == 1:
        return Head(kind="logits", threshold=0.5)
    return usual_head(shape)


def softmax_head(end: End, before: Shape, shape: Shape) -> Head | None:
    """The classes of a softmax over values of shape `before`, seen in the output's `shape`.

    None where they have no axis there: one value is normalised alone, some values are left out, or several places
    were put into one axis with the classes.
    """
    assert isinstance(end.node, Softmax)
    axis = end.node.axis % len(before)
    if before[axis] == 1:
        return None
    moved = np.arange(math.prod(before), dtype=np.float64).reshape(1, *before)
    for move in end.moves:
        moved = move.linear(moved)
    if not np.array_equal(np.sort(moved, axis=None), np.arange(math.prod(before))):
        return None
    if math.prod(before) == before[axis]:
        return Head(kind="classes")
    places = np.arange(math.prod(before) // before[axis]).reshape(*before[:axis], 1, *before[axis + 1 :])
    place = np.broadcast_to(places, before).ravel()[moved[0].astype(np.intp)]
    along = [a for a, n in enumerate(shape) if n == before[axis] and not np.diff(place, axis=a).any()]
    return Head(kind="classes", axis=along[0]) if along else None
