"""Products with a stack of constant matrices, one for each head or window."""

from __future__ import annotations

import math

import numpy as np

from snntoolbox.frontends.layer_call import TREAT_ALONE, LayerCall, Refusal, broadcast_shape
from snntoolbox.frontends.windows import Window, convolution
from snntoolbox.ir.node import Array


def by_stack(call: LayerCall, source: str, matrices: Array, *, left: bool = False) -> str:
    """``x @ W`` for x (..., m, a) and constants W (..., a, b), or ``W @ x`` where `left`, one matrix for each place."""
    if left:
        turned = _by_stack(call.named(f"{call.name}_stack"), _turned(call, source), matrices.swapaxes(-1, -2))
        return _turned(call, turned)
    return _by_stack(call, source, matrices)


def _turned(call: LayerCall, source: str) -> str:
    rank = len(call.shape(source))
    order = (*range(rank - 2), rank - 1, rank - 2)
    return call.builder.permute(f"{call.name}_turned", source, order, call.origin)


def _by_stack(call: LayerCall, source: str, matrices: Array) -> str:
    shape = call.shape(source)
    if matrices.ndim > len(shape) or matrices.shape[-2] != shape[-1]:
        raise Refusal(
            f"a stack of constant matrices, of shape {matrices.shape}, on samples of shape {shape}", hint=TREAT_ALONE
        )
    stack = broadcast_shape([matrices.shape[:-2], shape[:-2]])
    wide = call.broadcast(source, (*stack, *shape[-2:]))
    count = math.prod(stack)
    inner, columns = matrices.shape[-2:]
    rows = call.builder.reshape(f"{call.name}_rows", wide, (count, *shape[-2:]), call.origin)
    one_each = np.broadcast_to(matrices, (*stack, inner, columns)).reshape(count, inner, columns)
    made = by_matrices(call, rows, one_each)
    return call.builder.reshape(f"{call.name}_apart", made, (*stack, shape[-2], columns), call.origin)


def by_matrices(call: LayerCall, source: str, matrices: Array) -> str:
    """Rows (b, m, c) times a constant matrix (b, c, n) for each b, as a convolution in b groups."""
    groups, inner, columns = matrices.shape
    rows = call.shape(source)[1]
    if groups == 1:
        return call.builder.dense(call.name, source, matrices[0].T, None, origin=call.origin)
    if inner == columns == 1:
        return call.builder.affine(call.name, source, matrices, None, call.origin)
    turned = call.builder.permute(f"{call.name}_turned", source, (0, 2, 1), call.origin)
    channels = call.builder.reshape(f"{call.name}_channels", turned, (groups * inner, rows), call.origin)
    weight = np.ascontiguousarray(matrices.transpose(0, 2, 1)).reshape(groups * columns, inner, 1)
    mapped = convolution(call, channels, weight, None, Window((1,), (1,), (1,), ((0, 0),)), groups=groups)
    apart = call.builder.reshape(f"{call.name}_groups", mapped, (groups, columns, rows), call.origin)
    return call.builder.permute(f"{call.name}_rows", apart, (0, 2, 1), call.origin)
