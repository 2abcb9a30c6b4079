"""Linear maps that several frameworks have: sums, products with constants, means, and values moved about."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from snntoolbox.frontends import functions, normalising
from snntoolbox.frontends.layer_call import (
    TREAT_ALONE,
    Activation,
    LayerCall,
    Operand,
    Refusal,
    broadcast_shape,
    check_size,
)
from snntoolbox.frontends.stacks import by_stack
from snntoolbox.frontends.written_softmax import softmax_of
from snntoolbox.ir.contraction import Contraction
from snntoolbox.ir.node import Array, Shape
from snntoolbox.ir.nodes import Add, MatrixProduct, Mean, Multiply
from snntoolbox.ir.nodes.nonlinear import LEFT_OUT
from snntoolbox.ir.products import add_gated

MOST_FACTORS = 4
"""Of a power: each takes windows of its own."""

# -- arithmetic -----------------------------------------------------------------------------------------------------


def weighted_sum(call: LayerCall, operands: Sequence[Operand], coefficients: Sequence[float]) -> str:
    """``sum(c_i * x_i)`` of activations and constants, broadcast by numpy's rules."""
    sources, constants = call.broadcast_together(operands)
    weighted = [(isinstance(o, Activation), float(c)) for o, c in zip(operands, coefficients, strict=True)]
    factors = tuple(c for active, c in weighted if active)
    shifts = [
        finite(c * array) for array, c in zip(constants, (c for active, c in weighted if not active), strict=True)
    ]
    source = sources[0]
    if len(sources) > 1:
        unequal = None if set(factors) == {1.0} else factors
        node = Add(name=call.name, inputs=tuple(sources), coefficients=unequal, origin=call.origin)
        source, factors = call.builder.add(node), (1.0,)
    gain = None if factors == (1.0,) else np.full((), factors[0])
    bias = sum(shifts[1:], shifts[0]) if shifts else None
    return source if gain is bias is None else call.builder.affine(call.name, source, gain, bias, call.origin)


def finite(constant: Array) -> Array:
    """A constant to add with `LEFT_OUT` for minus infinity, which is for a softmax behind it."""
    return np.where(np.isneginf(constant), LEFT_OUT, constant) if np.isneginf(constant).any() else constant


def chosen(call: LayerCall, condition: Array, first: Operand, second: Operand) -> str:
    """`first` where a constant condition is true, else `second`, each an activation or a constant."""
    active = [o for o in (first, second) if isinstance(o, Activation)]
    rank = len(call.shape(active[0].name))
    where = call.per_sample(condition, rank).astype(bool)
    constants = [call.per_sample(o, rank) for o in (first, second) if not isinstance(o, Activation)]
    shape = broadcast_shape([where.shape, *(call.shape(a.name) for a in active), *(c.shape for c in constants)])
    if where.all() or not where.any():
        kept = first if where.all() else second
        if isinstance(kept, Activation) and call.shape(kept.name) == shape:
            return kept.name
    sources = []
    for operand, here in ((first, where), (second, ~where)):
        if isinstance(operand, Activation):
            bias = None if len(active) > 1 else finite(np.where(here, 0.0, constants[0]))
            wide = call.broadcast(operand.name, shape)
            sources.append(call.builder.affine(call.name, wide, here.astype(np.float64), bias, call.origin))
    return weighted_sum(call, [Activation(source) for source in sources], (1.0,) * len(sources))


def power(call: LayerCall, source: str, exponent: float) -> str:
    """``x ** n`` for a small whole number n: a product of n factors; the root of a mean square, or its inverse."""
    if exponent in (0.5, -0.5) and (root := normalising.found_root(call, source, inverse=exponent < 0)):
        return root
    if exponent not in range(1, MOST_FACTORS + 1):
        told = f"x ** {exponent:g}; powers are products, with whole numbers from 1 to {MOST_FACTORS} as exponents"
        raise Refusal(told, hint=normalising.NORMALISE if abs(exponent) == 0.5 else None)
    if exponent == 4:
        source, exponent = multiplied(call, [Activation(source)] * 2), 2
    return source if exponent == 1 else multiplied(call, [Activation(source)] * int(exponent))


