"""What a schedule is: the choices that go with it, what it does to a network, and what follows for who chooses it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from snntoolbox.errors import Unsupported
from snntoolbox.ir.encodings import Encoding
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.network import SpikingNetwork
from snntoolbox.ir.neurons import IF
from snntoolbox.ir.node import Array


class Choices(Protocol):
    """What a schedule looks at of a recipe. `Recipe` itself asks the schedules, so they do not know it."""

    @property
    def neuron(self) -> IF:
        """The model of every population."""
        ...

    @property
    def encoding(self) -> Encoding:
        """The input coding."""
        ...

    @property
    def weight_bits(self) -> int:
        """Bits of the weights on the integer grid, 0 for none."""
        ...


class Schedule(Protocol):
    """When the layers of a network fire.

    name: as users write it. hint: what goes with it, for those who are refused. corrections: of layers, the first is
    what 'auto' means; `why_no_others` ends the sentence that refuses the others. levels: what spikes carry where
    neurons have the plain level alone, in thresholds.

    always_fires: every layer fires in every step, so that spikes come unevenly and each layer can be corrected on the
    true spikes of the layers before it (`Correct`). counts_steps: the number of steps chooses thresholds, as in so many
    steps there are so many rates. saturates: what a neuron says ends where it fires all the time, which is how an upper
    bound of a rectifier is kept. rates: counts are rates, which can be set against activations. ends_early: read-outs
    tell something before the last step. own_start: it sets the start potentials itself, whatever they were. multiplies:
    what a layer sends is counted before others fire, so that counts can be multiplied.
    in_turn: each layer fires when all of its input is there, so that the network equals its quantised one, which can
    be run without time (`QuantizedRun`), and each of `corrections` tried.
    """

    name: str
    hint: str
    corrections: tuple[str, ...]
    why_no_others: str
    levels: tuple[float, ...]
    always_fires: bool
    counts_steps: bool
    saturates: bool
    rates: bool
    ends_early: bool
    own_start: bool
    multiplies: bool
    in_turn: bool

    def cost(self, layers: int) -> float:
        """How many times longer a run takes, with so many layers one behind the other, than one at a rate."""
        ...

    def resolution(self, steps: int) -> int:
        """How many values above 0 a neuron tells apart in runs, or windows, of so many steps.

        ConversionError where there are no such runs.
        """
        ...

    def steps_for(self, levels: int) -> int:
        """The fewest steps of a run, or window, in which a neuron tells so many values above 0 apart."""
        ...

    def misfits(self, recipe: Choices) -> list[str]:
        """What does not go with it: neurons, inputs and grids, a sentence each."""
        ...

    def unsupported(self, lowered: Graph) -> list[Unsupported]:
        """The nodes of a graph of rectifiers and linear maps that cannot be fired so, with the reason."""
        ...

    def corrected(
        self, network: SpikingNetwork, graph: Graph, x: Sequence[Array], duration: float, layers: str
    ) -> SpikingNetwork:
        """The network, before the schedule is applied, with what it corrects itself on samples `x` of each input.

        `graph` is the analogue network, `duration` (ms) what `apply` will be told, and `layers` one of
        `corrections` other than none.
        """
        ...

    def apply(self, network: SpikingNetwork, duration: float | None) -> SpikingNetwork:
        """The network with this schedule for runs of `duration` ms; ConversionError where it needs that and has none.

        UnsupportedError lists all that cannot be fired so.
        """
        ...

    def verify(self, network: SpikingNetwork, before: SpikingNetwork, x: Sequence[Array]) -> None:
        """GraphError where `network` is not what `apply` promises to make of `before`; `x` are samples of inputs."""
        ...
