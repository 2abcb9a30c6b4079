"""The operators that are worked out on constants, and how large their results will be: told before they are made.

The list holds what exporters write into files for weights and shapes, and what the reference implementation computes
in numpy, in a time that its sizes tell. Others run loops in Python, match regular expressions, or make tensors of
sizes that nobody can tell.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from snntoolbox.frontends.layer_call import Refusal
from snntoolbox.ir.node import Array, Shape

Inputs = Sequence[Array | None]


@dataclass(frozen=True)
class Question:
    """A node on constants: its inputs (None for those left out), its attributes, how many outputs it names."""

    inputs: Inputs
    attributes: Mapping[str, Any]
    outputs: int

    def array(self, i: int) -> Array:
        """Input i, which the operator cannot do without."""
        value = self.inputs[i] if i < len(self.inputs) else None
        if value is None:
            raise Refusal(f"has no input {i + 1}")
        return value

    def integers(self, name: str, i: int) -> list[int]:
        """A list that older opsets keep in an attribute and newer ones in input i; empty where it is left out."""
        if name in self.attributes:
            return [int(n) for n in self.attributes[name]]
        value = self.inputs[i] if i < len(self.inputs) else None
        return [] if value is None else [int(n) for n in np.ravel(value)]

    def size(self, i: int) -> int:
        """The number of values of input i."""
        return math.prod(self.array(i).shape)

    @property
    def shapes(self) -> list[Shape]:
        """The shapes of all inputs."""
        return [a.shape for a in self.inputs if a is not None]


Size = Callable[[Question], int]
"""The number of values of all results, at most."""


def _first(question: Question) -> int:
    return question.size(0)


def _broadcast(*shapes: Shape) -> int:
    return math.prod(np.broadcast_shapes(*shapes))


def _together(question: Question) -> int:
    return _broadcast(*question.shapes)


def _concat(question: Question) -> int:
    return sum(map(math.prod, question.shapes))


def _split(question: Question) -> int:
    if int(question.attributes.get("num_outputs", question.outputs)) != question.outputs:
        raise Refusal("names another number of parts than it has outputs")
    return question.size(0)


def _gather(question: Question) -> int:
    axis = int(question.attributes.get("axis", 0))
    return int(question.size(0) // max(question.array(0).shape[axis], 1) * question.size(1))


def _picked(question: Question) -> int:
    data, places = question.array(0), question.array(1)
    rank = int(question.attributes.get("batch_dims", 0)) + places.shape[-1]
    return int(question.size(1) // max(places.shape[-1], 1) * math.prod(data.shape[rank:]))


def _expand(question: Question) -> int:
    target = tuple(question.integers("shape", 1))
    return _broadcast(question.array(0).shape, target)


def _tile(question: Question) -> int:
    return question.size(0) * math.prod(question.integers("repeats", 1))


def _filled(question: Question) -> int:
    return math.prod(question.integers("shape", 0))


def _range(question: Question) -> int:
    start, limit, step = (question.array(i).item() for i in range(3))
    return int(max(math.ceil((limit - start) / step), 0))


def _pad(question: Question) -> int:
    shape = question.array(0).shape
    pads = question.integers("pads", 1)
    axes = question.integers("axes", 3) or list(range(len(shape)))
    grown = dict(enumerate(shape))
    for axis, low, high in zip(axes, pads[: len(axes)], pads[len(axes) :], strict=True):
        grown[axis % len(shape)] += low + high
    return math.prod(max(n, 0) for n in grown.values())


def _one_hot(question: Question) -> int:
    return question.size(0) * int(question.array(1).item())


def _scaled(question: Question) -> int:
    block = int(question.attributes.get("block_size", 0))
    return max(question.size(0), question.size(1) * block)


def _matmul(question: Question) -> int:
    a, b = question.shapes[:2]
    ends = (*a[-2:-1], *(b[-1:] if len(b) > 1 else ()))
    return _broadcast(a[:-2], b[:-2]) * math.prod(ends)


def _gemm(question: Question) -> int:
    a, b = question.shapes[:2]
    rows, columns = question.attributes.get("transA", 0), question.attributes.get("transB", 0)
    return a[1 if rows else 0] * b[0 if columns else 1]


SIZES: Mapping[str, Size] = {
    **dict.fromkeys(("Abs", "Neg", "Sqrt", "Exp", "Log", "Reciprocal", "Floor", "Ceil", "Round", "Sign"), _first),
    **dict.fromkeys(("Not", "Relu", "Sigmoid", "Tanh", "Sin", "Cos", "IsNaN", "Softmax", "LeakyRelu"), _first),
    **dict.fromkeys(("Identity", "Cast", "CastLike", "Reshape", "Flatten", "Squeeze", "Unsqueeze"), _first),
    **dict.fromkeys(("Transpose", "Slice", "Trilu", "CumSum", "ArgMax", "ArgMin", "EyeLike", "Clip"), _first),
    **dict.fromkeys(("Add", "Sub", "Mul", "Div", "Pow", "Mod", "Min", "Max", "Sum", "Mean", "Where"), _together),
    **dict.fromkeys(("Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual", "And", "Or", "Xor"), _together),
    **{f"Reduce{kind}": _first for kind in ("Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "SumSquare")},
    **dict.fromkeys(("DequantizeLinear", "QuantizeLinear"), _scaled),
    "Shape": lambda question: question.array(0).ndim,
    "Size": lambda question: 1,
    "Concat": _concat,
    "Split": _split,
    "Gather": _gather,
    "Expand": _expand,
    "Tile": _tile,
    "ConstantOfShape": _filled,
    "Range": _range,
    "Pad": _pad,
    "ScatterND": _first,
    "GatherND": _picked,
    "OneHot": _one_hot,
    "MatMul": _matmul,
    "Gemm": _gemm,
}

PRODUCTS = ("MatMul", "Gemm")
IN_PYTHON = {"ScatterND": 1000, "GatherND": 1000}
"""How many steps one index takes where the reference implementation runs a loop in Python."""


def work(kind: str, question: Question, made: int) -> int:
    """The steps beside one for each value that is made: what is read, or multiplied."""
    inner = max(question.array(0).shape, default=1) if kind in PRODUCTS else 0
    loop = IN_PYTHON[kind] * question.size(1) if kind in IN_PYTHON else 0
    return sum(map(math.prod, question.shapes)) + made * inner + loop
