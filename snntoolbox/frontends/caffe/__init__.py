"""The Caffe frontend: a net as text beside its weights, read without Caffe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from snntoolbox.errors import FrontendError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Array, Shape

if TYPE_CHECKING:
    from snntoolbox.frontends.caffe.net import Net


class CaffeFrontend:
    """Reads ``NAME.prototxt`` beside ``NAME.caffemodel`` or ``NAME.caffemodel.h5`` (see `Frontend`)."""

    name = "caffe"
    suffixes: tuple[str, ...] = (".prototxt", ".caffemodel")

    def accepts(self, model: Any) -> bool:
        """Whether `model` is what `open` returned: live nets of Caffe are not taken."""
        return f"{type(model).__module__}.{type(model).__qualname__}" == f"{__package__}.net.Net"

    def open(self, source: Path | Any, *, input_shape: Shape | None = None) -> Net:
        """The net in its test phase with its weights; FrontendError where it cannot be used.

        `input_shape` (without batch) is needed where the data come from a database, whose sizes the text leaves open.
        """
        from snntoolbox.frontends.caffe.files import read_model
        from snntoolbox.frontends.caffe.net import Net, net_of

        if isinstance(source, Net):
            return source
        if not isinstance(source, str | Path):
            raise FrontendError(
                f"a {type(source).__name__} is not a Caffe model",
                hint="give the path of NAME.prototxt with NAME.caffemodel beside it",
            )
        return net_of(read_model(Path(source)), input_shape)

    def parse(self, model: Net) -> Graph:
        """The graph; UnsupportedError that lists every layer it cannot take."""
        from snntoolbox.frontends.caffe.parse import parse_net

        return parse_net(model)

    def predict(self, model: Net, *x: Array) -> tuple[Array, ...]:
        """The outputs as functions of torch give them, called with what the messages say: a reading of its own."""
        from snntoolbox.frontends.caffe.predicting import predict

        return predict(model, x)
