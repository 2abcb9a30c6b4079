"""Milliseconds as a whole number of steps."""

from __future__ import annotations

import math


def whole_steps(time: float, dt: float) -> int | None:
    """The number of steps of `dt` ms in `time` ms; None where it is no whole number, or beyond all numbers."""
    exact = time / dt if dt > 0 else math.nan
    if not math.isfinite(exact) or exact < 0:
        return None
    return round(exact) if abs(round(exact) * dt - time) <= 1e-9 * time else None
