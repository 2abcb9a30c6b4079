"""A network ready for some samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from snntoolbox.engine.executor import Executor
from snntoolbox.engine.fast.planning import FastPaths
from snntoolbox.ir.network import SpikingNetwork


@dataclass(frozen=True, eq=False, kw_only=True)
class Wired:
    """A network's maps in the type in which their sums are exact, and the fast paths.

    `constant` is what constant inputs add to each target in every step, `exact` gives the maps in float64.
    """

    network: SpikingNetwork
    wiring: Executor
    fast: FastPaths | None
    constant: Mapping[str, Tensor]
    exact: Callable[[], Executor]
