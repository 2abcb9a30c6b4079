"""Makes float inputs of integer ones that the model casts to float first, as exporters write for images of bytes."""

from __future__ import annotations

from typing import Any

from onnx import TensorProto

INTEGERS = (TensorProto.UINT8, TensorProto.INT8, TensorProto.UINT16, TensorProto.INT16, TensorProto.INT32)


def uncast(proto: Any) -> Any:
    """The model itself; its inputs of whole numbers that nothing but a cast to float32 reads are float32 in place.

    For whole numbers it computes the same. So a sample is the numbers that it holds, as everywhere here, and not what
    is left of them in the input's type.
    """
    for value in proto.graph.input:
        kind, readers = value.type.tensor_type, [n for n in proto.graph.node if value.name in n.input]
        if kind.elem_type in INTEGERS and readers and all(_to_float(node) for node in readers):
            kind.elem_type = TensorProto.FLOAT
    return proto


def _to_float(node: Any) -> bool:
    return node.op_type == "Cast" and any(a.name == "to" and a.i == TensorProto.FLOAT for a in node.attribute)
