"""The schedule of layers that fire one after the other: equal to the network quantised to as many levels as steps."""

from __future__ import annotations

from snntoolbox.conversion.schedules.fire_in_turn import FireInTurn
from snntoolbox.conversion.schedules.plain_neurons import hint_for
from snntoolbox.conversion.schedules.windowed import Windowed


class Phased(Windowed):
    """A spike counts the same in each step of a window."""

    name = "phased"
    hint = hint_for("phased")
    usual = 8

    def turns(self, steps: int) -> FireInTurn:
        """As many levels as steps."""
        return FireInTurn(steps)
