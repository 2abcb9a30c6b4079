"""The values of read-outs, step by step or at the end alone."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from snntoolbox.backends.inisim.kept import Part
from snntoolbox.backends.inisim.wired import Wired
from snntoolbox.ir.network import Readout
from snntoolbox.ir.node import Array


class Readings:
    """The sums of a batch's read-outs so far."""

    def __init__(self, wired: Wired, kept: Part, size: int, first_sample: int) -> None:
        self.network, self.constant, self.exact = wired.network, wired.constant, wired.exact
        self.kept, self.size, self.device = kept, size, wired.wiring.target.device
        self.first_sample = first_sample
        self.readouts = {r.name: r for r in self.network.readouts}
        self.sums: dict[str, Tensor] = {}
        self.at_start: dict[str, Array] = {}

    def add(self, name: str, current: Tensor | None, first: int, steps: int) -> None:
        """The value after each of these steps, from the running sum of the current in float64."""
        readout = self.readouts[name]
        totals = self._nothing(readout, steps)
        if current is not None:
            weights = torch.from_numpy(self.network.weights(first, steps)).to(totals.device)
            totals += current.view(totals.shape) * weights.view(-1, *[1] * (totals.ndim - 1))
        if readout.name in self.sums:
            totals[0] += self.sums[readout.name]
        totals = totals.cumsum(0)
        self.sums[readout.name] = totals[-1].clone()
        self.kept.per_step[readout.name][first : first + steps] = self._output(readout, totals, first + 1)

    def _output(self, readout: Readout, totals: Tensor, first: int) -> Array:
        """The value after steps `first`, `first` + 1, ... for the sums up to each, (steps, batch, *shape)."""
        summed = totals.cpu().numpy()
        if readout.name in self.constant:
            given = self.network.given(first + len(totals) - 1)[first - 1 :].reshape(-1, *[1] * (totals.ndim - 1))
            summed = summed + given * self.constant[readout.name].double().cpu().numpy()
        if first <= readout.start < first + len(summed):
            self.at_start[readout.name] = summed[readout.start - first].copy()
        return readout.values(summed, first, self.at_start.get(readout.name), self.network.window)

    def _final(self, counts: Mapping[str, Tensor]) -> dict[str, Array]:
        """The sum of a linear map's currents is the map of the summed spikes: one pass, in float64."""
        sources = {name: count.double() for name, count in counts.items()}
        currents = [r.current for r in self.network.readouts]
        sums = self.exact().tensors(sources, currents) if sources else {}
        totals = {n: sums[r.current][None] if sums else self._nothing(r, 1) for n, r in self.readouts.items()}
        return {n: self._output(r, totals[n], self.kept.steps)[0] for n, r in self.readouts.items()}

    def _nothing(self, readout: Readout, steps: int) -> Tensor:
        return torch.zeros((steps, self.size, *readout.shape), dtype=torch.float64, device=self.device)

    def finish(self, counts: Mapping[str, Tensor]) -> None:
        """Hand over the values after the last step; `counts` are those of what the read-outs' maps begin at."""
        for name, readout in self.readouts.items():
            if readout.draws is not None:
                self.kept.per_step[name][:] = readout.drawn(self.kept.per_step[name], self.first_sample)
        last = {n: v[-1] for n, v in self.kept.per_step.items()} or self._final(counts)
        for name, value in last.items():
            self.kept.outputs[name].append(value)
