"""Gates of max pooling in Brian2: cells that estimate rates, and synapses by which those of a window compare theirs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from snntoolbox.ir.flat_gates import GateCells
from snntoolbox.ir.gating import GROWTH, SHARE, Estimate

CELLS = """
current : 1
fresh : 1
rate : 1
lost : 1
"""
WINDOWS = "passed : 1"

RATES: Mapping[Estimate, str] = {
    Estimate.AVERAGE: "rate + fresh",
    Estimate.FIR: "rate + fresh / clip(t_in_timesteps - {onset} + 1, 1, inf)",
    Estimate.EXPONENTIAL: f"{GROWTH!r} * rate + {SHARE!r} * fresh",
}
"""The estimate after a step, where `fresh` are its spikes."""

STEP = """
fresh = current
current = 0
rate = {rate}
"""
LOSES = "lost_post = int(rate_pre > rate_post) + int(rate_pre == rate_post) * int(i < j) : 1 (summed)"
PASSES = "passed_post = int(lost_pre == 0) * fresh_pre : 1 (summed)"
ESTIMATED, COMPARED, PASSED = -3, -1, 1
"""The order within a step. Brian2 sums for a group just before it: what is lost at -2, what passes at 0."""


class Gates:
    """Brian2's objects (`b2` is the module) for one population of gates: spikes go into `cells`, out of `windows`."""

    def __init__(self, b2: Any, flat: GateCells, clock: Any, name: Callable[[str], str]) -> None:
        about = {"clock": clock}
        self.cells = b2.NeuronGroup(flat.size, CELLS, order=COMPARED, name=name("gate_cells"), **about)
        fires = f"passed > 0.5 and t_in_timesteps >= {flat.onset}"
        self.windows = b2.NeuronGroup(
            flat.windows, WINDOWS, threshold=fires, reset="", order=PASSED, name=name("gates"), **about
        )
        step = STEP.format(rate=RATES[flat.estimate].format(onset=flat.onset))
        self.cells.run_regularly(step, when="groups", order=ESTIMATED, name=name("estimate"), **about)
        passing = b2.Synapses(self.cells, self.windows, PASSES, name=name("passing"), **about)
        passing.connect(i=range(flat.size), j=flat.window)
        self.synapses = [passing]
        one, other = flat.pairs
        if len(one):
            comparing = b2.Synapses(self.cells, self.cells, LOSES, name=name("comparing"), **about)
            comparing.connect(i=one, j=other)
            self.synapses.append(comparing)

    @property
    def objects(self) -> list[Any]:
        """All of them."""
        return [self.cells, self.windows, *self.synapses]
