"""Which networks run by counts, and what is kept of them from one batch to the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from snntoolbox.engine.counts import Counts
from snntoolbox.engine.executor import Executor
from snntoolbox.engine.fast import products_int8
from snntoolbox.engine.fast.bytes_maps import Form
from snntoolbox.engine.fast.planning import FastPaths
from snntoolbox.engine.tensors import Target
from snntoolbox.errors import BackendError
from snntoolbox.ir.absolute import absolute
from snntoolbox.ir.encodings import ConstantCurrent
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.turns import stepwise

EXACT = 2**24
"""Below it float32 has every whole number."""


class ByCounts:
    """A network with windows whose counts follow from sums: its maps of counts, and what makes counts of sums."""

    def __init__(self, network: SpikingNetwork, device: torch.device, dtype: torch.dtype) -> None:
        assert network.schedule is not None
        self.network, self.device, self.dtype = network, device, dtype
        self.longest, self.most = max(network.schedule.lengths), network.schedule.most
        neurons = {n: p.neuron for n, p in network.populations.items()}
        self.windows = {n: cell.window for n, cell in neurons.items() if isinstance(cell, IF) and cell.window}
        self.totals = {n: cell.most for n, cell in neurons.items() if isinstance(cell, IF) and cell.window}
        self.last = max((last for _, last in self.windows.values()), default=1)
        self.wirings: dict[torch.dtype, Executor] = {}
        self.fast: dict[bool, FastPaths] = {}
        self.counted: dict[int, float] = {}
        self.makers: dict[tuple[str, torch.dtype, bool], Counts] = {}

    def wiring(self, dtype: torch.dtype) -> Executor:
        """The linear maps, whose factors are never shortened: counts are larger than spikes."""
        if dtype not in self.wirings:
            self.wirings[dtype] = Executor(self.network.wiring, device=self.device, dtype=dtype, exact=True)
        return self.wirings[dtype]

    def exact(self) -> Executor:
        """The maps in float64."""
        return self.wiring(torch.float64)

    def paths(self, fused: bool) -> FastPaths | None:
        """The fast paths: 8-bit products on an integer grid, where counts fit into bytes."""
        if self.network.grid is None or self.device.type != "cpu":
            return None
        if fused not in self.fast and self.most <= (largest := products_int8.largest()):
            sent = {name: Form(total, most=largest) for name, total in self.totals.items()}
            wiring = self.wiring(self.dtype)
            self.fast[fused] = FastPaths(self.network, wiring, "never", integers=True, fused=fused, sent=sent)
        return self.fast.get(fused)

    @cached_property
    def bounds(self) -> Mapping[str, float]:
        """What no value of a wiring node exceeds by spikes, nor any sum towards it; on an integer grid alone.

        Inputs from -b to a make sums from -B to A with A + B = |W| (a + b) and A - B = W (a - b).
        """
        if self.network.grid is None:
            return dict.fromkeys(self.network.wiring.nodes, 0.0)
        steps = float(self.network.weights(0, self.last).sum())  # a spiking input may be there in all
        codings = self.network.encodings
        most = {n: 0.0 if isinstance(coding, ConstantCurrent) else steps for n, coding in codings.items()}
        both = {n: (amount, amount) for n, amount in most.items()}  # they may be negative
        both |= {n: (float(total), 0.0) for n, total in self.totals.items()}
        whole = self._bounding(absolute(self.network.wiring), {n: above + below for n, (above, below) in both.items()})
        apart = self._bounding(self.network.wiring, {n: above - below for n, (above, below) in both.items()})
        amounts = {n: (whole[n] + apart[n].abs()) / 2 for n in whole}
        return {n: float(v.max()) if v.numel() else 0.0 for n, v in amounts.items()}

    @staticmethod
    def _bounding(wiring: Graph, given: Mapping[str, float]) -> dict[str, Tensor]:
        """The values of all nodes where an input has one number in all places."""
        bounding = Executor.double(wiring)
        inputs = {n: torch.full((1, *wiring.shapes[n]), given[n], dtype=torch.float64) for n in wiring.inputs}
        with torch.inference_mode():
            return bounding.tensors(inputs, wiring.nodes)

    def maker(self, name: str, most: float, start: Callable[[], float], fused: bool) -> Counts:
        """What makes counts of the sums of a population, in float64 where they could be inexact otherwise.

        Constant currents make no more than `most` of them, and `start` tells how much.
        """
        population = self.network.populations[name]
        neuron = population.neuron
        assert isinstance(neuron, IF)
        times = 1.0 if population.latched is None else max(self.bounds[population.latched], 1.0)
        times *= 1 if neuron.contraction is None else neuron.contraction.terms
        rest = self.bounds[population.current] * times + float(np.abs(neuron.initial).max())
        wide = self.network.grid is not None and rest + most >= EXACT and rest + start() >= EXACT
        dtype = torch.float64 if wide else self.dtype
        key = name, dtype, fused
        if key not in self.makers:
            small = self.paths(fused) is not None
            self.makers[key] = Counts(population, Target(self.device, dtype), small=small, fused=fused)
        return self.makers[key]

    def given(self, steps: int) -> float:
        """How often constant inputs count in so many steps."""
        if steps not in self.counted:
            self.counted[steps] = float(self.network.given(steps)[-1])
        return self.counted[steps]

    def wide(self, name: str) -> bool:
        """Whether the values of a wiring node need float64."""
        return self.bounds[name] >= EXACT

    def covers(self, steps: int, engine: str) -> bool:
        """Whether so many steps end behind all windows; BackendError where they must and do not."""
        if steps < self.last and engine == "counts":
            message = f"engine = counts takes whole windows, and {steps} steps end before the last"
            raise BackendError(message, hint=f"{self.last} steps at least, or engine = auto")
        return steps >= self.last


def by_counts(network: SpikingNetwork, device: torch.device, dtype: torch.dtype, engine: str) -> ByCounts | None:
    """What a run by counts needs; None where the engine takes none, or counts do not follow from sums."""
    return ByCounts(network, device, dtype) if engine in ("auto", "counts") and not stepwise(network) else None
