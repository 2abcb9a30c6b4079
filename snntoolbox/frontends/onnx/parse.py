"""Puts an opened ONNX model into a graph node by node, and lists every node that cannot be taken."""

from __future__ import annotations

import logging
from collections import Counter
from functools import cached_property
from typing import Any

import networkx as nx
import numpy as np
from onnx import AttributeProto, helper

from snntoolbox.errors import FrontendError
from snntoolbox.frontends import layer_call
from snntoolbox.frontends.batch_axes import aligned, elsewhere, placed, told
from snntoolbox.frontends.layer_call import LOST, Activation, Lost, Refusal
from snntoolbox.frontends.onnx import comparing, folding, joint, quantised
from snntoolbox.frontends.onnx.call import FREE_BATCH, PROBES, Joint, Known, OnnxCall, Value
from snntoolbox.frontends.onnx.cutting import behind_integers
from snntoolbox.frontends.onnx.handlers import ANY_BATCH_AXIS, BROADCASTING, HANDLERS, STEPS_FIRST
from snntoolbox.frontends.onnx.model import OnnxModel
from snntoolbox.frontends.onnx.proto import DAMAGE, DOMAINS
from snntoolbox.frontends.onnx.shaping import BOOL
from snntoolbox.frontends.quantising import Grid, as_integers
from snntoolbox.frontends.truths import check_compared
from snntoolbox.ir.builder import GraphBuilder
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.nodes import Input

log = logging.getLogger(__name__)

SUBGRAPHS = (AttributeProto.GRAPH, AttributeProto.GRAPHS)
# What a damaged attribute or weight of a wrong shape makes numpy and Python raise.
MALFORMED = (*DAMAGE, IndexError, ArithmeticError, AttributeError, MemoryError)


