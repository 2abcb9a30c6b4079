"""The table of handlers: one per operation of torch, by family."""

from collections.abc import Callable
from typing import Any

from snntoolbox.frontends.pytorch.call import TorchCall
from snntoolbox.frontends.pytorch.handlers import (
    activations,
    arithmetic,
    joining,
    moving,
    pooling,
    resizing,
    weighted,
)

HANDLERS: dict[str, Callable[[TorchCall], Any]] = {}
for _family in (activations, arithmetic, joining, moving, pooling, resizing, weighted):
    if _double := HANDLERS.keys() & _family.HANDLERS.keys():
        raise RuntimeError(f"two handlers for {sorted(_double)}")
    HANDLERS.update(_family.HANDLERS)

# operations whose size arguments may name the batch; for any other it would be a number to compute with
SIZE_READERS = frozenset(
    {
        *("view", "reshape", "_unsafe_view", "unflatten", "expand", "broadcast_to", "repeat", "tile"),
        *("slice", "slice_scatter"),
    }
)

# layers of torch that are refused as a whole, in place of the operations inside
WHOLE_LAYERS = frozenset({"MultiheadAttention"})

__all__ = ["HANDLERS", "SIZE_READERS", "WHOLE_LAYERS"]
