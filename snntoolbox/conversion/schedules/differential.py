"""The schedule of spikes that send what changes: signed and of several sizes, until all layers agree."""

from __future__ import annotations

from collections.abc import Sequence

from snntoolbox.conversion.schedules.plain_neurons import gates, hint_for, lossy_choices
from snntoolbox.conversion.schedules.schedule import Choices
from snntoolbox.conversion.schedules.send_changes import LEVELS, SendChanges
from snntoolbox.errors import Unsupported
from snntoolbox.ir.encodings import Spiking
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array


class Differential:
    """The input comes once, and each layer sends the changes of its activation: see `SendChanges`.

    Sums settle within the smallest level, whatever the number of steps: nothing is left for a correction of layers,
    and thresholds of least error for spikes of one size say nothing.
    """

    name = "differential"
    hint = hint_for("differential")
    corrections: tuple[str, ...] = ("none",)
    why_no_others = "whose layers need none: they settle within their smallest level"
    levels: tuple[float, ...] = LEVELS
    always_fires = False
    counts_steps = False
    saturates = False
    rates = False
    ends_early = True
    own_start = True
    multiplies = False
    in_turn = False

    def cost(self, layers: int) -> float:
        """That of spikes of several sizes."""
        return 2.5

    def resolution(self, steps: int) -> int:
        """Sums settle within the smallest level; steps tell nothing of it."""
        return steps

    def steps_for(self, levels: int) -> int:
        """As for a rate: more steps only settle more."""
        return levels

    def misfits(self, recipe: Choices) -> list[str]:
        """Neurons that lose current, and random input."""
        wrong = lossy_choices(self.name, recipe)
        if isinstance(recipe.encoding, Spiking):
            wrong.append("schedule = differential needs constant-current input: spikes are drawn anew, not differences")
        return wrong

    def unsupported(self, lowered: Graph) -> list[Unsupported]:
        """Gates."""
        return gates(lowered)

    def corrected(
        self, network: SpikingNetwork, graph: Graph, x: Sequence[Array], duration: float, layers: str
    ) -> SpikingNetwork:
        """The same network."""
        return network

    def apply(self, network: SpikingNetwork, duration: float | None) -> SpikingNetwork:
        """The network with input and bias in the first step alone, for runs of any length."""
        return SendChanges()(network)

    def verify(self, network: SpikingNetwork, before: SpikingNetwork, x: Sequence[Array]) -> None:
        """Nothing is promised of a number of steps."""
