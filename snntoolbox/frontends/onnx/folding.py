"""Works out nodes whose inputs are all known: weights that the file computes, and shape arithmetic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from snntoolbox.frontends.layer_call import CONTROL_FLOW, Refusal, not_supported, real
from snntoolbox.frontends.onnx.call import Known
from snntoolbox.frontends.onnx.proto import DAMAGE, DOMAINS
from snntoolbox.ir.node import Array

RANDOM = {"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial", "Bernoulli"}
SMALL = 1024  # inputs of up to so many integers are shown to shape inference, which needs the targets of Reshape
SPARE_BYTES = 2**28
EVALUATED_FROM = {"DequantizeLinear": 19}
"""The opset from which on the reference implementation has an operator that means the same in older ones."""
Inputs = Sequence[Known | None]


class Folder:
    """Evaluates single nodes with the ONNX reference implementation, within a budget of memory.

    The budget is `SPARE_BYTES` and a few times the model's own size: a small file cannot ask for much.
    """

    def __init__(self, proto: Any) -> None:
        self._opsets = list(proto.opset_import)
        self._ir_version = min(max(int(proto.ir_version), 3), int(onnx.IR_VERSION))
        self._budget = SPARE_BYTES + 8 * proto.ByteSize()

    def fold(self, node: Any, inputs: Inputs) -> tuple[Known, ...]:
        """The node's outputs; Refusal where it cannot be evaluated."""
        if node.domain not in DOMAINS:
            raise Refusal(f"operator of the domain '{node.domain}'")
        if node.op_type in RANDOM:
            raise Refusal("its output is random")
        if any(a.HasField("g") or a.graphs for a in node.attribute):
            raise not_supported(node.op_type, CONTROL_FLOW)
        if node.op_type == "Constant":
            return (stored(constant_attribute(node)),)
        first = self._evaluate(node, [None if k is None else k.first for k in inputs])
        if all(k is None or k.first is k.second for k in inputs):
            return tuple(Known(a, a) for a in first)
        return tuple(map(Known, first, self._evaluate(node, [None if k is None else k.second for k in inputs])))

    def _evaluate(self, node: Any, arrays: list[Array | None]) -> list[Array]:
        from onnx.reference import ReferenceEvaluator

        for array in arrays:
            if array is not None:
                real(array)
        model = self._model(node, arrays)
        self._spend(node, model)
        feeds = {name: a for name, a in zip(node.input, arrays, strict=True) if a is not None}
        try:
            del model.graph.initializer[:]
            outputs = ReferenceEvaluator(model).run(None, feeds)
        except NotImplementedError as error:
            raise not_supported(node.op_type) from error
        except (*DAMAGE, IndexError, AttributeError, ArithmeticError, MemoryError) as error:
            raise Refusal(f"its constant output cannot be computed: {error}") from error
        if not all(isinstance(o, (np.ndarray, np.generic)) for o in outputs):
            raise Refusal("its output is not a tensor")
        return [np.asarray(o) for o in outputs]

    def _model(self, node: Any, arrays: list[Array | None]) -> Any:
        """A model of this node alone; small integer inputs also as initializers."""
        values, small = {}, {}
        for name, array in zip(node.input, arrays, strict=True):
            if array is None:
                continue
            kind = helper.np_dtype_to_tensor_dtype(array.dtype)
            values[name] = helper.make_tensor_value_info(name, kind, array.shape)
            if array.size <= SMALL and array.dtype.kind in "if":
                small[name] = numpy_helper.from_array(array, name)
        outputs = [helper.make_empty_tensor_value_info(name) for name in node.output if name]
        graph = helper.make_graph([node], "folded", list(values.values()), outputs, list(small.values()))
        opsets, least = self._opsets, EVALUATED_FROM.get(node.op_type, 0)
        if any(entry.domain in DOMAINS and entry.version < least for entry in opsets):
            opsets = [helper.make_opsetid("", least)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=self._ir_version)

    def _spend(self, node: Any, model: Any) -> None:
        """Take the outputs' sizes from the budget; Refusal where it does not suffice or a size cannot be known."""
        try:
            graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
        except DAMAGE as error:
            raise Refusal(f"malformed: {error}") from error
        for value in graph.output:
            kind = value.type.tensor_type
            if not kind.HasField("shape") or not all(d.HasField("dim_value") for d in kind.shape.dim):
                raise Refusal("the size of its constant output is not known beforehand")
            if kind.elem_type == TensorProto.STRING:
                raise Refusal("its output is text")
            size = math.prod(d.dim_value for d in kind.shape.dim)
            if any(d.dim_value < 0 for d in kind.shape.dim) or size * 8 > self._budget:
                raise Refusal(f"its constant output of {size:,} values is too large")
            self._budget -= size * 8


def stored(array: Array) -> Known:
    """A constant."""
    return Known(array, array)


def constant_attribute(node: Any) -> Array:
    """The value of a Constant node, in whichever attribute it is."""
    for attribute in node.attribute:
        if attribute.name == "sparse_value":
            return sparse_tensor(attribute.sparse_tensor)
        if attribute.name == "value":
            return tensor(attribute.t)
        if attribute.name in ("value_float", "value_floats", "value_int", "value_ints"):
            dtype = np.float32 if "float" in attribute.name else np.int64
            return np.asarray(helper.get_attribute_value(attribute), dtype)
    raise Refusal("its value is not a number")


def tensor(proto: Any) -> Array:
    """A stored tensor; Refusal where it is damaged."""
    try:
        array = np.asarray(numpy_helper.to_array(proto))
    except (*DAMAGE, NotImplementedError) as error:
        raise Refusal(f"the tensor '{proto.name}' is damaged: {error}") from error
    return array


def sparse_tensor(proto: Any) -> Array:
    """A stored sparse tensor (coordinates, or positions in the flat array) as a dense one."""
    shape = tuple(proto.dims)
    if not shape or min(shape) < 1 or math.prod(shape) * 8 > SPARE_BYTES:
        raise Refusal(f"a sparse tensor of shape {shape} is too large")
    values, indices = tensor(proto.values), tensor(proto.indices)
    flat = np.ravel_multi_index(tuple(indices.T), shape) if indices.ndim == 2 else indices
    dense = np.zeros(math.prod(shape), values.dtype)
    dense[flat] = values
    return dense.reshape(shape)
