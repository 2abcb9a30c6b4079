"""The loop of plain integrate-and-fire neurons over time as one kernel, in Triton; only `neurons_scan` imports this."""

from __future__ import annotations

from functools import cache
from typing import Any

import triton
import triton.language as tl
from torch import Tensor

BLOCK = 512
"""Neurons that one program carries over all steps."""


# Triton reads the source, and takes no other types of arguments than its own.
def fire(  # type: ignore[no-untyped-def]
    potential, counts, spikes, current, drive, threshold, reset, total, drives, thresholds, steps,  # noqa: ANN001
    GIVEN: tl.constexpr, ZERO: tl.constexpr, BLOCK: tl.constexpr,
) -> None:  # fmt: skip
    """V <- (V + current) + drive; z = V >= threshold; reset; count: `fire_neurons` of the CPU with V in registers.

    There is no product, so that no compiler can fuse one with a sum and round differently. Neuron i of `total` has
    the drive i % `drives` and the threshold i % `thresholds`. Indices have 64 bits, as currents may be large.
    """
    i = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    there = i < total
    v = tl.load(potential + i, mask=there)
    count = tl.load(counts + i, mask=there)
    steady = tl.load(drive + i % drives, mask=there)
    theta = tl.load(threshold + i % thresholds, mask=there)
    after = tl.load(reset)
    incoming, outgoing = current + i, spikes + i
    for _ in range(steps):
        if GIVEN:
            v += tl.load(incoming, mask=there)
            incoming += total
        v += steady
        fired = v >= theta
        tl.store(outgoing, tl.where(fired, 1.0, 0.0), mask=there)
        outgoing += total
        count += tl.where(fired, 1, 0)
        v = tl.where(fired, after if ZERO else v - theta, v)
    tl.store(potential + i, v, mask=there)
    tl.store(counts + i, count, mask=there)


@cache
def kernel() -> Any:
    """The compiled form of `fire`; plain Python on the CPU where TRITON_INTERPRET is set at the first call."""
    # Chunks differ in length: a kernel of its own for lengths of 1 or of a multiple of 16 would gain nothing.
    return triton.jit(fire, do_not_specialize=["steps"])


def advance(
    potential: Tensor, counts: Tensor, spikes: Tensor, current: Tensor | None, drive: Tensor, threshold: Tensor,
    reset: Tensor, steps: int, *, zero: bool,
) -> None:  # fmt: skip
    """Carry all neurons over `steps` steps, in place; all tensors are flat, in one order, and on one device.

    `spikes` and `current` hold step after step; `drive` and `threshold` are repeated until all neurons have one.
    """
    total = len(potential)
    kernel()[(triton.cdiv(total, BLOCK),)](
        *(potential, counts, spikes, potential if current is None else current, drive, threshold, reset),
        *(total, len(drive), len(threshold), steps),
        GIVEN=current is not None,
        ZERO=zero,
        BLOCK=BLOCK,
    )
