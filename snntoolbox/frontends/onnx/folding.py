"""Works out nodes whose inputs are all known: weights that the file computes, and shape arithmetic."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from snntoolbox.frontends.budget import Budget
from snntoolbox.frontends.layer_call import CONTROL_FLOW, Refusal, not_supported, real
from snntoolbox.frontends.onnx.call import Known
from snntoolbox.frontends.onnx.evaluated import SIZES, Question, work
from snntoolbox.frontends.onnx.proto import DAMAGE, DOMAINS
from snntoolbox.ir.node import Array

RANDOM = {"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial", "Bernoulli"}
EVALUATED_FROM = {"DequantizeLinear": 19}
"""The opset from which on the reference implementation has an operator that means the same in older ones."""
Inputs = Sequence[Known | None]


class Folder:
    """Evaluates single nodes with the ONNX reference implementation: operators of a list, within a `Budget`."""

    def __init__(self, proto: Any) -> None:
        self._opsets = list(proto.opset_import)
        self._ir_version = min(max(int(proto.ir_version), 3), int(onnx.IR_VERSION))
        self._budget = Budget(proto.ByteSize())

    def fold(self, node: Any, inputs: Inputs) -> tuple[Known, ...]:
        """The node's outputs; Refusal where it cannot be evaluated."""
        if node.domain not in DOMAINS:
            raise Refusal(f"operator of the domain '{node.domain}'")
        if node.op_type in RANDOM:
            raise Refusal("its output is random")
        if any(a.HasField("g") or a.graphs for a in node.attribute):
            raise not_supported(node.op_type, CONTROL_FLOW)
        if node.op_type == "Constant":
            return (stored(self.constant(node)),)
        if node.op_type not in SIZES:
            raise Refusal("its output is a constant, and this operator is not worked out on constants")
        first = self._evaluate(node, [None if k is None else k.first for k in inputs])
        if all(k is None or k.first is k.second for k in inputs):
            return tuple(Known(a, a) for a in first)
        return tuple(map(Known, first, self._evaluate(node, [None if k is None else k.second for k in inputs])))

    def _evaluate(self, node: Any, arrays: list[Array | None]) -> list[Array]:
        from onnx.reference import ReferenceEvaluator

        for array in arrays:
            if array is not None:
                real(array)
        self._spend(node, arrays)
        feeds = {name: a for name, a in zip(node.input, arrays, strict=True) if a is not None}
        try:
            outputs = ReferenceEvaluator(self._model(node, feeds)).run(None, feeds)
        except NotImplementedError as error:
            raise not_supported(node.op_type) from error
        except (*DAMAGE, IndexError, AttributeError, ArithmeticError, MemoryError, AssertionError) as error:
            raise Refusal(f"its constant output cannot be computed: {error}") from error
        if not all(isinstance(o, (np.ndarray, np.generic)) for o in outputs):
            raise Refusal("its output is not a tensor")
        return [np.asarray(o) for o in outputs]

    def _model(self, node: Any, feeds: Mapping[str, Array]) -> Any:
        """A model of this node alone."""
        values = [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
            for name, a in feeds.items()
        ]
        outputs = [helper.make_empty_tensor_value_info(name) for name in node.output if name]
        graph = helper.make_graph([node], "folded", values, outputs)
        opsets, least = self._opsets, EVALUATED_FROM.get(node.op_type, 0)
        if any(entry.domain in DOMAINS and entry.version < least for entry in opsets):
            opsets = [helper.make_opsetid("", least)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=self._ir_version)

    def _spend(self, node: Any, arrays: list[Array | None]) -> None:
        """Take the outputs' sizes from the budget; Refusal where it does not suffice, or with text."""
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        text = any(a is not None and a.dtype.kind in "OSU" for a in arrays)
        if text or (node.op_type == "Cast" and attributes.get("to") == TensorProto.STRING):
            raise Refusal("it works on text")
        question = Question(arrays, attributes, len(node.output))
        try:
            made = SIZES[node.op_type](question)
        except (*DAMAGE, IndexError, ArithmeticError) as error:
            raise Refusal(f"malformed: {error}") from error
        self._budget.spend(made, work(node.op_type, question, made))

    def constant(self, node: Any) -> Array:
        """The value of a Constant node, in whichever attribute it is."""
        for attribute in node.attribute:
            if attribute.name == "sparse_value":
                return self.sparse_tensor(attribute.sparse_tensor)
            if attribute.name == "value":
                return tensor(attribute.t)
            if attribute.name in ("value_float", "value_floats", "value_int", "value_ints"):
                dtype = np.float32 if "float" in attribute.name else np.int64
                return np.asarray(helper.get_attribute_value(attribute), dtype)
        raise Refusal("its value is not a number")

    def sparse_tensor(self, proto: Any) -> Array:
        """A stored sparse tensor (coordinates, or positions in the flat array) as a dense one."""
        shape = tuple(proto.dims)
        if not shape or min(shape) < 1:
            raise Refusal(f"a sparse tensor of shape {shape}")
        self._budget.spend(math.prod(shape))
        values, indices = tensor(proto.values), tensor(proto.indices)
        flat = np.ravel_multi_index(tuple(indices.T), shape) if indices.ndim == 2 else indices
        dense = np.zeros(math.prod(shape), values.dtype)
        dense[flat] = values
        return dense.reshape(shape)


def stored(array: Array) -> Known:
    """A constant."""
    return Known(array, array)


def tensor(proto: Any) -> Array:
    """A stored tensor; Refusal where it is damaged."""
    try:
        array = np.asarray(numpy_helper.to_array(proto))
    except (*DAMAGE, NotImplementedError) as error:
        raise Refusal(f"the tensor '{proto.name}' is damaged: {error}") from error
    return array
