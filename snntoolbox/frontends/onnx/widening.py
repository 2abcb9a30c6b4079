"""Makes float32 of the types in which a model computes less exactly, or takes its inputs, than its graph does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from onnx import TensorProto, numpy_helper

from snntoolbox.errors import FrontendError
from snntoolbox.frontends.onnx.proto import DAMAGE, tensors

HALVES = (TensorProto.FLOAT16, TensorProto.BFLOAT16)
INTEGERS = (
    *(TensorProto.UINT8, TensorProto.INT8, TensorProto.UINT16, TensorProto.INT16),
    *(TensorProto.UINT32, TensorProto.INT32, TensorProto.UINT64, TensorProto.INT64),
)
TYPE_ATTRIBUTES = ("to", "dtype")

# -- half precision -------------------------------------------------------------------------------------------------


def halves_widened(proto: Any) -> Any:
    """The model itself, its tensors, values and casts of half precision turned into float32 in place.

    FrontendError where one of these tensors is damaged.
    """
    if not any(v.type.tensor_type.elem_type in HALVES for v in _values(proto.graph)) and not any(
        t.data_type in HALVES for t in tensors(proto)
    ):
        return proto
    for tensor in tensors(proto):
        if tensor.data_type in HALVES:
            _widen(tensor)
    for graph in _graphs(proto.graph):
        for value in _values(graph):
            if value.type.tensor_type.elem_type in HALVES:
                value.type.tensor_type.elem_type = TensorProto.FLOAT
        for attribute in (a for node in graph.node for a in node.attribute):
            if attribute.name in TYPE_ATTRIBUTES and attribute.i in HALVES:
                attribute.i = TensorProto.FLOAT
    return proto


def _widen(tensor: Any) -> None:
    try:
        array = np.asarray(numpy_helper.to_array(tensor), np.float32)
    except DAMAGE as error:
        raise FrontendError(f"the tensor '{tensor.name}' is damaged: {error}") from error
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


def _values(graph: Any) -> Iterator[Any]:
    """Everything in a graph whose type is declared."""
    yield from (*graph.input, *graph.output, *graph.value_info)


def _graphs(graph: Any) -> Iterator[Any]:
    """The graph and all graphs inside its nodes."""
    yield graph
    for attribute in (a for node in graph.node for a in node.attribute):
        for inner in (attribute.g, *attribute.graphs):
            if inner.node:
                yield from _graphs(inner)


# -- inputs of whole numbers ----------------------------------------------------------------------------------------


def inputs_widened(proto: Any) -> Any:
    """The model itself; its inputs of whole numbers that are cast to float32 before all else are float32 in place.

    For whole numbers it computes the same. So a sample is the numbers that it holds, as everywhere here, and not what
    is left of them in the input's type.
    """
    for value in proto.graph.input:
        if value.type.tensor_type.elem_type in INTEGERS:
            moved = _cast_later(proto.graph, value.name)
            for other in (value, *(v for v in proto.graph.value_info if v.name in moved)):
                if moved:
                    other.type.tensor_type.elem_type = TensorProto.FLOAT
    return proto


_MOVING = frozenset({"Unsqueeze", "Squeeze", "Reshape", "Transpose", "Expand", "Flatten", "Identity"})
"""Operations that do the same with numbers of every type."""


def _cast_later(graph: Any, name: str) -> frozenset[str]:
    """A tensor and what it is moved to before all of it is cast to float32; none where something else reads it."""
    readers = [node for node in graph.node if name in node.input]
    if not readers or any(output.name == name for output in graph.output):
        return frozenset()
    found = frozenset({name})
    for node in readers:
        if not _to_float(node):
            moves = node.op_type in _MOVING and node.input[0] == name and name not in node.input[1:]
            moved = _cast_later(graph, node.output[0]) if moves else frozenset()
            if not moved:
                return frozenset()
            found |= moved
    return found


def _to_float(node: Any) -> bool:
    return node.op_type == "Cast" and any(a.name == "to" and a.i == TensorProto.FLOAT for a in node.attribute)
