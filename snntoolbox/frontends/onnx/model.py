"""An opened ONNX model: its message, its inputs without batch, and the shapes that can be inferred."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx

from snntoolbox.errors import FrontendError
from snntoolbox.frontends.layer_call import MOST_VALUES
from snntoolbox.frontends.onnx.proto import DAMAGE, broken_rule, opset
from snntoolbox.frontends.protocol import Limits
from snntoolbox.frontends.whole_numbers import whole_numbers
from snntoolbox.ir.node import Shape

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class InputSpec:
    """An input of the model: its sample's shape, and its type in numpy."""

    name: str
    shape: Shape
    dtype: Any


@dataclass(frozen=True, eq=False)
class OnnxModel:
    """An opened model. `batch` is the batch size that the file fixes, None where it is free.

    `shapes` holds sample shapes of tensors by name, as far as ONNX infers them; `runner` caches predict's session.
    """

    proto: Any
    name: str
    opset: int
    inputs: tuple[InputSpec, ...]
    batch: int | None
    shapes: dict[str, Shape]
    runner: list[Any] = field(default_factory=list, repr=False)

    @property
    def limits(self) -> tuple[Limits, ...]:
        """For each input the least and the largest number of its type, where that is one of integers."""
        return tuple(whole_numbers(spec.dtype) for spec in self.inputs)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the output tensors."""
        return tuple(output.name for output in self.proto.graph.output)


def describe(proto: Any, name: str, input_shape: Shape | None) -> OnnxModel:
    """The opened model; FrontendError where an input has no batch axis or no known shape."""
    graph = proto.graph
    stored = {t.name for t in graph.initializer} | {t.values.name for t in graph.sparse_initializer}
    inputs = [value for value in graph.input if value.name not in stored]
    if not inputs:
        raise FrontendError("the model has no inputs")
    if input_shape is not None and len(inputs) > 1:
        raise FrontendError(
            f"input_shape is for models with one input; this one has {len(inputs)}",
            hint="make constants of those that are the same for all samples: constant_inputs = "
            f"{{'{inputs[-1].name}': 1}}",
        )
    batches, specs = zip(*(_input(value, input_shape) for value in inputs), strict=True)
    fixed = {b for b in batches if b is not None}
    if len(fixed) > 1:
        raise FrontendError(f"the inputs' first axes, taken as the batch, have different sizes: {sorted(fixed)}")
    batch = fixed.pop() if fixed else None
    return OnnxModel(proto, name, opset(proto), specs, batch, _inferred(proto, inputs, specs))


def dimensions(value: Any) -> list[int | None] | None:
    """The sizes of a tensor (None where open), or None where not even the rank is known.

    Some exporters write an open size as 0 or -1.
    """
    kind = value.type.tensor_type
    if not kind.HasField("shape"):
        return None
    return [d.dim_value if d.dim_value > 0 else None for d in kind.shape.dim]


def _input(value: Any, input_shape: Shape | None) -> tuple[int | None, InputSpec]:
    """The fixed batch size of an input, and its specification."""
    if not value.type.HasField("tensor_type"):
        raise FrontendError("is not a tensor", layer=f"{value.name} (onnx Input)")
    dims = dimensions(value)
    if dims is not None and len(dims) < 2:
        raise FrontendError(
            f"has the shape {dims}, without a batch axis",
            layer=f"{value.name} (onnx Input)",
            hint="export the model with an input of shape (batch, ...)",
        )
    batch, sample = (None, None) if dims is None else (dims[0], dims[1:])
    shape = _sample(value.name, sample, input_shape)
    if min(shape) < 1 or (batch or 1) * math.prod(shape) > MOST_VALUES:
        raise FrontendError(f"has a size that cannot be: {dims}", layer=f"{value.name} (onnx Input)")
    try:
        dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))
    except (KeyError, TypeError, ValueError) as error:
        raise FrontendError("has no known element type", layer=f"{value.name} (onnx Input)") from error
    return batch, InputSpec(value.name, shape, dtype)


def _sample(name: str, declared: list[int | None] | None, input_shape: Shape | None) -> Shape:
    """The sample's shape from the file and the user."""
    if input_shape is None:
        known = [n for n in declared or () if n is not None]
        if declared is None or len(known) < len(declared):
            raise FrontendError(
                f"the file leaves its sizes open: {declared}",
                layer=f"{name} (onnx Input)",
                hint="give the shape of a sample: input_shape = ...",
            )
        return tuple(known)
    sizes = input_shape if declared is None else declared
    fits = len(sizes) == len(input_shape) and all(a in (None, b) for a, b in zip(sizes, input_shape, strict=True))
    if not input_shape or not fits:
        layer = f"{name} (onnx Input)"
        raise FrontendError(f"input_shape {tuple(input_shape)} does not fit the file's {declared}", layer=layer)
    return tuple(int(n) for n in input_shape)


def _inferred(proto: Any, inputs: list[Any], specs: tuple[InputSpec, ...]) -> dict[str, Shape]:
    """Sample shapes of all tensors whose every size but the batch ONNX can infer; stand-ins, nothing rests on them.

    Values are not inferred: of them a small file can ask for any number.
    """
    for value, spec in zip(inputs, specs, strict=True):
        dims = value.type.tensor_type.shape.dim
        if not dims:
            dims.add().dim_param = "batch"
            for _ in spec.shape:
                dims.add()
        if dims[0].dim_value <= 0:
            dims[0].dim_param = "batch"
        for dim, size in zip(list(dims)[1:], spec.shape, strict=True):
            dim.dim_value = size
    graph = proto.graph
    try:
        if broken_rule(proto) is None:
            graph = onnx.shape_inference.infer_shapes(proto, strict_mode=False).graph
    except DAMAGE as error:
        log.warning("ONNX cannot infer the shapes of this model: %s", error)
    shapes = {}
    for value in (*graph.value_info, *graph.output):
        dims = dimensions(value) or ()
        known = tuple(n for n in dims[1:] if n is not None)
        if dims and len(known) == len(dims) - 1 and math.prod(known) <= MOST_VALUES:
            shapes[value.name] = known
    return shapes
