"""Walks an exported program, folds its constants and lowers every other operation by the table of handlers."""

from __future__ import annotations

import operator
from collections import Counter
from typing import Any

import torch
from torch.export import ExportedProgram

from snntoolbox.errors import FrontendError, GraphError
from snntoolbox.frontends.pytorch.call import Activation, Call, Refused
from snntoolbox.frontends.pytorch.folding import fold, reads_shape_only
from snntoolbox.frontends.pytorch.handlers import HANDLERS, SIZE_READERS, WHOLE_LAYERS, reason_against
from snntoolbox.frontends.pytorch.inplace import functional
from snntoolbox.frontends.pytorch.model import output_nodes, user_inputs
from snntoolbox.ir.builder import GraphBuilder
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Origin

_LAYERS = ("torch.nn.modules.", "snntoolbox.training.")
_SYMBOLIC = (torch.SymInt, torch.SymFloat, torch.SymBool)


class _Unknown:
    """What a refused operation without a sample shape gives: whatever reads it is not examined."""


_UNKNOWN = _Unknown()


def lower(program: ExportedProgram, name: str) -> Graph:
    """The graph of a program; UnsupportedError lists every operation that it cannot take."""
    return _Lowering(functional(program)).graph(name)


class _Lowering:
    """The state of one walk: the value of every fx node so far."""

    def __init__(self, program: ExportedProgram) -> None:
        self.program = program
        self.builder = GraphBuilder("pytorch")
        self.values: dict[torch.fx.Node, Any] = {}
        self.batch = user_inputs(program)[0].meta["val"].shape[0]
        self.used: Counter[str] = Counter()
        self.told: set[tuple[str, str]] = set()

    def graph(self, name: str) -> Graph:
        """Walk what the outputs need."""
        outputs = self._outputs()
        live = _live(outputs)
        inputs = user_inputs(self.program)
        for node in self.program.graph.nodes:
            if node.op == "placeholder":
                self.values[node] = self._placeholder(node, inputs)
            elif node.op == "get_attr" and node in live:
                self.values[node] = _attribute(self.program, str(node.target))
            elif node.op == "call_function" and node in live:
                self.values[node] = self._call(node)
        for node in self.program.graph_signature.buffers_to_mutate.values():
            self.refuse(self.builder.origin("buffer", node), "forward() changes it, so outputs depend on earlier calls")
        return self.builder.finish([self._result(n) for n in outputs], name).edited()

    def _outputs(self) -> list[torch.fx.Node]:
        """The fx nodes that the user gets back."""
        nodes = output_nodes(self.program)
        if not nodes:
            raise FrontendError("the model returns no tensor")
        return nodes

    def _result(self, node: torch.fx.Node) -> str:
        """The graph node of an output."""
        value = self.values[node]
        if isinstance(value, Activation):
            return value.name
        if not isinstance(value, _Unknown):
            self.refuse(self.builder.origin("output", node.name), "does not depend on the input")
        return ""

    def _placeholder(self, node: torch.fx.Node, inputs: list[torch.fx.Node]) -> Any:
        """An input of the graph, or the tensor behind a parameter, buffer or lifted constant."""
        if node in inputs:
            return Activation(self.builder.input(node.name, tuple(int(d) for d in node.meta["val"].shape[1:])))
        signature = self.program.graph_signature
        for names in (
            signature.inputs_to_parameters,
            signature.inputs_to_buffers,
            signature.inputs_to_lifted_tensor_constants,
        ):
            if node.name in names:
                return _attribute(self.program, names[node.name])
        return node.meta.get("val")  # a plain argument or a custom object

    # -- one operation ------------------------------------------------------------------------------------------

    def _call(self, node: torch.fx.Node) -> Any:
        """The value of an operation: plain, constant, or lowered."""
        meta = node.meta.get("val")
        if isinstance(meta, (bool, int, float, torch.SymInt, torch.SymFloat, torch.SymBool)):
            return meta
        args = torch.fx.node.map_arg(node.args, self.values.__getitem__)
        kwargs = torch.fx.node.map_arg(node.kwargs, self.values.__getitem__)
        if node.target is operator.getitem:
            return self._item(args)
        seen = torch.utils._pytree.tree_leaves((args, kwargs))
        if any(isinstance(v, _Unknown) for v in seen):
            return self._stand_in(node)
        if not any(isinstance(v, Activation) for v in seen):
            return self._folded(node, args, kwargs)
        return self._lowered(node, args, kwargs)

    def _item(self, args: Any) -> Any:
        """One of several results."""
        values, index = args
        if isinstance(values, _Unknown):
            return _UNKNOWN
        return values[index]

    def _folded(self, node: torch.fx.Node, args: Any, kwargs: Any) -> Any:
        try:
            return fold(node.target, args, kwargs, self.batch)
        except Refused as error:
            self.refuse(self._origin(node), str(error), error.hint)
            return _UNKNOWN

    def _lowered(self, node: torch.fx.Node, args: Any, kwargs: Any) -> Any:
        """What the handler makes of it; a stand-in where it is refused."""
        name, origin, op = self._name(node), self._origin(node), op_name(node.target)
        try:
            if reads_shape_only(op, args[0]):
                shapes = torch.fx.node.map_arg(node.args, self._shape_only)
                return fold(node.target, shapes, kwargs, self.batch)
            handler = HANDLERS.get(op)
            if handler is None:
                raise Refused(reason_against(op, str(node.target)))
            named = _by_name(node.target, args, kwargs)
            if op not in SIZE_READERS and any(isinstance(v, _SYMBOLIC) for v in torch.utils._pytree.tree_leaves(named)):
                raise Refused(f"{op} computes with the batch size")
            call = Call(self.builder, op, name, origin, named, node.meta.get("val"), self.batch, node.target)
            for meta in torch.utils._pytree.tree_leaves(call.out):
                if isinstance(meta, torch.Tensor):
                    call.bound([d for d in meta.shape[1:] if isinstance(d, int)])
            result = handler(call)
            self._verify(result, call)
            return result
        except Refused as error:
            self.refuse(origin, str(error), error.hint)
        except GraphError as error:
            self.refuse(origin, error.message)
        return self._stand_in(node)

    def _shape_only(self, node: torch.fx.Node) -> Any:
        """Zeros of the shape of one sample in place of an activation."""
        value = self.values[node]
        if not isinstance(value, Activation):
            return value
        return torch.zeros(1, *self.builder.shape(value.name), dtype=node.meta["val"].dtype)

    def _verify(self, result: Any, call: Call) -> None:
        """The graph and torch agree about the shape of each result."""
        pairs = [(result, call.out)] if isinstance(result, Activation) else zip(result, call.out, strict=False)
        for value, meta in pairs:
            if isinstance(value, Activation) and self.builder.shape(value.name) != call.sample_shape(meta):
                mine, theirs = self.builder.shape(value.name), call.sample_shape(meta)
                raise Refused(f"{call.op} gives shape {theirs} in torch, but {mine} here: please report this")

    # -- refusing -----------------------------------------------------------------------------------------------

    def refuse(self, origin: Origin, reason: str, hint: str | None = None) -> None:
        """Note an offender once, however many operations of the layer it is about."""
        reason = WHOLE_LAYERS.get(origin.kind, reason)
        if (str(origin), reason) not in self.told:
            self.told.add((str(origin), reason))
            self.builder.refuse(origin, reason, hint=hint)

    def _stand_in(self, node: torch.fx.Node) -> Any:
        """Values of the shape that torch gives, so that what follows can be examined."""
        meta = node.meta.get("val")
        if isinstance(meta, (tuple, list)):
            return [self._stand_in_for(m) for m in meta]
        return self._stand_in_for(meta)

    def _stand_in_for(self, meta: Any) -> Any:
        if not isinstance(meta, torch.Tensor) or meta.ndim == 0 or str(meta.shape[0]) != str(self.batch):
            return _UNKNOWN
        if any(not isinstance(d, int) for d in meta.shape[1:]):
            return _UNKNOWN
        return Activation(self.builder.input("refused", tuple(meta.shape[1:])))

    # -- names --------------------------------------------------------------------------------------------------

    def _layer(self, node: torch.fx.Node) -> tuple[str, str]:
        """The path and the class of the innermost module that the operation came from, ('', '') where unknown."""
        stack = list((node.meta.get("nn_module_stack") or {}).values())
        if not stack or not isinstance(stack[-1], tuple):
            return "", ""
        path, kind = stack[-1]
        kind = kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"
        path = str(path).removeprefix("L['self']").removeprefix(".").partition("@")[0]
        return ("", "") if kind.startswith("_empty") else (path, kind)

    def _origin(self, node: torch.fx.Node) -> Origin:
        """The layer where it is one of torch's own, else the operation in the user's module."""
        path, kind = self._layer(node)
        op = op_name(node.target)
        if kind.startswith(_LAYERS):
            return self.builder.origin(kind.rpartition(".")[2], path or node.name)
        return self.builder.origin(op, f"{path}.{node.name}" if path else node.name)

    def _name(self, node: torch.fx.Node) -> str:
        """A stem for graph nodes: the layer's path, or module path and operation."""
        path, kind = self._layer(node)
        if path and kind.startswith(_LAYERS):
            return path
        return f"{path}.{op_name(node.target)}" if path else op_name(node.target)


