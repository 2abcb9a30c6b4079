"""Expressions that stand for Theano's: each notes an operation and what it works on, and computes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from snntoolbox.ir.node import Array, Shape

Where = tuple[str, str]
"""The kind and the name of a layer."""


class Expression:
    """An operation on expressions and constants; `where` is the layer that it belongs to, `shape` as far as known.

    Whatever a Theano variable can be asked for that is not here is an operation of that name.
    """

    where: Where | None = None
    """The layer whose output is being written."""
    __array_ufunc__ = None  # numpy leaves arithmetic with it to this class
    __hash__ = object.__hash__

    def __init__(self, op: str, *operands: Any, shape: tuple[int | None, ...] | None = None, **settings: Any) -> None:
        self.op = op
        self.operands = operands
        self.settings = settings
        self.known_shape = shape
        self.layer = Expression.where
        self.name: str | None = None

    @property
    def ndim(self) -> int:
        """The number of axes, where a layer knows it."""
        return len(self.shape)

    @property
    def shape(self) -> tuple[int | None, ...]:
        """The sizes, where a layer knows them."""
        if self.known_shape is None:
            raise TypeError(f"the shape of '{self.op}' is not known before the network runs")
        return self.known_shape

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name == "T":
            return Expression("transpose", self)
        return recorder(name, self)

    def __call__(self, *operands: Any, **settings: Any) -> Expression:
        """A note of the call."""
        return Expression("call", self, *operands, **settings)

    def __getitem__(self, key: Any) -> Expression:
        return Expression("getitem", self, key=key)

    def __iter__(self) -> Iterator[Any]:
        raise TypeError(f"the parts of '{self.op}' are not known before the network runs")

    def __neg__(self) -> Expression:
        return Expression("neg", self)

    def __abs__(self) -> Expression:
        return Expression("abs_", self)


def _arithmetic(op: str, *, reflected: bool = False) -> Callable[[Any, Any], Expression]:
    def operation(self: Any, other: Any) -> Expression:
        return Expression(op, other, self) if reflected else Expression(op, self, other)

    return operation


for _name, _op in {
    **{"add": "add", "sub": "sub", "mul": "mul", "truediv": "true_div", "div": "true_div", "floordiv": "int_div"},
    **{"pow": "pow", "mod": "mod"},
}.items():
    setattr(Expression, f"__{_name}__", _arithmetic(_op))
    setattr(Expression, f"__r{_name}__", _arithmetic(_op, reflected=True))
for _op in ("gt", "ge", "lt", "le"):
    setattr(Expression, f"__{_op}__", _arithmetic(_op))


class Shared(Expression):
    """A parameter: its shape, and its value once it has been set."""

    def __init__(self, value: Array | None, shape: Shape, name: str | None = None) -> None:
        super().__init__("shared", shape=tuple(shape))
        self.value = value
        self.name = name

    def get_value(self, *_: Any, **__: Any) -> Array:
        """The value; zeros before one has been set."""
        return np.zeros(self.sizes, np.float32) if self.value is None else self.value

    def set_value(self, value: Any, *_: Any, **__: Any) -> None:
        """Replace the value."""
        self.value = np.asarray(value)
        self.known_shape = self.value.shape

    @property
    def sizes(self) -> Shape:
        """The shape, all of which is known."""
        return tuple(int(n or 0) for n in self.shape)


def recorder(op: str, *first: Any) -> Callable[..., Expression]:
    """A function that notes a call of this name."""

    def record(*operands: Any, **settings: Any) -> Expression:
        return Expression(op, *first, *operands, **settings)

    record.__name__ = op
    return record


def inside(value: Any) -> list[Expression]:
    """The expressions among an operand: itself, or those in a list of them."""
    if isinstance(value, Expression):
        return [value]
    return [e for v in value for e in inside(v)] if isinstance(value, list | tuple) else []


def ordered(ends: list[Expression]) -> list[Expression]:
    """Every expression that the ends depend on, each behind what it works on."""
    order: list[Expression] = []
    state: dict[int, bool] = {}
    todo = [(end, False) for end in reversed(ends)]
    while todo:
        node, done = todo.pop()
        if done:
            state[id(node)] = True
            order.append(node)
        elif id(node) not in state:
            state[id(node)] = False
            todo.append((node, True))
            todo += [(e, False) for operand in reversed(node.operands) for e in reversed(inside(operand))]
    return order
