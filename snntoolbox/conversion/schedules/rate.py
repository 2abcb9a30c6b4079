"""The usual schedule: every layer fires all the time, and the number of its spikes is a rate."""

from __future__ import annotations

from collections.abc import Sequence

from snntoolbox.conversion.corrections.correct_layers import CORRECTIONS
from snntoolbox.conversion.schedules.plain_neurons import digits_misfit
from snntoolbox.conversion.schedules.schedule import Choices
from snntoolbox.errors import Unsupported
from snntoolbox.ir.counting import Counting
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array


class Rate:
    """Networks stay as they are: any neurons, inputs and lengths of runs. Layers are corrected afterwards."""

    name = "rate"
    hint = ""
    corrections: tuple[str, ...] = tuple(dict.fromkeys(("search", *CORRECTIONS, "none")))
    why_no_others = ""
    levels: tuple[float, ...] = (1.0,)
    always_fires = True
    counts_steps = True
    saturates = True
    rates = True
    ends_early = True
    own_start = False
    multiplies = False
    in_turn = False

    def cost(self, layers: int) -> float:
        """That of the steps alone."""
        return 1.0

    def resolution(self, steps: int) -> int:
        """One more value with each step."""
        return steps

    def steps_for(self, levels: int) -> int:
        """As many as values."""
        return levels

    def misfits(self, recipe: Choices) -> list[str]:
        """Digits, whose order counts for nothing here."""
        return digits_misfit(self.name, recipe, Counting.ONE)

    def unsupported(self, lowered: Graph) -> list[Unsupported]:
        """Nothing: what is lowered can fire at a rate."""
        return []

    def corrected(
        self, network: SpikingNetwork, graph: Graph, x: Sequence[Array], duration: float, layers: str
    ) -> SpikingNetwork:
        """The same network."""
        return network

    def apply(self, network: SpikingNetwork, duration: float | None) -> SpikingNetwork:
        """The same network."""
        return network

    def verify(self, network: SpikingNetwork, before: SpikingNetwork, x: Sequence[Array]) -> None:
        """Nothing was promised."""
