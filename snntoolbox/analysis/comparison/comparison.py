"""What a comparison of simulators finds, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

FORMAT = 1
"""Of ``compare.json``; grows when the meaning of a key changes."""


class Status(StrEnum):
    """What became of a simulator."""

    RAN = "ran"
    DIED = "died"
    REFUSED = "refused"
    MISSING = "missing"


class Cause(StrEnum):
    """The class of a first divergence: what one simulator does otherwise than the semantics say."""

    RESET = "reset rule"
    """Potentials after a spike follow another reset."""
    COMPARISON = "comparison"
    """A potential equal to the threshold fires no spike: > in place of >=."""
    DELAY = "delay"
    """The raster, or what arrives, is the same some steps later or earlier."""
    ROUNDING = "rounding"
    """Currents differ by a small share: sums in another order or precision, or weights that were rounded."""
    INPUT = "input coding"
    """What a coded input brings is another train or current than that of its sample."""
    UNKNOWN = "unknown"
    """None of the above explains the raster."""


@dataclass(frozen=True, kw_only=True)
class Membrane:
    """One neuron's potential around one step, in units of the network; None where it is not known.

    `previous` is recorded after the step before (V[0] for the first step), `after` after the reset. `before`, at the
    threshold's comparison, follows from `previous` and from the current that the semantics give.
    """

    previous: float | None
    before: float | None
    after: float | None
    spiked: bool


@dataclass(frozen=True, kw_only=True)
class Divergence:
    """The first cell in which the rasters of a simulator and of the reference differ.

    Of the first sample that differs it is the earliest step, and in that step the first population in the order of the
    network: what lies before it is equal in both. `sample` counts from 0 as in the data set, `step` from 1; `neuron`
    is an index in C order and `position` the same by axes. `departs` names those that do not follow the semantics.
    """

    population: str
    layer: str
    neuron: int
    position: tuple[int, ...]
    sample: int
    step: int
    threshold: float | None
    reference: Membrane
    simulator: Membrane
    cause: Cause
    departs: tuple[str, ...]
    evidence: str


@dataclass(frozen=True, kw_only=True)
class Side:
    """One simulator of a comparison; shares are None where nothing tells them.

    `samples` is the number finished, also where the simulator died. accuracy: by the labels; agreement: share of equal
    predictions with the reference, ann_agreement with the original network. spikes: population -> mean number per
    sample. hardware: what a simulator of chips says that a sample takes there, on average. differing: population ->
    cells (neuron, step, sample) that differ from the reference, of `cells`.
    """

    simulator: str
    status: Status
    reason: str = ""
    samples: int = 0
    accuracy: float | None = None
    agreement: float | None = None
    ann_agreement: float | None = None
    spikes: Mapping[str, float] = field(default_factory=dict)
    hardware: Mapping[str, float] = field(default_factory=dict)
    differing: Mapping[str, int] = field(default_factory=dict)
    cells: Mapping[str, int] = field(default_factory=dict)
    compared: int = 0
    seconds_to_build: float = 0.0
    seconds_to_run: float = 0.0
    divergence: Divergence | None = None

    @property
    def differing_cells(self) -> int:
        """The number of cells that differ from the reference, over all populations."""
        return sum(self.differing.values())


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Several simulators on the same network and samples; `reference` names the one that the others are held against.

    `weight_bits` is 0 where the network is on no integer grid. `layers` gives each population as the user knows it.
    """

    model: str
    reference: str
    samples: int
    steps: int
    duration: float
    weight_bits: int
    layers: Mapping[str, str]
    sides: tuple[Side, ...]

    @property
    def complete(self) -> bool:
        """Whether all simulators ran to the end."""
        return all(side.status is Status.RAN for side in self.sides)

    @property
    def equal(self) -> bool:
        """Whether all rasters that were compared are equal; False where no two simulators have a sample in common."""
        compared = [side for side in self.sides if side.compared]
        return bool(compared) and not any(side.differing_cells for side in compared)

    @property
    def as_expected(self) -> bool:
        """Whether the rasters are as equal as they must be: all of them on an integer grid, to rounding elsewhere."""
        return self.equal or (
            not self.weight_bits
            and any(side.compared for side in self.sides)
            and all(side.divergence is None or side.divergence.cause is Cause.ROUNDING for side in self.sides)
        )

    def side(self, simulator: str) -> Side:
        """That of one simulator; KeyError where it was not compared."""
        return {side.simulator: side for side in self.sides}[simulator]

    def as_dict(self) -> dict[str, Any]:
        """What ``compare.json`` holds."""
        verdict = {"equal": self.equal, "as_expected": self.as_expected, "complete": self.complete}
        return {"format": FORMAT, **asdict(self), **verdict}
