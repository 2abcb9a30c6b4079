"""The table of handlers: one per operation of torch, by family."""

from collections.abc import Callable
from typing import Any

from snntoolbox.frontends.pytorch.call import TorchCall
from snntoolbox.frontends.pytorch.handlers import (
    activations,
    arithmetic,
    attending,
    comparing,
    joining,
    moving,
    normalising,
    pooling,
    quantised,
    recurrent,
    resizing,
    weighted,
)

HANDLERS: dict[str, Callable[[TorchCall], Any]] = {}
_FAMILIES = (
    *(activations, arithmetic, attending, comparing, joining, moving, normalising, pooling, quantised, recurrent),
    *(resizing, weighted),
)
for _family in _FAMILIES:
    if _double := HANDLERS.keys() & _family.HANDLERS.keys():
        raise RuntimeError(f"two handlers for {sorted(_double)}")
    HANDLERS.update(_family.HANDLERS)

# operations whose size arguments may name the batch; for any other it would be a number to compute with
SIZE_READERS = frozenset(
    {
        *("view", "reshape", "_unsafe_view", "unflatten", "expand", "broadcast_to", "repeat", "tile"),
        *("slice", "slice_scatter", "native_group_norm"),
    }
)

# operations that take data whose first axis is not the batch: sequences with their steps in front
ANY_BATCH_AXIS = frozenset(
    {
        *recurrent.HANDLERS,
        *("clone", "contiguous", "detach", "alias", "to", "_to_copy", "type_as", "dropout", "native_dropout"),
        *("flatten", "view", "reshape", "_unsafe_view", "unflatten", "view_copy", "squeeze", "squeeze_copy"),
        *("unsqueeze", "unsqueeze_copy", "permute", "transpose", "swapaxes", "swapdims", "movedim", "moveaxis"),
        *("slice", "select", "narrow", "index_select", "index", "split", "split_with_sizes", "chunk", "tensor_split"),
        *("unsafe_split", "unsafe_chunk", "unbind", "flip", "roll", "cat", "concat", "concatenate", "stack"),
        *("linear", "add", "sub", "subtract", "rsub", "mul", "multiply", "div", "divide", "true_divide", "neg"),
        *("negative", "mean", "sum", "relu", "relu6", "sigmoid", "tanh", "hardtanh", "clamp", "clamp_min", "clip"),
        *("leaky_relu", "hardsigmoid", "hardswish", "gelu", "silu", "elu", "softplus", "softmax", "log_softmax"),
        *("layer_norm", "rms_norm", "pow", "square", "sqrt", "rsqrt"),
        *comparing.HANDLERS,
    }
)

# arithmetic of operands that may be of different ranks
BROADCASTING = frozenset(
    {
        *("add", "sub", "subtract", "rsub", "mul", "multiply", "div", "divide", "true_divide"),
        *(op for op in comparing.HANDLERS if not op.endswith("_not")),
    }
)

# those whose initial states have the batch in the middle, whatever their data do
RECURRENT = frozenset(recurrent.LAYERS)

__all__ = ["ANY_BATCH_AXIS", "BROADCASTING", "HANDLERS", "RECURRENT", "SIZE_READERS"]
