"""The table of handlers: one per operation of torch, by family."""

from collections.abc import Callable
from typing import Any

from snntoolbox.frontends.pytorch.call import Call
from snntoolbox.frontends.pytorch.handlers import (
    activations,
    arithmetic,
    joining,
    moving,
    pooling,
    resizing,
    weighted,
)

HANDLERS: dict[str, Callable[[Call], Any]] = {}
for _family in (activations, arithmetic, joining, moving, pooling, resizing, weighted):
    if _double := HANDLERS.keys() & _family.HANDLERS.keys():
        raise RuntimeError(f"two handlers for {sorted(_double)}")
    HANDLERS.update(_family.HANDLERS)

_REASONS = {
    "layer_norm": "layer normalisation",
    "native_layer_norm": "layer normalisation",
    "group_norm": "group normalisation",
    "native_group_norm": "group normalisation",
    "instance_norm": "instance normalisation",
    "scaled_dot_product_attention": "attention",
    "bmm": "product of two activations",
    "einsum": "einsum",
    "lstm": "recurrent layer (LSTM)",
    "gru": "recurrent layer (GRU)",
    "rnn_tanh": "recurrent layer (RNN)",
    "rnn_relu": "recurrent layer (RNN)",
    "embedding": "embedding",
}

# operations whose size arguments may name the batch; for any other it would be a number to compute with
SIZE_READERS = frozenset(
    {
        "view",
        "reshape",
        "_unsafe_view",
        "unflatten",
        "expand",
        "broadcast_to",
        "repeat",
        "tile",
        "slice",
        "slice_scatter",
    }
)

# layers of torch that are refused as a whole, in place of the operations inside
WHOLE_LAYERS = {"MultiheadAttention": "attention is not supported"}


def reason_against(op: str, target: str) -> str:
    """Why an operation without a handler is refused."""
    return f"{_REASONS.get(op, op)} is not supported ({target})"


__all__ = ["HANDLERS", "SIZE_READERS", "WHOLE_LAYERS", "reason_against"]
