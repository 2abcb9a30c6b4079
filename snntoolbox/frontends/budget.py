"""What working out a model's constants may cost: a small file cannot ask for much, whatever its format."""

from __future__ import annotations

from snntoolbox.frontends.layer_call import Refusal

SPARE_VALUES = 2**23
SPARE_WORK = 2**31


class Budget:
    """The values that may still be made, and the steps of arithmetic that may still be taken for them.

    Both grow with the number of values that the model itself holds: real models only reorder and scale what they hold.
    """

    def __init__(self, held: int) -> None:
        self.values = SPARE_VALUES + 8 * held
        self.work = SPARE_WORK + 64 * held

    def spend(self, values: int, work: int = 0) -> None:
        """Take a result of so many values, and the steps beside one for each; Refusal where that is too much."""
        if values > self.values:
            raise Refusal(f"its constant output of {values:,} values is too large")
        if values + work > self.work:
            raise Refusal(f"its constant output takes {values + work:,} steps to compute: too many")
        self.values -= values
        self.work -= values + work
