"""Tensors that have the batch and axes of the sample in one axis, as exporters write attention of several heads.

What is known of such a tensor is enough to move it, to take it apart again, and for what works along its last axis or
value by value: to each sample that means what it does with the axes apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from snntoolbox.frontends.layer_call import Activation, Refusal
from snntoolbox.frontends.onnx import comparing
from snntoolbox.frontends.onnx.call import FREE_BATCH, PROBES, TOGETHER, Batch, Joint, Known, OnnxCall, Size, Value
from snntoolbox.ir.builder import GraphBuilder
from snntoolbox.ir.node import Array, Origin, Shape

VALUE_BY_VALUE = frozenset(
    {
        *("Identity", "Cast", "Dropout", "Relu", "Clip", "LeakyRelu", "HardSigmoid", "HardSwish", "Sigmoid", "Tanh"),
        *("Gelu", "Erf", "Elu", "Selu", "Softplus", "Mish", "Swish", "Neg", "Not"),
    }
)
ARITHMETIC = frozenset({"Add", "Sub", "Mul", "Div", *comparing.HANDLERS} - {"Not"})
MATRICES = frozenset({"Gemm", "MatMul"})
KNOWN = VALUE_BY_VALUE | ARITHMETIC | MATRICES | {"Softmax"}
"""Operators that mean the same with the axes apart, some where they and their constants keep to the last axes."""


def joined(call: OnnxCall, target: Sequence[Size]) -> Joint | None:
    """The sample in a target shape that joins the batch with what lies beside it; None where that is not all it does.

    Of the axes before that joint one as many values come as the target says, the others come into it; so behind it.
    Where the file fixes the batch size several axes may be that one: the last but one more likely is, not the last.
    """
    shape, place, last = call.shape(), call.batch_axis, len(target) - 1
    before, behind = math.prod(shape[:place]), math.prod(shape[place:])
    for at in sorted(range(len(target)), key=lambda axis: (axis == last, -axis)):
        left, right = ([t for t in side if isinstance(t, int) and t > 0] for side in (target[:at], target[at + 1 :]))
        if len(left) < at or len(right) < last - at or before % math.prod(left) or behind % math.prod(right):
            continue
        inside = (before // math.prod(left), behind // math.prod(right))
        times = math.prod(inside)
        if target[at] in (-1, Batch(times), times * (call.batch or 0)):
            return _joint(call, left, inside, right)
    return None


def _joint(call: OnnxCall, left: list[int], inside: tuple[int, int], right: list[int]) -> Joint:
    """The axes left of the joint one, the two of the sample in it, and those right of it."""
    node = call.builder.reshape(call.name, call.source(), (*left, *inside, *right), call.origin)
    count = len(left)
    groups = [(a,) for a in range(count)] + [(count, TOGETHER, count + 1)]
    return Joint(node, (*groups, *((count + 2 + a,) for a in range(len(right)))), call.origin)


def apart(builder: GraphBuilder, value: Joint, origin: Origin) -> Activation:
    """The same value with all axes apart, in their order."""
    order = [a for a in value.atoms if a != TOGETHER]
    moved = builder.permute(f"{value.name}_apart", value.name, order, origin)
    return Activation(moved, value.atoms.index(TOGETHER))


def measured(value: Joint, sample: Shape) -> list[Array]:
    """The shape of the tensor at the two batch sizes."""
    return [
        np.array([math.prod(size if a == TOGETHER else sample[a] for a in group) for group in value.groups], np.int64)
        for size in PROBES
    ]


def transposed(value: Joint, attributes: dict[str, object]) -> Joint:
    """The axes of the tensor in another order."""
    perm = attributes.get("perm", list(range(len(value.groups)))[::-1])
    if not isinstance(perm, list | tuple) or sorted(perm) != list(range(len(value.groups))):
        raise Refusal(f"perm {perm} does not fit {len(value.groups)} axes")
    return replace(value, groups=tuple(value.groups[a] for a in perm))


def along_last(
    builder: GraphBuilder, op: str, attributes: dict[str, object], inputs: Sequence[Value | None], origin: Origin
) -> list[Value | None]:
    """The inputs of an operator with their axes apart; Refusal where it does not mean the same then."""
    joints = [v for v in inputs if isinstance(v, Joint)]
    free = min(map(_free, joints))
    inputs = [_narrowed(v, free) if isinstance(v, Known) and op in ARITHMETIC else v for v in inputs]
    constants = [v.first.ndim for v in inputs if isinstance(v, Known)]
    alike = len({tuple((len(g), TOGETHER in g) for g in v.groups) for v in joints}) == 1
    if len(joints) + len(constants) < len([v for v in inputs if v is not None]) or not alike:
        raise Refusal("mixes the batch with other axes", hint=FREE_BATCH)
    if op == "Softmax":
        fits = free >= 1 and attributes.get("axis", -1) == -1
    elif op in MATRICES and len(joints) == 1:
        fits = free >= 1 and isinstance(inputs[0], Joint) and max(constants, default=0) <= 2
    elif op in MATRICES:
        fits = free == 2 and len(joints[0].groups) == 3
    else:
        fits = op in VALUE_BY_VALUE or max(constants, default=0) <= free
    if not fits:
        raise Refusal("mixes the batch with other axes", hint=FREE_BATCH)
    return [Activation(apart(builder, v, origin).name) if isinstance(v, Joint) else v for v in inputs]


def _narrowed(constant: Known, rank: int) -> Known:
    """A constant without the axes that it has in front of so many, where it is the same along these."""
    both = (constant.first, constant.second)
    if any(v.ndim > rank and np.any(v != v[(0,) * (v.ndim - rank)]) for v in both):
        return constant
    first, second = (v[(0,) * max(v.ndim - rank, 0)] for v in both)
    return Known(first, first) if np.array_equal(first, second) else Known(first, second)


def _free(value: Joint) -> int:
    """How many of the last axes are one of the sample each."""
    joint = [len(group) > 1 or group[0] == TOGETHER for group in value.groups]
    return joint[::-1].index(True)


def together(value: Joint, result: str) -> Joint:
    """What such an operator gives, its axes joined as before."""
    places = {axis: i for i, axis in enumerate(a for a in value.atoms if a != TOGETHER)}
    groups = tuple(tuple(places.get(a, TOGETHER) for a in group) for group in value.groups)
    return replace(value, name=result, groups=groups)
