"""What pictures and other forms ask of a result, which knows them and not the other way round."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from snntoolbox.ir.head import Head
from snntoolbox.ir.node import Array
from snntoolbox.ir.ran import Ran


class Finished(Protocol):
    """A `Result`, whose fields these are."""

    @property
    def steps(self) -> int:
        """How many steps there were."""

    @property
    def samples(self) -> int:
        """How many samples."""

    @property
    def mean_steps(self) -> float:
        """Steps per sample until its answer."""

    @property
    def counts(self) -> Mapping[str, Array]:
        """Population -> (samples, *shape)."""

    @property
    def spikes(self) -> Mapping[str, Array]:
        """Population -> (steps, samples, *shape)."""

    @property
    def potentials(self) -> Mapping[str, Array]:
        """Population -> (steps, samples, *shape)."""

    @property
    def outputs(self) -> Mapping[str, Array]:
        """Read-out -> (samples, *shape)."""

    @property
    def outputs_per_step(self) -> Mapping[str, Array]:
        """Read-out -> (steps, samples, *shape)."""

    @property
    def hardware(self) -> Mapping[str, Array]:
        """Figure -> (samples,)."""

    @property
    def ran(self) -> Ran | None:
        """What it came from."""

    @property
    def dt(self) -> float:
        """The length of a step in ms."""

    @property
    def output(self) -> Array:
        """The first read-out, (samples, *shape)."""

    @property
    def head(self) -> Head:
        """What that says."""

    @property
    def predictions(self) -> Array:
        """The classes of the samples."""

    @property
    def predictions_per_step(self) -> Array:
        """The same after each step."""

    def rates(self, population: str) -> Array:
        """Spikes per step and neuron, (samples, *shape)."""