def gated_half(call: LayerCall, source: str, axis: int) -> str:
    """GLU: the first half of an axis of the sample times the sigmoid of the second."""
    size = call.shape(source)[axis]
    if size % 2:
        raise Refusal(f"halves {size} values")
    first = call.builder.take(f"{call.name}_value", source, axis, range(size // 2), call.origin)
    second = call.builder.take(f"{call.name}_gate", source, axis, range(size // 2, size), call.origin)
    gate = functions.smooth("sigmoid")(call.named(f"{call.name}_sigmoid"), second)
    return multiplied(call, [Activation(first), Activation(gate)])


def product(call: LayerCall, first: Operand, second: Operand) -> str:
    """``x * c``; of two activations what is a known function of one (SiLU, normalisation), else their product."""
    if isinstance(first, Activation) and isinstance(second, Activation):
        known = add_gated(call.builder, call.name, first.name, second.name, call.origin)
        known = normalising.multiplied(call, first, second) if known is None else known
        return multiplied(call, [first, second]) if known is None else known
    (source,), (constant,) = call.broadcast_together((first, second))
    return call.builder.affine(call.name, source, constant, None, call.origin)


def multiplied(call: LayerCall, factors: Sequence[Activation]) -> str:
    """The product of activations, broadcast by numpy's rules."""
    sources, _ = call.broadcast_together(factors)
    product = sources[0]
    for source in sources[1:]:
        product = call.builder.add(Multiply(name=call.name, inputs=(product, source), origin=call.origin))
    return product


def quotient(call: LayerCall, dividend: Operand, divisor: Operand) -> str:
    """``x / c``, or x over the root of its own mean square."""
    if isinstance(divisor, Activation):
        if isinstance(dividend, Activation):
            found = normalising.divided(call, dividend.name, divisor.name)
            found = softmax_of(call, dividend.name, divisor.name) if found is None else found
            if found is not None:
                return found
        if not isinstance(dividend, Activation) and np.all(dividend == 1):
            return normalising.inverted(call, divisor.name)
        raise Refusal(normalising.DIVIDES, hint=normalising.NORMALISE)
    if not np.all(divisor):
        raise Refusal("a division by zero")
    return product(call, dividend, 1 / np.asarray(divisor, np.float64))


def negative(call: LayerCall, source: str) -> str:
    """``-x``."""
    return call.builder.affine(call.name, source, np.full((), -1.0), None, call.origin)


def matrix_product(call: LayerCall, left: Operand, right: Operand) -> str:
    """``x @ W`` over the last axis, or ``W @ x`` over the last but one, with a constant matrix or vector W.

    Of two activations the sums of products of their values, as many as the result has values times terms.
    """
    if isinstance(left, Activation) and isinstance(right, Activation):
        return _of_matrices(call, left.name, right.name)
    if isinstance(left, Activation):
        return _matrix(call, left.name, np.asarray(right), -1)
    assert isinstance(right, Activation)
    return _matrix(call, right.name, np.asarray(left), -2)


def _of_matrices(call: LayerCall, left: str, right: str) -> str:
    """The product of two stacks of matrices, one for each sample.

    The values of the matrix on the right, or its columns, are the channels of the sums: these are as different in size
    as those, and neurons have thresholds of their own by channel.
    """
    rows, columns = call.shape(left), call.shape(right)
    if len(rows) != len(columns) or len(rows) < 2:
        raise Refusal(f"a product of samples of shapes {rows} and {columns}", hint=TREAT_ALONE)
    if rows[-1] != columns[-2]:
        raise Refusal(f"matrices of shapes {rows} and {columns} do not fit")
    stack, build = len(rows) - 2, call.builder
    shape = broadcast_shape([rows[:-2], columns[:-2]])
    left, right = (
        call.broadcast(source, (*shape, *own[-2:])) for source, own in ((left, rows), (right, columns))
    )
    (high, depth), wide, count = rows[-2:], columns[-1], math.prod(shape)
    check_size([count, high, wide])
    order = (*range(stack), stack + 1, stack)
    turned = build.permute(f"{call.name}_turned", right, order, call.origin)
    first = build.reshape(f"{call.name}_rows", left, (count * high, depth), call.origin)
    second = build.reshape(f"{call.name}_columns", turned, (count * wide, depth), call.origin)
    sums = Contraction(stack=count, rows=wide, columns=high, terms=depth)
    found = build.add(MatrixProduct(name=call.name, inputs=(first, second), contraction=sums, origin=call.origin))
    apart = build.reshape(f"{call.name}_apart", found, (*shape, wide, high), call.origin)
    return build.permute(f"{call.name}_back", apart, order, call.origin)


def _matrix(call: LayerCall, source: str, weight: Array, axis: int) -> str:
    """The weight over one axis of the sample, counted from the end; a vector leaves that axis out."""
    rank = len(call.shape(source))
    if weight.ndim > 2 and weight.ndim == rank + 1:
        weight = call.per_sample(weight, rank)
    while weight.ndim > 2 and weight.shape[0] == 1 and weight.ndim <= rank + 1:
        weight = weight[0]
    if weight.ndim > 2:
        return by_stack(call, source, weight, left=axis == -2)
    if rank + axis < 0:
        raise Refusal("a product along the batch axis mixes samples", hint=TREAT_ALONE)
    rows = weight[None] if weight.ndim == 1 else weight.T if axis == -1 else weight
    mapped = call.builder.dense(call.name, source, rows, None, axis=axis, origin=call.origin)
    if weight.ndim == 2:
        return mapped
    shape = call.shape(mapped)
    left_out = (*shape[: rank + axis], *shape[rank + axis + 1 :])
    return call.builder.reshape(f"{call.name}_flat", mapped, left_out, call.origin)


# -- reductions -----------------------------------------------------------------------------------------------------


def mean(call: LayerCall, source: str, axes: Sequence[int], *, keepdims: bool) -> str:
    """The mean over axes of the sample."""
    return call.builder.add(
        Mean(name=call.name, inputs=(source,), axes=tuple(axes), keepdims=keepdims, origin=call.origin)
    )


def total(call: LayerCall, source: str, axes: Sequence[int], *, keepdims: bool) -> str:
    """The sum over axes of the sample: the mean times their size."""
    size = np.full((), float(math.prod(call.shape(source)[a] for a in axes)))
    return call.builder.affine(f"{call.name}_sum", mean(call, source, axes, keepdims=keepdims), size, None, call.origin)


def variance(call: LayerCall, source: str, axes: Sequence[int], correction: float, *, keepdims: bool) -> str:
    """The mean square of what is off the mean, over so many values less than there are."""
    size = math.prod(call.shape(source)[a] for a in axes)
    if size <= correction:
        raise Refusal(f"the variance of {size} values, less {correction:g}")
    off = weighted_sum(call, [Activation(source), Activation(mean(call, source, axes, keepdims=True))], (1.0, -1.0))
    found = mean(call, multiplied(call, [Activation(off)] * 2), axes, keepdims=keepdims)
    if not correction:
        return found
    return call.builder.affine(call.name, found, np.full((), size / (size - correction)), None, call.origin)


# -- moving values --------------------------------------------------------------------------------------------------


def padded(
    call: LayerCall, source: str, pads: Sequence[tuple[int, int]], *, value: float = 0.0, mode: str = "constant"
) -> str:
    """Padding (before, after) per axis of the sample, in the modes of `GraphBuilder.pad`; negative pads crop."""
    shape = call.shape(source)
    if mode not in ("constant", "reflect", "edge", "wrap") or not math.isfinite(value):
        raise Refusal(f"pads by '{mode}' with the value {value}")
    if any(min(n + lo, n + hi, n + lo + hi) < 1 for n, (lo, hi) in zip(shape, pads, strict=True)):
        raise Refusal(f"pads {list(pads)} leave nothing of samples of shape {shape}")
    check_size([max(n, n + lo, n + hi, n + lo + hi) for n, (lo, hi) in zip(shape, pads, strict=True)])
    return call.builder.pad(call.name, source, pads, value=value, mode=mode, origin=call.origin)


def regrouped(call: LayerCall, source: str, split: Shape, order: Sequence[int], shape: Shape) -> str:
    """The axes split to one shape, put in another order and joined to a last shape: pixel shuffles and their like."""
    apart = call.builder.reshape(f"{call.name}_split", source, split, call.origin)
    moved = call.builder.permute(f"{call.name}_order", apart, order, call.origin)
    return call.builder.reshape(call.name, moved, shape, call.origin)


def interpolation(places: Array, size: int) -> Array:
    """The matrix (places, size) that mixes the two values around each place of a line; beyond its ends they go on."""
    places = np.clip(places, 0, size - 1)
    low = np.floor(places).astype(np.int64)
    high, part = np.minimum(low + 1, size - 1), (places - low).astype(np.float64)
    rows, matrix = np.arange(len(places)), np.zeros((len(places), size))
    np.add.at(matrix, (rows, low), 1 - part)
    np.add.at(matrix, (rows, high), part)
    return matrix