DOMAIN_HINTS = {"com.microsoft": "quantise in the form of standard operators: quant_format=QuantFormat.QDQ"}
UNREAD = "leave it out of the outputs: onnx.utils.extract_model(file, new_file, [inputs], [outputs])"
INTEGER_SAFE = {
    *("Cast", "Identity", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Slice", "DequantizeLinear"),
    *("Expand", "GatherND", *comparing.HANDLERS),
}
MOVING = frozenset(
    {
        *("Identity", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Slice", "Expand", "Tile", "Split"),
        *("Gather", "GatherND", "Concat", "Pad"),
    }
)
"""Operators whose results are truth values where what they read first is."""


def parse_model(model: OnnxModel) -> Graph:
    """The graph of a model; UnsupportedError with every offender, FrontendError where the model is damaged."""
    return _Walk(model).graph()


class _Walk:
    """One walk over the nodes, in topological order: the value of every tensor so far."""

    def __init__(self, model: OnnxModel) -> None:
        self.model = model
        self.builder = GraphBuilder("onnx")
        self.folder = folding.Folder(model.proto)
        self.values: dict[str, Value] = {}
        self.grids: dict[str, Grid] = {}
        self.integers = {spec.name for spec in model.inputs if spec.dtype.kind not in "f"}
        self.truths = {spec.name for spec in model.inputs if spec.dtype.kind == "b"}

    def graph(self) -> Graph:
        """Walk what the outputs need."""
        graph = self.model.proto.graph
        self._store(graph)
        for spec in self.model.inputs:
            self.values[spec.name] = Activation(name := self.builder.input(spec.name, spec.shape))
            if spec.name in self.truths:
                self.builder.take_truths(name)
        for node in self._needed(graph):
            self._take(node)
        if twice := [name for name, often in Counter(self.model.outputs).items() if often > 1]:
            raise FrontendError(f"the model is damaged: two outputs are called '{twice[0]}'")
        outputs = [self._output(name) for name in self.model.outputs]
        check_compared(self.builder)
        graph = self.builder.finish([o for o in outputs if o is not None], self.model.name).edited()
        return self._with_named_outputs(graph) if len(outputs) > 1 else graph

    def _with_named_outputs(self, graph: Graph) -> Graph:
        """The graph whose several outputs are called as the model calls them, where the name is free."""
        called: dict[str, str] = {}
        for end, name in zip(graph.outputs, self.model.outputs, strict=True):
            own = self.builder.fresh(name)
            free = own not in called.values() and end not in called and not isinstance(graph.nodes[end], Input)
            if free and own == self.builder.plain(name):
                called[end] = own
        nodes = [
            graph.nodes[end].renamed(name).with_inputs(*(called.get(i, i) for i in graph.nodes[end].inputs))
            for end, name in called.items()
        ]
        return graph.edited(nodes, redirect=called, outputs=[called.get(end, end) for end in graph.outputs])

    def _store(self, graph: Any) -> None:
        """Take in the stored tensors; those also listed as inputs (old files) are constants all the same."""
        try:
            for tensor in graph.initializer:
                self.values[tensor.name] = folding.stored(folding.tensor(tensor))
            for sparse in graph.sparse_initializer:
                self.values[sparse.values.name] = folding.stored(self.folder.sparse_tensor(sparse))
        except (Refusal, *MALFORMED) as error:
            raise FrontendError(f"the model is damaged: {error}") from error

    def _needed(self, graph: Any) -> list[Any]:
        """The nodes that the outputs depend on, each behind what it reads (some exporters list them otherwise)."""
        makers: dict[str, int] = {}
        for i, node in enumerate(graph.node):
            for output in filter(None, node.output):
                if makers.setdefault(output, i) != i or output in self.values:
                    raise FrontendError(f"the model is damaged: '{output}' is the output of two nodes")
        links = [(makers[i], k) for k, node in enumerate(graph.node) for i in node.input if i in makers]
        order = nx.DiGraph(links)
        order.add_nodes_from(range(len(graph.node)))
        end = len(graph.node)  # behind all outputs
        order.add_edges_from((makers[o], end) for o in self.model.outputs if o in makers)
        needed = nx.ancestors(order, end) if end in order else set()
        try:
            return [graph.node[k] for k in nx.lexicographical_topological_sort(order) if k in needed]
        except nx.NetworkXUnfeasible:
            raise FrontendError("the model is damaged: its nodes form a cycle") from None

    def _output(self, name: str) -> str | None:
        """The graph node behind an output of the model."""
        value = self._value(name, "the model's output")
        if isinstance(value, Known):
            self.builder.refuse(self.builder.origin("Output", name), "does not depend on the input", hint=UNREAD)
        if isinstance(value, Joint):
            self.builder.refuse(value.joined_by, "mixes the batch with other axes", hint=FREE_BATCH)
        if not isinstance(value, Activation):
            return None
        told(self.builder, value)
        return self._as_integers(name, value.name) if name in self.grids else value.name

    def _as_integers(self, name: str, source: str) -> str:
        """A quantised output as the integers that the model gives."""
        call = layer_call.LayerCall(
            builder=self.builder, name=name, origin=self.builder.origin("Output", name), sources=(source,)
        )
        return as_integers(call, source, self.grids[name])

    def _value(self, name: str, reader: str) -> Value:
        if name not in self.values:
            raise FrontendError(f"the model is damaged: {reader} reads '{name}', which nothing before it makes")
        return self.values[name]

    # -- one node -----------------------------------------------------------------------------------------------

    def _take(self, node: Any) -> None:
        """Set the values of the node's outputs, or refuse it and let stand-ins of the inferred shapes carry on."""
        name = node.name or next((o for o in node.output if o), node.op_type)
        inputs = tuple(self._value(i, f"'{name}'") if i else None for i in node.input)
        standard = node.domain in DOMAINS and node.op_type in HANDLERS
        if standard and any(isinstance(value, Lost) for value in inputs):
            self.values.update(dict.fromkeys(node.output, LOST))
            return
        origin = self.builder.origin(node.op_type, name)
        with layer_call.refusals_noted(self.builder, origin):
            self.values.update(zip(node.output, self._results(node, name, inputs), strict=False))
            return
        turned = node.op_type in STEPS_FIRST or any(isinstance(v, Activation) and v.batch_axis for v in inputs)
        for output in node.output:
            shape = None if turned else self.model.shapes.get(output)
            self.values[output] = layer_call.stand_in(self.builder, origin, shape)

    def _results(self, node: Any, name: str, inputs: tuple[Value | None, ...]) -> list[Value]:
        """The values of all outputs of a node; Refusal where it cannot be taken, or is damaged."""
        try:
            known = [v for v in inputs if v is None or isinstance(v, Known)]
            if len(known) == len(inputs):
                return list(self.folder.fold(node, known))
            if node.domain not in DOMAINS:
                raise Refusal(f"operator of the domain '{node.domain}'", hint=DOMAIN_HINTS.get(node.domain))
            if node.op_type in ("Shape", "Size"):
                return [self._measured(node, inputs)]
            if node.op_type == "IsNaN" and isinstance(inputs[0], Activation):
                return [self._never(inputs[0])]
            if any(isinstance(v, Joint) for v in inputs):
                return self._joint(node, name, inputs)
            return self._handled(node, name, inputs)
        except MALFORMED as error:
            log.debug("malformed node %s", name, exc_info=True)
            raise Refusal(f"malformed: {error}") from error

    def _never(self, value: Activation) -> Known:
        """False for all values, as they are finite; exporters ask it of softmax, for rows all masked."""
        false = np.zeros((1,) * (len(self.builder.shape(value.name)) + 1), bool)
        return Known(false, false)

    def _joint(self, node: Any, name: str, inputs: tuple[Value | None, ...]) -> list[Value]:
        """What an operator makes of a tensor whose batch is joined with other axes."""
        value, origin = next(v for v in inputs if isinstance(v, Joint)), self.builder.origin(node.op_type, name)
        if node.op_type == "Transpose":
            return [joint.transposed(value, _attributes(node))]
        if node.op_type == "Reshape":
            if not _attributes(node).get("allowzero") and isinstance(inputs[1], Known) and not inputs[1].first.all():
                raise Refusal("mixes the batch with other axes", hint=FREE_BATCH)
            return self._handled(node, name, (joint.apart(self.builder, value, origin), *inputs[1:]))
        if node.op_type not in joint.KNOWN or (node.op_type == "Softmax" and self.model.opset < 13):
            raise Refusal("mixes the batch with other axes", hint=FREE_BATCH)
        apart = joint.along_last(self.builder, node.op_type, _attributes(node), inputs, origin)
        (result, *_) = self._handled(node, name, tuple(apart))
        assert isinstance(result, Activation)
        return [joint.together(value, result.name)]

    def _handled(self, node: Any, name: str, inputs: tuple[Value | None, ...]) -> list[Value]:
        """What the operator's handler adds to the graph."""
        self._check_floats(node)
        if node.op_type not in HANDLERS:
            raise layer_call.not_supported(node.op_type)
        call = self._call(node, name, inputs)
        added = HANDLERS[node.op_type](call)
        self._note_integers(node)
        if (grid := quantised.grid_made(node.op_type, call)) is not None:
            self.grids.update(dict.fromkeys(node.output[:1], grid))
        results = added if isinstance(added, tuple) else (added,)
        read = [v for v in inputs if isinstance(v, Activation)]
        values: list[Value] = [r if isinstance(r, Joint) else placed(call, r, read) or LOST for r in results]
        for value in values:
            if isinstance(value, Activation):
                layer_call.check_size(self.builder.shape(value.name))
        if any(o in self._read for o in node.output[len(values) :] if o):
            raise Refusal("an output beside the first is used")
        return values

    def _check_floats(self, node: Any) -> None:
        """Refuse what computes with whole numbers: identities of tokens, bytes, masks."""
        if self.integers.intersection(node.input) and node.op_type not in INTEGER_SAFE:
            raise Refusal("works on integers", hint=self._beginning)

    @cached_property
    def _beginning(self) -> str | None:
        """Where the model could begin in place of its inputs of whole numbers."""
        names = {spec.name for spec in self.model.inputs if spec.dtype.kind not in "f"}
        tensor = behind_integers(self.model.proto, names)
        if tensor is None:
            return None
        others = "" if len(names) == 1 else ", and constant_inputs for those that are the same for all samples"
        return f"leave the table outside and give its rows: input_tensor = {tensor}{others}"

    def _call(self, node: Any, name: str, inputs: tuple[Value | None, ...]) -> OnnxCall:
        grids = tuple(self.grids[i] for i in node.input if i in self.grids)
        if grids and node.op_type not in quantised.ON_GRIDS:
            raise Refusal("works on quantised integers", hint="put a DequantizeLinear in front of it")
        if node.op_type in BROADCASTING:
            inputs = self._aligned(node, name, inputs)
        axes = [v.batch_axis for v in inputs if isinstance(v, Activation)]
        if len(set(axes)) > 1:
            raise Refusal("reads tensors whose batches lie along different axes", hint=layer_call.TREAT_ALONE)
        if axes[0] and node.op_type not in ANY_BATCH_AXIS:
            raise elsewhere(node.op_type)
        return OnnxCall(
            builder=self.builder,
            name=name,
            origin=self.builder.origin(node.op_type, name),
            sources=tuple(v.name for v in inputs if isinstance(v, Activation)),
            batch=self.model.batch,
            batch_axis=axes[0],
            attributes=_attributes(node),
            inputs=inputs,
            outputs=tuple(o if o in self._read else "" for o in node.output),
            opset=self.model.opset,
            grids=grids,
            truths=tuple(i in self.truths for i in node.input),
        )

    def _aligned(self, node: Any, name: str, inputs: tuple[Value | None, ...]) -> tuple[Value | None, ...]:
        """The inputs of an operation of arithmetic, of one rank."""
        operands = [v if isinstance(v, Activation) else v.first for v in inputs if isinstance(v, Activation | Known)]
        if len(operands) < len(inputs):
            return inputs
        wide = aligned(self.builder, operands, self.builder.origin(node.op_type, name))
        return tuple(w if isinstance(w, Activation) else v for w, v in zip(wide, inputs, strict=True))

    @cached_property
    def _read(self) -> set[str]:
        """The names of all tensors that a node or an output of the model reads."""
        return {i for node in self.model.proto.graph.node for i in node.input}.union(self.model.outputs)

    def _note_integers(self, node: Any) -> None:
        """Values that are only moved keep an integer type; a Cast, a choice or what they stand for ends it."""
        makes = node.op_type in comparing.MAKING or (node.op_type in MOVING and node.input[0] in self.truths)
        if makes or (node.op_type == "Cast" and _attributes(node).get("to") == BOOL):
            self.truths.update(node.output)
        elif self.integers.intersection(node.input) and node.op_type not in ("Cast", "DequantizeLinear", "Where"):
            self.integers.update(node.output)

    def _measured(self, node: Any, inputs: tuple[Value | None, ...]) -> Known:
        """The shape (or size) of an activation at the two batch sizes."""
        (value,) = inputs
        if not isinstance(value, Activation | Joint):
            raise Refusal("reads a refused layer's shape")
        sample, attributes = self.builder.shape(value.name), _attributes(node)
        if isinstance(value, Joint):
            full = joint.measured(value, sample)
        else:
            full = [np.insert(np.array(sample, np.int64), value.batch_axis, batch) for batch in PROBES]
        if node.op_type == "Size":
            return Known(*(np.asarray(np.prod(f)) for f in full))
        part = slice(attributes.get("start", 0), attributes.get("end"))
        return Known(*(f[part] for f in full))


def _attributes(node: Any) -> dict[str, Any]:
    """The node's attributes in Python; bytes as text."""
    attributes = {}
    for attribute in node.attribute:
        if attribute.type in SUBGRAPHS:
            raise layer_call.not_supported(node.op_type, layer_call.CONTROL_FLOW)
        value = helper.get_attribute_value(attribute)
        if value is None:
            raise Refusal(f"its attribute {attribute.name} has no value")
        attributes[attribute.name] = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    return attributes
