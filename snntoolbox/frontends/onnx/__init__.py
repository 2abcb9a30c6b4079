"""The ONNX frontend: files and live models, opset 7 and newer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snntoolbox.frontends.protocol import Limits
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Array, Shape

if TYPE_CHECKING:
    from snntoolbox.frontends.onnx.model import OnnxModel


class OnnxFrontend:
    """Reads ``.onnx`` files, ``onnx.ModelProto`` objects and their bytes (see `Frontend`)."""

    name = "onnx"
    suffixes: tuple[str, ...] = (".onnx",)

    def __init__(self, input_tensor: str = "", constant_inputs: Mapping[str, Any] | None = None) -> None:
        self.input_tensor, self.constant_inputs = input_tensor, dict(constant_inputs or {})

    def beginning_at(self, input_tensor: str, constant_inputs: Mapping[str, Any]) -> OnnxFrontend:
        """The frontend that reads models from this tensor on, and these inputs as constants."""
        return OnnxFrontend(input_tensor, constant_inputs)

    def accepts(self, model: Any) -> bool:
        """Whether `model` is a ModelProto, the bytes of one, or what `open` returned."""
        kind = type(model)
        if isinstance(model, bytes) or kind.__module__ == "snntoolbox.frontends.onnx.model":
            return True
        return kind.__name__ == "ModelProto" and kind.__module__.split(".")[0] == "onnx"

    def open(self, source: Path | Any, *, input_shape: Shape | None = None) -> OnnxModel:
        """The model, read and checked; FrontendError where it cannot be used.

        `input_shape` (without batch) is needed where the file leaves sizes other than the batch open.
        """
        from snntoolbox.frontends.onnx.cutting import begun_at
        from snntoolbox.frontends.onnx.model import OnnxModel, describe
        from snntoolbox.frontends.onnx.proto import read_proto
        from snntoolbox.frontends.onnx.widening import halves_widened, inputs_widened

        if isinstance(source, OnnxModel):
            return source
        proto, name = read_proto(source)
        if self.input_tensor or self.constant_inputs:
            proto = begun_at(proto, self.input_tensor, self.constant_inputs, input_shape)
        return describe(inputs_widened(halves_widened(proto)), name, input_shape)

    def parse(self, model: OnnxModel) -> Graph:
        """The graph; UnsupportedError that lists every node it cannot take."""
        from snntoolbox.frontends.onnx.parse import parse_model

        return parse_model(model)

    def limits(self, model: OnnxModel) -> tuple[Limits, ...]:
        """Which whole numbers inputs take whose type is one of integers."""
        return model.limits

    def predict(self, model: OnnxModel, *x: Array) -> tuple[Array, ...]:
        """The outputs of onnxruntime, or of the ONNX reference evaluator where that is not installed."""
        from snntoolbox.frontends.onnx.predicting import predict

        return predict(model, x)
