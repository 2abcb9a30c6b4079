"""What a part of a neuron is: its role, what it does in one step in numpy, and the features that it asks for.

A neuron has one part of each role; the last four roles may be empty. In a step the parts act in the order of `Parts`:

    synapse     what the spikes that arrive add                      I[t] = S(W z[t]) + bias and other currents
    membrane    what becomes of the potential                        V-[t] = M(V[t-1], I[t])
    threshold   how high it is now                                   theta[t]
    spikes      which values are fired                               z[t] = F(V-[t], theta[t])
    reset       what a spike does to the potential                   V[t] = R(V-[t], z[t], theta[t])
    limits      between which the potential is kept                  V[t] = L(V[t])
    pause       steps after a spike without input and spikes         I[t] = 0 and z[t] = 0
    openings    the steps in which it may fire, and what they count  z[t] = 0 outside of them
    transfer    before all others, when they open                    V[t-1] = F(V[t-1])

What a part keeps from one step to the next is its memory, arrays (samples, *shape) by name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from snntoolbox.ir.feature import Feature
from snntoolbox.ir.node import Array, Shape

Memory = dict[str, Array]
"""What a part keeps from step to step; it is changed in place."""


class Part(ABC):
    """A part of a neuron: a frozen dataclass that is one of the roles below.

    `features` are what it may ask of a backend, in the words in which it is refused; none for what all backends have.
    """

    features: ClassVar[tuple[Feature, ...]]

    def asks(self) -> tuple[Feature, ...]:
        """The features that it asks for, as it is."""
        return self.features

    def start(self, shape: Shape) -> Memory:
        """Its memory before the first step, for neurons (samples, *shape)."""
        return {}

    def misfits(self) -> Iterator[str]:
        """What is wrong with it, in words."""
        return iter(())


class Synapse(Part):
    """The currents that arriving spikes make over time."""

    @property
    def paired(self) -> bool:
        """Whether what arrives is told apart by the sign of weights: (samples, 2, *shape), all and the negative."""
        return False

    @property
    def latches(self) -> bool:
        """Whether a second input arrives beside the current, (samples, 2, *shape), to be counted as the steps do."""
        return False

    @abstractmethod
    def current(self, arriving: Array, memory: Memory) -> Array:
        """I[t] for what the wiring brings in this step."""


class Membrane(Part):
    """What the potential becomes from one step to the next."""

    @abstractmethod
    def integrated(self, potential: Array, current: Array, memory: Memory) -> Array:
        """V before the reset."""


class Threshold(Part):
    """How high the threshold is."""

    @abstractmethod
    def height(self, step: int, memory: Memory) -> Array | float:
        """Theta in this step, counted from 0."""

    def fired(self, spikes: Array, memory: Memory) -> None:
        """Take note of the spikes of this step."""


class SpikeRule(Part):
    """What is fired; `graded` where spikes carry other values than 1."""

    graded: ClassVar[bool] = True

    @abstractmethod
    def fire(self, before: Array, height: Array | float, sent: Array) -> Array:
        """The values fired, for V before the reset and the sum of the values sent so far."""


class ResetRule(Part):
    """What a spike does to the potential."""

    @abstractmethod
    def after(self, before: Array, spikes: Array, height: Array | float) -> Array:
        """V after the reset."""


class Limits(Part):
    """What keeps the potential within bounds at the end of a step."""

    @abstractmethod
    def kept(self, potential: Array) -> Array:
        """V at the end of the step."""


class Pause(Part):
    """When a neuron takes no current and fires no spike, because of spikes before."""

    @property
    def fastest(self) -> float:
        """The fastest rate that it leaves a neuron, in spikes per step: above 0 and at most 1."""
        return 1.0

    @abstractmethod
    def awake(self, memory: Memory) -> Array:
        """Whether each neuron takes part in this step, bool."""

    @abstractmethod
    def fired(self, spikes: Array, memory: Memory) -> None:
        """Take note of the spikes of this step."""


class Openings(Part):
    """In which steps a neuron may fire."""

    @abstractmethod
    def open(self, step: int) -> bool:
        """Whether it may in this one, counted from 0."""

    def opens(self, step: int) -> bool:
        """Whether it may from this step on."""
        return self.open(step) and not (step and self.open(step - 1))

    def restart(self, step: int) -> Array | float | None:
        """The potential with which a neuron begins anew in this step; None where it goes on."""
        return None

    def hold(self, step: int) -> Array | float | None:
        """The potential that a neuron has at the end of this step whatever came in; None where it has its own."""
        return None

    def weight(self, step: int) -> float:
        """How often the current, the threshold and a spike of this step count."""
        return 1.0


@dataclass(frozen=True, eq=False)
class Window(Openings):
    """The steps first <= t < last, counted from 0."""

    first: int
    last: int

    @property
    def steps(self) -> int:
        """Their number."""
        return self.last - self.first

    def open(self, step: int) -> bool:
        """Whether the step lies in it."""
        return self.first <= step < self.last


class Transfer(Part):
    """What becomes of a potential in the step in which its neuron may fire from then on, before all else."""

    @abstractmethod
    def opened(self, potential: Array, height: Array | float) -> Array:
        """V (samples, *shape) with which the step begins, for a threshold of this height."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Parts:
    """All parts of a neuron, by their roles, in the order in which they are named and told; None for an empty role."""

    synapse: Synapse
    membrane: Membrane
    threshold: Threshold
    spikes: SpikeRule
    reset: ResetRule
    limits: Limits | None = None
    pause: Pause | None = None
    openings: Openings | None = None
    transfer: Transfer | None = None

    def __iter__(self) -> Iterator[Part]:
        """Those that are there."""
        return (part for role in ROLES if (part := getattr(self, role)) is not None)


ROLES: Mapping[str, type[Part]] = {
    "synapse": Synapse,
    "membrane": Membrane,
    "threshold": Threshold,
    "spikes": SpikeRule,
    "reset": ResetRule,
    "limits": Limits,
    "pause": Pause,
    "openings": Openings,
    "transfer": Transfer,
}


_KNOWN: dict[type, str] = {}


def role_of(part: object) -> str:
    """The role that a part has; empty for what has none, or several."""
    kind = type(part)
    if kind not in _KNOWN:  # deep networks ask very often
        roles = [name for name, role in ROLES.items() if issubclass(kind, role)]
        _KNOWN[kind] = roles[0] if len(roles) == 1 else ""
    return _KNOWN[kind]


def features_of(kinds: Iterable[type[Part]]) -> frozenset[Feature]:
    """All that parts of these types may ask for: what a backend has that knows them."""
    return frozenset(feature for kind in kinds for feature in kind.features)
