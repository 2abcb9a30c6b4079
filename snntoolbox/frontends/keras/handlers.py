"""The table of all layers and operations that the frontend takes: kind -> handler."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from snntoolbox.frontends.keras import (
    activations,
    attending,
    merging,
    moving,
    operations,
    own_statistics,
    pooling,
    recurrent,
    scaling,
    shaping,
    weighted,
)
from snntoolbox.frontends.keras.call import KerasCall

Handler = Callable[[KerasCall], str | tuple[str, ...]]


def _joined(*tables: Mapping[str, Any]) -> dict[str, Handler]:
    joined: dict[str, Handler] = {}
    for table in tables:
        if twice := joined.keys() & table.keys():
            raise ValueError(f"two handlers for {sorted(twice)}")
        joined.update(table)
    return joined


HANDLERS = _joined(
    weighted.HANDLERS,
    pooling.HANDLERS,
    activations.HANDLERS,
    scaling.HANDLERS,
    shaping.HANDLERS,
    merging.HANDLERS,
    operations.HANDLERS,
    moving.HANDLERS,
    own_statistics.HANDLERS,
    recurrent.HANDLERS,
    attending.HANDLERS,
)
