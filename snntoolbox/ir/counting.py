"""What the steps of windows count, where they do not count once."""

from __future__ import annotations

MOST_BITS = 16
"""Binary digits of a window: more than any activation is worth, and whole sums stay exact."""


def digit(step: int, bits: int) -> float:
    """What a spike counts in this step of windows of so many binary digits, the most significant first."""
    return float(2 ** (bits - 1 - step % bits))


def lead(step: int, window: int) -> float:
    """What a first spike in this step of windows of so many steps counts: the steps that are left, its own included."""
    return float(window - step % window)
