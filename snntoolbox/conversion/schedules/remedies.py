"""What to change where a recipe does not go with its schedule: the settings without which less is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from snntoolbox.conversion.schedules.schedule import Choices, Schedule
from snntoolbox.ir.binary_digits import BinaryDigits
from snntoolbox.ir.encodings import ConstantCurrent, Encoding, Poisson, SpikeTimes
from snntoolbox.ir.latency import Latency
from snntoolbox.ir.neurons import IF, Negative, Reset


@dataclass(frozen=True)
class Looked:
    """What a schedule looks at of a recipe."""

    neuron: IF
    encoding: Encoding
    weight_bits: int


def _neuron(**plain: object) -> Callable[[Looked], Looked]:
    return lambda looked: replace(looked, neuron=replace(looked.neuron, **plain))  # type: ignore[arg-type]


def _input(kind: type[Encoding]) -> Callable[[Looked], Looked]:
    def change(looked: Looked) -> Looked:
        return replace(looked, encoding=ConstantCurrent()) if isinstance(looked.encoding, kind) else looked

    return change


_CHANGES: Mapping[str, Callable[[Looked], Looked]] = {
    "[cell] reset = subtract and leak = False": _neuron(reset=Reset.SUBTRACT, leak=1.0),
    "[cell] tau_refrac = 0": _neuron(refractory=0),
    "[cell] spikes = unsigned and levels = [1]": _neuron(negative=Negative.NEVER, levels=(1.0,)),
    "[input] poisson_input = False": _input(Poisson),
    "[input] latency_input = False": _input(Latency),
    "[input] digit_input = False": _input(BinaryDigits),
    "frames of the events instead of them (x_test.npz)": _input(SpikeTimes),
    "[conversion] weight_bits = 0": lambda looked: replace(looked, weight_bits=0),
}


def remedy(schedule: Schedule, recipe: Choices) -> str:
    """The changes that leave less wrong with a recipe and its schedule, or another schedule."""
    looked = Looked(recipe.neuron, recipe.encoding, recipe.weight_bits)
    wrong = len(schedule.misfits(looked))
    helping = [text for text, change in _CHANGES.items() if len(schedule.misfits(change(looked))) < wrong]
    return "; ".join([*([", ".join(helping)] if helping else []), "schedule = rate takes any neurons and inputs"])
