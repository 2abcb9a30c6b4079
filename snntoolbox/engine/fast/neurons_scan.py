"""Plain integrate-and-fire neurons on a GPU: all steps of a chunk in one kernel, where the device proves it right."""

from __future__ import annotations

import logging
from functools import cache
from importlib.util import find_spec
from itertools import product

import numpy as np
import torch
from torch import Tensor

from snntoolbox.engine import neurons
from snntoolbox.engine.fast.neurons_firing import plain
from snntoolbox.engine.neurons import IntegrateAndFire, State
from snntoolbox.engine.tensors import Target, channels_inside, empty_inside
from snntoolbox.ir.network import Population
from snntoolbox.ir.neurons import IF, Reset

log = logging.getLogger(__name__)

DEVICES = frozenset({"cuda"})
"""Kinds of devices that have the kernel; a CPU has loops of its own, see `neurons_firing`."""

_DTYPES = (torch.float32, torch.float64)


def start(
    population: Population, batch: int, constant: Tensor | None, target: Target, presented: int | None = None
) -> State:
    """Like `neurons.start`, with one kernel for all steps of a call where that is possible and was found exact."""
    if target.device.type in DEVICES and target.dtype in _DTYPES and plain(population):
        target = Target(torch.empty(0, device=target.device).device, target.dtype, target.exact)  # with its number
        if works(target.device, target.dtype):
            return Scan(population, batch, constant, target, presented)
    return neurons.start(population, batch, constant, target, presented)


class Scan(IntegrateAndFire):
    """The same neurons, advanced by `scan_kernel`: each stays in registers over the steps of a call.

    `counts` (batch, *shape) are the spikes so far, int32. `taken` says how calls were computed: 'scan', or 'dense'
    step by step in torch, as where potentials are traced.
    """

    def __init__(
        self, population: Population, batch: int, constant: Tensor | None, target: Target, presented: int | None = None
    ) -> None:
        super().__init__(population, batch, constant, target, presented)
        assert isinstance(population.neuron, IF)
        self.counts = torch.zeros_like(self.potential, dtype=torch.int32)
        self.taken: set[str] = set()
        self.fused = True
        self.thresholds = self._repeated(target.tensor(np.asarray(population.neuron.threshold)))
        self.after = target.tensor(population.neuron.reset_potential).view(1)
        self.steady = self._repeated(self.drive)
        self.later = self._repeated(self.bias)

    def advance(self, current: Tensor | None, steps: int, trace: Tensor | None) -> Tensor:
        """One launch for all steps, or the loop over time where that is not possible."""
        if self.fused and trace is None and self._uniform(current, steps):
            spikes = empty_inside(self.potential, steps * len(self.potential))
            try:
                return self.launch(current, steps, spikes)
            except Exception as error:  # of whatever kind: nothing has run yet, and the loop can do it
                _refuse(f"{type(error).__name__}: {error}")
                self.fused = False
        spikes = super().advance(current, steps, trace)
        self.counts += spikes.view(steps, *self.counts.shape).sum(0).to(torch.int32)
        self.taken.add("dense")
        return spikes

    def _uniform(self, current: Tensor | None, steps: int) -> bool:
        """Whether every step adds the same beside the current, and the current is of the potentials' type."""
        turns = self.presented is not None and self.step < self.presented < self.step + steps
        return not turns and not self.pulses and (current is None or current.dtype == self.potential.dtype)

    def launch(self, current: Tensor | None, steps: int, spikes: Tensor) -> Tensor:
        """The kernel over all steps, into `spikes`; any error where Triton cannot compile or start it."""
        from snntoolbox.engine.fast import neurons_scan_kernel

        incoming = None if current is None else _flat(channels_inside(current))
        drive = self.steady if self.presented is None or self.step < self.presented else self.later
        state = _flat(self.potential), _flat(self.counts), _flat(spikes), incoming, drive, self.thresholds, self.after
        with torch.cuda.device_of(self.potential):  # type: ignore[no-untyped-call]
            neurons_scan_kernel.advance(*state, steps, zero=self.neuron.reset is Reset.ZERO)
        self.step += steps
        self.taken.add("scan")
        return spikes

    def _repeated(self, value: Tensor | None) -> Tensor:
        """One value, one per neuron or one per neuron and sample, in the order of the potentials; None is zero."""
        if value is None or value.numel() == 1:
            return self.potential.new_zeros(1) if value is None else value.reshape(1).to(self.potential.dtype)
        batch, *shape = self.potential.shape
        samples = batch if value.ndim == self.potential.ndim else 1
        return _flat(channels_inside(value.expand(samples, *shape)))


def _flat(x: Tensor) -> Tensor:
    """The values as they lie in memory, for tensors that lie as by `channels_inside`; never a copy."""
    return x.movedim(1, -1).view(-1) if x.ndim in (4, 5) else x.view(-1)


@cache
def _refuse(why: str) -> None:
    """Say it, once."""
    log.warning("neurons run step by step in torch, as their kernel does not work here: %s", why)


@cache
def works(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether the kernel gives on this device, bit for bit, what the loop over time gives there; tried once."""
    if find_spec("triton") is None:
        log.info("neurons run step by step in torch: Triton is not installed")
        return False
    target = Target(device, dtype)
    try:
        with torch.inference_mode():
            wrong = [case for case in _PROBES if not _agrees(target, *case)]
    except Exception as error:  # of whatever kind: nothing that happens here may end a run
        _refuse(f"{type(error).__name__}: {error}")
        return False
    if wrong:
        _refuse(f"other spikes than in torch for {', '.join(map(str, wrong))}")
    return not wrong


# Resets, whether there are currents, and sizes: some that do not fill a block, and some that do.
_PROBES = tuple(product((Reset.SUBTRACT, Reset.ZERO), (False, True), ((7, 83), (8, 128))))


def _agrees(target: Target, reset: Reset, given: bool, size: tuple[int, int]) -> bool:
    """Whether both ways give the same spikes, potentials and counts, in two calls."""
    batch, n = size
    draw = np.random.default_rng(0)
    # Ties, any numbers, which sums in another order would round otherwise, and some below the smallest normal one of
    # float32: no neuron has a smaller threshold.
    unit = np.where(draw.random(n) < 0.9, 1.0, float(torch.finfo(torch.float32).tiny) / 8)
    values = draw.normal(0.2, 0.5, (13, batch, n))
    values = np.where(draw.random(n) < 0.5, np.round(values * 8) / 8, values) * unit
    neuron = IF(threshold=unit, initial=unit / 2, reset=reset, reset_potential=0.1 if reset is Reset.ZERO else 0.0)
    probe = {"name": "probe", "current": "", "activation": "", "scale": np.ones(1), "bias": values[0, 0]}
    population = Population(shape=(n,), neuron=neuron, **probe)
    constant = target.tensor(values[0]) if given else None
    scan, loop = Scan(population, batch, constant, target), IntegrateAndFire(population, batch, constant, target)
    counted = torch.zeros((), device=target.device)
    for steps in (7, 5):
        current = target.tensor(values[1 : 1 + steps].reshape(-1, n)) if given else None
        spikes = scan.launch(current, steps, empty_inside(scan.potential, steps * batch))
        wanted = loop.advance(current, steps, None)
        counted = counted + wanted.view(steps, batch, n).sum(0)
        if not torch.equal(spikes, wanted):
            return False
    return torch.equal(scan.potential, loop.potential) and torch.equal(scan.counts, counted.to(torch.int32))
