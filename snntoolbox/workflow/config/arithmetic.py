"""Works out literals of Python with a little arithmetic, ``1./255`` or ``range(3)``, from their syntax alone."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

_LARGEST = 2.0**200
"""No number on the way is larger."""
_LARGEST_POWER = 200
_LONGEST = 100_000
"""Values of a range."""

_OPERATORS: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_SIGNS: Mapping[type[ast.unaryop], Callable[[Any], Any]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}
_COLLECTIONS: Mapping[str, Callable[..., Any]] = {"list": list, "tuple": tuple, "set": set}


def worked_out(text: str) -> Any:
    """The value of literals, arithmetic of numbers, and `range`, `list`, `tuple`, `set`, `dict` of them.

    ValueError where the text is anything else, or a number or range is too large; a range becomes a list.
    """
    try:
        return _value(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, TypeError, ArithmeticError, RecursionError, MemoryError, ValueError):
        raise ValueError("a Python literal") from None


def _value(node: ast.expr) -> Any:
    """The value of one expression."""
    rule = _RULES.get(type(node))
    if rule is None:
        raise ValueError("no literal")
    return rule(node)


def _constant(node: ast.Constant) -> Any:
    if isinstance(node.value, (complex, type(...))):
        raise ValueError("no setting")
    return node.value


def _dictionary(node: ast.Dict) -> dict[Any, Any]:
    if None in node.keys:
        raise ValueError("a dictionary within a dictionary")
    return {_value(key): _value(value) for key, value in zip(node.keys, node.values, strict=True) if key is not None}


def _number(node: ast.expr) -> Any:
    value = _value(node)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("no number")
    return value


def _signed(node: ast.UnaryOp) -> Any:
    return _SIGNS[type(node.op)](_number(node.operand)) if type(node.op) in _SIGNS else _refuse()


def _combined(node: ast.BinOp) -> Any:
    if type(node.op) not in _OPERATORS:
        return _joined(node)
    left, right = _number(node.left), _number(node.right)
    if isinstance(node.op, ast.Pow) and abs(right) > _LARGEST_POWER:
        raise ValueError("too large a power")
    value = _OPERATORS[type(node.op)](left, right)
    if isinstance(value, complex) or not math.isfinite(value) or abs(value) > _LARGEST:
        raise ValueError("no number, or too large a one")
    return value


def _joined(node: ast.BinOp) -> Any:
    """What two sets hold together; the toolbox writes sets of names so."""
    left, right = _value(node.left), _value(node.right)
    return left | right if isinstance(node.op, ast.BitOr) and isinstance(left, set) else _refuse()


def _called(node: ast.Call) -> Any:
    """A range or a collection."""
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name == "dict" and not node.args:
        return {word.arg: _value(word.value) for word in node.keywords if word.arg is not None or _refuse()}
    values = [_value(argument) for argument in node.args]
    if node.keywords:
        _refuse()
    if name == "range":
        span = range(*values)
        return list(span) if len(span) <= _LONGEST else _refuse()
    if name not in _COLLECTIONS or any(not isinstance(v, (list, tuple, set)) for v in values):
        _refuse()
    return _COLLECTIONS[name](*values)


def _refuse() -> Any:
    raise ValueError("nothing that is worked out")


_RULES: Mapping[type[ast.expr], Callable[[Any], Any]] = {
    ast.Constant: _constant,
    ast.List: lambda node: [_value(item) for item in node.elts],
    ast.Tuple: lambda node: tuple(_value(item) for item in node.elts),
    ast.Set: lambda node: {_value(item) for item in node.elts},
    ast.Dict: _dictionary,
    ast.UnaryOp: _signed,
    ast.BinOp: _combined,
    ast.Call: _called,
}
