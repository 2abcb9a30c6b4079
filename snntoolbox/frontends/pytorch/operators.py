"""Which operations of torch are ever run: what a program asks for beside them is refused, and not tried first."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator
from typing import Any

import torch

from snntoolbox.frontends.pytorch.handlers import HANDLERS, quantised

ELEMENTWISE = frozenset(
    {
        *("abs", "absolute", "add", "addcdiv", "addcmul", "ceil", "clamp", "clamp_max", "clamp_min", "clip", "cos"),
        *("bitwise_and", "bitwise_not", "bitwise_or", "masked_fill"),
        *("deg2rad", "detach", "div", "divide", "eq", "erf", "exp", "exp2", "expm1", "fill", "floor", "floor_divide"),
        *("fmax", "fmin", "ge", "gt", "le", "lerp", "log", "log10", "log1p", "log2", "logical_and", "logical_not"),
        *("logical_or", "lt", "maximum", "minimum", "mul", "multiply", "nan_to_num", "ne", "neg", "negative"),
        *("outer", "positive", "pow", "reciprocal", "relu", "remainder", "round", "rsqrt", "rsub", "sigmoid", "sign"),
        *("sin", "softplus", "sqrt", "square", "sub", "subtract", "tanh", "threshold", "true_divide", "trunc", "where"),
    }
)
MOVING = frozenset(
    {
        *("_to_copy", "_unsafe_view", "alias", "broadcast_to", "cat", "chunk", "clone", "concat", "concatenate"),
        *("constant_pad_nd", "contiguous", "copy", "diag", "diag_embed", "diagonal", "dropout", "expand", "expand_as"),
        *("flatten", "flip", "index", "index_select", "lift_fresh", "lift_fresh_copy", "moveaxis", "movedim", "narrow"),
        *("mT", "numpy_T", "pad", "permute", "repeat", "repeat_interleave", "reshape", "reshape_as", "roll", "select"),
        *("select_scatter", "slice", "slice_scatter", "split", "split_with_sizes", "squeeze", "squeeze_copy", "stack"),
        *("swapaxes", "swapdims", "t", "tensor_split", "tile", "to", "transpose", "tril", "triu", "type_as", "unbind"),
        *("unflatten", "unsafe_chunk", "unsafe_split", "unsqueeze", "unsqueeze_copy", "view", "view_as", "view_copy"),
    }
)
REDUCING = frozenset(
    {
        *("_softmax", "amax", "amin", "cumsum", "linalg_vector_norm", "mean", "norm", "prod", "softmax", "std", "sum"),
        *("var", "var_mean", "max", "min", "_log_softmax", "log_softmax"),
    }
)
PRODUCTS = frozenset({"addmm", "addmv", "bmm", "dot", "linear", "matmul", "mm", "mv", "einsum"})
# operations without a tensor argument, and those that read only the shape of one
FACTORIES = frozenset({"zeros", "ones", "full", "arange", "linspace", "eye", "scalar_tensor"})
SHAPE_ONLY = frozenset({"zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_full", "fill"})

FOLDED = ELEMENTWISE | MOVING | REDUCING | PRODUCTS | FACTORIES | SHAPE_ONLY | quantised.FOLDED | {"_weight_norm"}
"""What is computed where all arguments are constants; each checks its arguments itself (`_weight_norm`: `fold`)."""


# what an export computes sizes with
_OF_SIZES = frozenset(
    {
        *(operator.getitem, operator.add, operator.sub, operator.mul, operator.floordiv, operator.truediv),
        *(operator.mod, operator.neg, operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge),
        *(operator.and_, operator.or_, operator.not_, math.trunc, math.floor, math.ceil),
        *(torch.sym_int, torch.sym_float, torch.sym_max, torch.sym_min, torch.sym_not, torch.sym_ite),
    }
)


def op_name(target: Any) -> str:
    """``'conv2d'`` for ``aten.conv2d.default``; in-place operations are named like the others."""
    if isinstance(target, torch._ops.OpOverload):
        name = target._schema.name.partition("::")[2]
        namespace = target.namespace
        name = name[:-1] if name.endswith("_") and not name.endswith("__") else name
        return name if namespace == "aten" else f"{namespace}.{name}"
    return str(getattr(target, "__name__", target))


def is_known(target: Any) -> bool:
    """Whether lowering knows an operation: it may be run; one that writes into an `out` argument is none."""
    if isinstance(target, torch._ops.OpOverload):
        return not writes_out(target) and (op_name(target) in HANDLERS or op_name(target) in FOLDED | {"sym_size"})
    return target in _OF_SIZES


def writes_out(target: torch._ops.OpOverload) -> bool:
    """Whether an operation writes its result into an argument."""
    return any(a.is_out for a in target._schema.arguments)


def unknown_nodes(graph: torch.fx.Graph) -> Iterator[torch.fx.Node]:
    """The calls of a graph that are not run, in order."""
    yield from (node for node in graph.nodes if node.op == "call_function" and not is_known(node.target))


def without_idle(graph: torch.fx.Graph) -> None:
    """Erase from a graph the calls that nothing reads and that write nothing, as the assertions of an export."""
    for node in reversed(list(graph.nodes)):
        if node.op == "call_function" and not node.users and not writes(node.target):
            graph.erase_node(node)


def writes(target: Any) -> bool:
    """Whether an operation changes one of its arguments."""
    schema = getattr(target, "_schema", None)
    return schema is not None and any(a.alias_info is not None and a.alias_info.is_write for a in schema.arguments)
