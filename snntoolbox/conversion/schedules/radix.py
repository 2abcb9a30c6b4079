"""The schedule of layers that send binary digits in turn: equal to the network quantised to 2^B - 1 levels."""

from __future__ import annotations

from dataclasses import dataclass

from snntoolbox.conversion.schedules.fire_in_turn import FireInTurn
from snntoolbox.conversion.schedules.plain_neurons import hint_for
from snntoolbox.conversion.schedules.schedule import Choices
from snntoolbox.conversion.schedules.windowed import Windowed
from snntoolbox.errors import ConversionError
from snntoolbox.ir.binary_digits import BinaryDigits
from snntoolbox.ir.counting import MOST_BITS, Counting
from snntoolbox.ir.encodings import Spiking


@dataclass(frozen=True)
class Radix(Windowed):
    """The steps of a window are the digits of a binary number, the most significant first: see `DigitWindow`.

    `own` has the digits of populations that have another number of them, by name.
    """

    name = "radix"
    hint = hint_for("radix")
    usual = 6
    own: tuple[tuple[str, int], ...] = ()

    def turns(self, steps: int) -> FireInTurn:
        """2^steps - 1 levels."""
        if steps > MOST_BITS:
            message = f"schedule = radix has a step for each binary digit of a value, and {steps} are too many"
            hint = f"[simulation] duration = {self.usual}, for instance; {MOST_BITS} steps at most"
            raise ConversionError(message, hint=hint)
        return FireInTurn(steps, Counting.DIGIT, dict(self.own))

    def misfits(self, recipe: Choices) -> list[str]:
        """Random input too: few steps that count so differently are no mean."""
        wrong = super().misfits(recipe)
        if isinstance(recipe.encoding, Spiking) and not isinstance(recipe.encoding, BinaryDigits):
            told = "schedule = radix needs constant-current or binary-digit input"
            wrong.append(f"{told}: other spikes are no digits of a value")
        return wrong
