"""The Lasagne frontend: a file that builds a network beside its parameters, read without Lasagne and Theano."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from snntoolbox.errors import FrontendError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Array, Shape

if TYPE_CHECKING:
    from snntoolbox.frontends.lasagne.model import LasagneModel


class LasagneFrontend:
    """Reads ``NAME.py`` with ``build_network`` beside ``NAME.npz`` or ``NAME.h5`` (see `Frontend`)."""

    name = "lasagne"
    suffixes: tuple[str, ...] = (".py",)

    def accepts(self, model: Any) -> bool:
        """Whether `model` is what `open` returned."""
        return f"{type(model).__module__}.{type(model).__qualname__}" == f"{__package__}.model.LasagneModel"

    def reads(self, path: Path) -> bool:
        """Whether a file of Python is about Lasagne, by its words."""
        return b"lasagne" in path.read_bytes()

    def open(self, source: Path | Any, *, input_shape: Shape | None = None) -> LasagneModel:
        """The network that the user's file builds, with its parameters; runs that file, which is told.

        `input_shape` (without batch) is needed where an InputLayer leaves sizes other than the batch open.
        """
        from snntoolbox.frontends.lasagne.model import LasagneModel, open_model

        if isinstance(source, LasagneModel):
            return source
        if not isinstance(source, str | Path):
            raise FrontendError(
                f"a {type(source).__name__} is not a Lasagne model",
                hint="give the path of NAME.py with NAME.npz or NAME.h5 beside it",
            )
        return open_model(Path(source), input_shape)

    def parse(self, model: LasagneModel) -> Graph:
        """The graph; UnsupportedError that lists every layer and operation it cannot take."""
        from snntoolbox.frontends.lasagne.parse import parse_model

        return parse_model(model)

    def predict(self, model: LasagneModel, *x: Array) -> tuple[Array, ...]:
        """The outputs as functions of torch give them, called with what the network recorded: a reading of its own."""
        from snntoolbox.frontends.lasagne.predicting import predict

        return predict(model, x)
