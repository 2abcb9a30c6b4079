"""Lets a model begin at a tensor in its middle, and takes inputs that never change for constants."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import networkx as nx
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from snntoolbox.errors import FrontendError
from snntoolbox.frontends.onnx.proto import DAMAGE, broken_rule
from snntoolbox.ir.node import Shape

log = logging.getLogger(__name__)

FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16)
_LINEAR = ("MatMul", "Gemm")
_SIZES_OF = ("Shape", "Size")

Constants = Mapping[str, Any]
"""A number, or an array with its batch axis, for each input that has the same values for every sample."""


def begun_at(proto: Any, tensor: str, constants: Constants, input_shape: Shape | None) -> Any:
    """The model itself, changed in place: `tensor` is its input, and its other inputs are constants or gone.

    FrontendError where it has no such tensor or input, or reads whole numbers all the same.
    """
    graph = proto.graph
    stored = {t.name for t in graph.initializer}
    inputs = [i for i in graph.input if i.name not in stored]
    if unknown := [name for name in constants if name not in {i.name for i in inputs}]:
        raise _no_such("input", unknown[0], [i.name for i in inputs])
    named: dict[str, int] = {}
    if tensor and tensor not in {i.name for i in inputs}:
        named = _sizes(_in_front(proto, tensor, input_shape), input_shape)
        graph.input.append(_cut(proto, tensor))
        _without_idle_outputs(graph, tensor)
    fed = [i for i in graph.input if i.name not in stored and i.name not in constants]
    kept = [i for i in fed if i.name == tensor] or fed
    sizes = {**named, **_sizes(kept, input_shape)}
    _settle(graph, [i for i in inputs if i.name != tensor], constants, sizes, bool(tensor))
    if len(graph.initializer) > len(stored):
        for value in kept:
            value.type.tensor_type.shape.dim[0].dim_value = 1
    return proto


def _cut(proto: Any, tensor: str) -> Any:
    """The declaration of a tensor as an input, what makes it put aside."""
    graph = proto.graph
    made = {o: node for node in graph.node for o in node.output if o}
    if tensor not in made:
        raise _no_such("tensor", tensor, list(made))
    value = _inferred(proto).get(tensor, helper.make_tensor_value_info(tensor, TensorProto.FLOAT, None))
    if value.type.tensor_type.elem_type not in FLOATS:
        raise FrontendError(
            f"the tensor '{tensor}' holds whole numbers",
            hint="begin behind the table or the comparison that makes floats of them: the refusal of the whole model "
            "names it",
        )
    maker, aside = made[tensor], f"{tensor}_before"
    while aside in made:
        aside += "_"
    maker.output[list(maker.output).index(tensor)] = aside
    for known in [v for v in graph.value_info if v.name == tensor]:
        graph.value_info.remove(known)
    return value


def _inferred(proto: Any) -> dict[str, Any]:
    """What is known of the type of each tensor, by name."""
    graph = proto.graph
    try:
        if broken_rule(proto) is None:
            graph = onnx.shape_inference.infer_shapes(proto, strict_mode=False).graph
    except DAMAGE:
        pass
    return {v.name: v for v in (*graph.value_info, *graph.input, *graph.output)}


def _no_such(what: str, name: str, names: list[str]) -> FrontendError:
    near = get_close_matches(name, names, 3) or names[:3]
    return FrontendError(f"the model has no {what} '{name}'", hint=f"it has {', '.join(near)}, ...")


def _sizes(kept: list[Any], input_shape: Shape | None) -> dict[str, int]:
    """What the open sizes of the input are, by the names that the file gives them."""
    dims = [list(v.type.tensor_type.shape.dim)[1:] for v in kept]
    fitting = [d for d in dims if input_shape is not None and len(d) == len(input_shape)]
    return {d.dim_param: int(n) for one in fitting for d, n in zip(one, input_shape or (), strict=True) if d.dim_param}


def _in_front(proto: Any, tensor: str, input_shape: Shape | None) -> list[Any]:
    """What a tensor is computed from, as far as it may have the same sizes: those that an exporter has named."""
    flow, known = _flow(proto.graph), _inferred(proto)
    nearby = [known[n] for n in nx.ancestors(flow, tensor) | {tensor} if n in known] if tensor in flow else []
    return [v for v in nearby if _may_be([d.dim_value for d in v.type.tensor_type.shape.dim][1:], input_shape or ())]


def _may_be(sizes: list[int], shape: Shape) -> bool:
    """Whether sizes, 0 where they are open, may be those of a sample, and some are told."""
    return len(sizes) == len(shape) and any(sizes) and all(n in (0, w) for n, w in zip(sizes, shape, strict=True))


# -- the other inputs -----------------------------------------------------------------------------------------------


def _settle(graph: Any, others: list[Any], constants: Constants, sizes: Mapping[str, int], cut: bool) -> None:
    """Make the other inputs constants, or leave them out where nothing reads them any more."""
    readers = _readers(graph)
    still = []
    for value in others:
        reading = readers.get(value.name, [])
        if value.name in constants:
            made = _constant(value, constants[value.name], sizes)
        elif cut and reading and all(kind in _SIZES_OF for kind in reading):
            made = _constant(value, 0, sizes)  # of which only the shape is asked for
        elif reading or not cut:
            still.append(value)
            continue
        else:
            graph.input.remove(value)
            continue
        graph.input.remove(value)
        graph.initializer.append(made)
    if cut and still:
        names = ", ".join(f"'{v.name}'" for v in still)
        raise FrontendError(
            f"behind the tensor the model still reads {names}",
            hint=f"say what it is for all samples, as constant_inputs = {{'{still[0].name}': 1}} does for a mask of "
            "tokens that are all there; or begin further behind",
        )


def _readers(graph: Any) -> dict[str, list[str]]:
    """For each tensor the operators that read it, of those that the outputs depend on."""
    makers = {o: node for node in graph.node for o in node.output if o}
    waiting, seen = [o.name for o in graph.output], set()
    found: dict[str, list[str]] = {}
    while waiting:
        node = makers.get(waiting.pop())
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        for name in filter(None, node.input):
            found.setdefault(name, []).append(node.op_type)
            waiting.append(name)
    return found


def _constant(value: Any, given: Any, sizes: Mapping[str, int]) -> Any:
    """The stored tensor that takes the place of an input, for a batch of one."""
    kind = value.type.tensor_type
    dtype = helper.tensor_dtype_to_np_dtype(kind.elem_type)
    dims = [1 if axis == 0 else d.dim_value or sizes.get(d.dim_param) for axis, d in enumerate(kind.shape.dim)]
    array = np.asarray(given)
    if array.ndim:
        fits = array.ndim == len(dims) and all(want in (None, n) for want, n in zip(dims, array.shape, strict=True))
        if not fits:
            raise FrontendError(f"constant_inputs: {value.name} has the shape {dims}, not {list(array.shape)}")
        return numpy_helper.from_array(array.astype(dtype), value.name)
    known = [n for n in dims if n is not None]
    if len(known) < len(dims):
        raise FrontendError(
            f"constant_inputs: the file leaves sizes of {value.name} open: {dims}",
            hint="give the shape of the other input, where the file gives these sizes the same name; or the values: "
            f"load(model, constant_inputs={{'{value.name}': array}})",
        )
    return numpy_helper.from_array(np.full(known, given, dtype), value.name)


def _without_idle_outputs(graph: Any, tensor: str) -> None:
    """Leave out the outputs that have nothing of the tensor, such as an input that is given back."""
    flow = _flow(graph)
    reached = {tensor, *(nx.descendants(flow, tensor) if tensor in flow else ())}
    for value in [o for o in graph.output if o.name not in reached]:
        log.warning("the output '%s' does not depend on '%s' and is left out", value.name, tensor)
        graph.output.remove(value)


def _flow(graph: Any) -> nx.DiGraph:
    """From which tensors the values of others come; those of which only the shape is asked for are none."""
    flow = nx.DiGraph()
    for node in (n for n in graph.node if n.op_type not in _SIZES_OF):
        flow.add_edges_from((i, o) for i in node.input for o in node.output if i and o)
    return flow


# -- where to begin -------------------------------------------------------------------------------------------------


def behind_integers(proto: Any, names: set[str]) -> str | None:
    """The first tensor of floats through which all goes that outputs have from these inputs; None for none.

    Where a matrix is chosen from by a product, as of one value in each row that is 1, it is what the product gives.
    """
    kinds = {name: v.type.tensor_type.elem_type for name, v in _inferred(proto).items()}
    flow, end = _flow(proto.graph), ("end",)
    flow.add_edges_from((o.name, end) for o in proto.graph.output if kinds.get(o.name) in FLOATS)
    makers = {o: node.op_type for node in proto.graph.node for o in node.output}
    for name in sorted(names):
        if name not in flow or not nx.has_path(flow, name, end):
            continue
        over: dict[Any, Any] = nx.immediate_dominators(flow, name)
        at: Any = end
        path: list[Any] = []
        while at != name:
            at = over[at]
            path.insert(0, at)
        floats = [t for t in path if kinds.get(t) in FLOATS]
        if floats:
            return str(floats[1] if len(floats) > 1 and makers[floats[1]] in _LINEAR else floats[0])
    return None

