"""The schedule of neurons that fire once, the earlier the larger their activation: equal to its quantised network."""

from __future__ import annotations

from snntoolbox.conversion.schedules.fire_in_turn import FireInTurn
from snntoolbox.conversion.schedules.plain_neurons import hint_for
from snntoolbox.conversion.schedules.schedule import Choices
from snntoolbox.conversion.schedules.windowed import Windowed
from snntoolbox.ir.counting import Counting
from snntoolbox.ir.encodings import Spiking
from snntoolbox.ir.latency import Latency


class FirstSpike(Windowed):
    """The time of the one spike in a window of T steps says one of T levels; none says 0: see `FirstSpikeWindow`."""

    name = "first-spike"
    hint = hint_for("first-spike")
    usual = 16

    def turns(self, steps: int) -> FireInTurn:
        """As many levels as steps."""
        return FireInTurn(steps, Counting.LEAD)

    def misfits(self, recipe: Choices) -> list[str]:
        """Random input too: a spike of it would count by its time."""
        wrong = super().misfits(recipe)
        if isinstance(recipe.encoding, Spiking) and not isinstance(recipe.encoding, Latency):
            told = "schedule = first-spike needs constant-current or latency input"
            wrong.append(f"{told}: drawn spikes say no value by their time")
        return wrong
