"""What the schedules have in common whose layers fire one after the other, each in a window of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from snntoolbox.backends.registry import backend_named
from snntoolbox.conversion.corrections.correct_phased import CorrectPhased
from snntoolbox.conversion.schedules.fire_in_turn import FireInTurn
from snntoolbox.conversion.schedules.plain_neurons import digits_misfit, gates, lossy_choices
from snntoolbox.conversion.schedules.quantized_reference import check_quantized
from snntoolbox.conversion.schedules.schedule import Choices
from snntoolbox.errors import ConversionError, Unsupported
from snntoolbox.ir.encodings import SpikeTimes
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.node import Array
from snntoolbox.ir.timing import steps_of


class Windowed(ABC):
    """Each layer integrates while its sources fire, and fires in a window behind them: see `FireInTurn`.

    `usual` is a duration for hints.
    """

    name: str
    hint: str
    usual: ClassVar[int]
    corrections: tuple[str, ...] = ("search", "potential", "none")
    why_no_others = "which corrects start potentials alone"
    levels: tuple[float, ...] = (1.0,)
    always_fires = False
    counts_steps = True
    saturates = True
    rates = True
    ends_early = False
    own_start = False
    multiplies = True
    in_turn = True

    @abstractmethod
    def turns(self, steps: int) -> FireInTurn:
        """The pass for windows of so many steps; ConversionError where there are none."""

    def resolution(self, steps: int) -> int:
        """The levels of a window."""
        return self.turns(steps).levels

    def steps_for(self, levels: int) -> int:
        """As many as levels, or as these have digits."""
        return self.turns(1).counting.window(levels)

    def cost(self, layers: int) -> float:
        """Not longer: the built-in simulator goes by counts, once for all windows."""
        return 1.0

    def misfits(self, recipe: Choices) -> list[str]:
        """Neurons that lose current, or whose spikes are of several kinds."""
        plain = f"schedule = {self.name} needs plain spikes, without levels and signs"
        wrong = lossy_choices(self.name, recipe) + ([plain] if recipe.neuron.graded else [])
        if isinstance(recipe.encoding, SpikeTimes):
            wrong.append(f"schedule = {self.name} needs input that goes into a window, not spikes at given times")
        return wrong + digits_misfit(self.name, recipe, self.turns(1).counting)

    def unsupported(self, lowered: Graph) -> list[Unsupported]:
        """Gates."""
        return gates(lowered)

    def corrected(
        self, network: SpikingNetwork, graph: Graph, x: Sequence[Array], duration: float, layers: str
    ) -> SpikingNetwork:
        """The network with the start potentials of least error: see `CorrectPhased`."""
        return CorrectPhased(self.turns(steps_of(duration, network.dt)), search=layers == "search")(network, graph, x)

    def apply(self, network: SpikingNetwork, duration: float | None) -> SpikingNetwork:
        """The network with windows of `duration` ms."""
        if duration is None:
            hint = f"stb.convert(..., schedule='{self.name}', duration={self.usual})"
            raise ConversionError(f"schedule = {self.name} needs the number of steps of a window", hint=hint)
        return self.turns(steps_of(duration, network.dt))(network)

    def verify(self, network: SpikingNetwork, before: SpikingNetwork, x: Sequence[Array]) -> None:
        """One sample on the built-in simulator has the counts of the quantised network: see `check_quantized`."""
        check_quantized(network, before, x, backend_named("INI"))