def op_name(target: Any) -> str:
    """``'conv2d'`` for ``aten.conv2d.default``; in-place operations are named like the others."""
    if isinstance(target, torch._ops.OpOverload):
        name = target._schema.name.partition("::")[2]
        namespace = target.namespace
        name = name[:-1] if name.endswith("_") and not name.endswith("__") else name
        return name if namespace == "aten" else f"{namespace}.{name}"
    return str(getattr(target, "__name__", target))


def _by_name(target: Any, args: Any, kwargs: Any) -> dict[str, Any]:
    """The arguments by the names of the schema, with its defaults."""
    named: dict[str, Any] = {}
    for i, argument in enumerate(target._schema.arguments):
        if i < len(args):
            named[argument.name] = args[i]
        else:
            named[argument.name] = kwargs.get(argument.name, argument.default_value)
    return named


def _attribute(program: ExportedProgram, name: str) -> Any:
    """A parameter, buffer or constant by its name."""
    for store in (program.state_dict, program.constants):
        if name in store:
            return store[name]
    return getattr(program.graph_module, name, None)


def _live(outputs: list[torch.fx.Node]) -> set[torch.fx.Node]:
    """All nodes that the outputs depend on."""
    found, todo = set(), list(outputs)
    while todo:
        node = todo.pop()
        if node not in found:
            found.add(node)
            todo.extend(node.all_input_nodes)
    return found
