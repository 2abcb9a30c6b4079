"""What a frontend is: it opens a model, turns it into a graph, and can ask the model for its own output."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Array, Shape

Limits = tuple[int, int] | None
"""The least and the largest whole number that an input takes; None for one of any numbers."""


class Frontend(Protocol):
    """Turns models of one framework into graphs; it is known by its entry point in the group ``snntoolbox.frontends``.

    `suffixes` are the file endings it reads. No method may import its framework before it is needed.
    """

    name: str
    suffixes: tuple[str, ...]

    def accepts(self, model: Any) -> bool:
        """Whether `model`, a live object, is one of this framework's; by its type's module, importing nothing."""
        ...

    def open(self, source: Path | Any, *, input_shape: Shape | None = None) -> Any:
        """A model from a file (or a live object) ready for `parse` and `predict`; FrontendError where it cannot be."""
        ...

    def parse(self, model: Any) -> Graph:
        """The graph of an opened model; UnsupportedError that lists every layer it cannot take."""
        ...

    def predict(self, model: Any, *x: Array) -> tuple[Array, ...]:
        """The outputs that the framework itself computes for a batch of each input, called behind `parse`.

        NoReferenceError where it cannot run the model: then parsing is checked for shapes and weights only.
        """
        ...


@runtime_checkable
class KnowsItsFiles(Protocol):
    """A frontend that shares a file ending with others, and tells its files from theirs."""

    def reads(self, path: Path) -> bool:
        """Whether a file with one of its endings is this frontend's, by its content; the file is a regular one."""
        ...


@runtime_checkable
class BeginsAtTensors(Protocol):
    """A frontend that can read a model from a tensor in its middle on."""

    def beginning_at(self, input_tensor: str, constant_inputs: Mapping[str, Any]) -> Frontend:
        """The frontend whose models have this tensor as input (empty: their own), and these inputs as constants."""
        ...


@runtime_checkable
class TakesCustomObjects(Protocol):
    """A frontend that can be told, by a file, what the custom objects of models are."""

    def with_custom_objects(self, path: Path) -> Frontend:
        """The frontend that knows what the file says; FrontendError where it says nothing that is known."""
        ...


@runtime_checkable
class TakesWholeNumbers(Protocol):
    """A frontend whose models may take whole numbers, as quantised ones do."""

    def limits(self, model: Any) -> tuple[Limits, ...]:
        """For each input of an opened model which whole numbers it takes."""
        ...


@runtime_checkable
class Doubtful(Protocol):
    """A frontend that reads what another program has made of a model."""

    @property
    def doubt(self) -> str:
        """What may be behind a difference from the original."""
        ...
