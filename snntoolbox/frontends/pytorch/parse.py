"""Puts an exported program into a graph operation by operation, and lists every one that cannot be taken."""

from __future__ import annotations

import logging
import operator
from typing import Any

import torch
from torch.export import ExportedProgram

from snntoolbox.errors import FrontendError
from snntoolbox.frontends import layer_call
from snntoolbox.frontends.batch_axes import aligned, elsewhere, placed, told
from snntoolbox.frontends.layer_call import LOST, TREAT_ALONE, Activation, Lost, Refusal
from snntoolbox.frontends.pytorch import one_sample
from snntoolbox.frontends.pytorch.call import TorchCall
from snntoolbox.frontends.pytorch.folding import Folder, reads_shape_only
from snntoolbox.frontends.pytorch.handlers import (
    ANY_BATCH_AXIS,
    BROADCASTING,
    HANDLERS,
    RECURRENT,
    SIZE_READERS,
)
from snntoolbox.frontends.pytorch.handlers.quantised import DECOMPOSED, WATCHED, is_frozen
from snntoolbox.frontends.pytorch.inplace import functional
from snntoolbox.frontends.pytorch.model import output_nodes, user_inputs
from snntoolbox.frontends.pytorch.operators import is_known, op_name, unknown_nodes, writes
from snntoolbox.frontends.truths import check_compared
from snntoolbox.ir.builder import GraphBuilder
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Origin

log = logging.getLogger(__name__)

# What wrong arguments in a file make torch, numpy and Python raise.
MALFORMED = (LookupError, ValueError, TypeError, AttributeError, ArithmeticError, RuntimeError, MemoryError)
_LAYERS = ("torch.nn.modules.", "snntoolbox.training.")
_SYMBOLIC = (torch.SymInt, torch.SymFloat, torch.SymBool)


def parse_program(program: ExportedProgram, name: str, *, alone: bool = False) -> Graph:
    """The graph of a program; UnsupportedError lists every operation that it cannot take.

    One of a single sample is read `alone`: all its axes are the sample's.
    """
    known = next(unknown_nodes(program.graph), None) is None  # only then is it run, even on tensors without data
    return (_Alone if alone else _Walk)(functional(program) if known else program).graph(name)


class _Walk:
    """One walk over the program: the value of every fx node so far."""

    def __init__(self, program: ExportedProgram) -> None:
        self.program = program
        self.builder = GraphBuilder("pytorch")
        self.values: dict[torch.fx.Node, Any] = {}
        self.folder = Folder(program)
        self.samples = user_inputs(program)[0].meta["val"].shape[0]

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
            elif node.op == "call_function" and writes(node.target) and not is_known(node.target):
                self.builder.refuse(self._origin(node), layer_call.not_supported(op_name(node.target)).reason)
        made = {node.name: node for node in self.program.graph.nodes}
        for name_of_new, buffer in self.program.graph_signature.buffers_to_mutate.items():
            if self._keeps(made[name_of_new]):
                continue
            reason = "forward() changes it, so outputs depend on earlier calls"
            self.builder.refuse(self.builder.origin("buffer", buffer), reason)
        results = [self._result(n) for n in outputs]
        check_compared(self.builder)
        return self.builder.finish(results, name).edited()

    def _keeps(self, new: torch.fx.Node) -> bool:
        """Whether the new value of a buffer is its old one: that of an observer which has been disabled."""
        source = new.args[0] if new.target is operator.getitem else None
        if not isinstance(source, torch.fx.Node) or op_name(source.target) != WATCHED:
            return False
        observes = source.args[1]
        return isinstance(observes, torch.fx.Node) and is_frozen(self.values.get(observes))

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
            if op_name(node.target) == f"{DECOMPOSED}.quantize_per_tensor":
                self.builder.refuse(self._origin(node), "gives integers as output", hint="end with a dequantize")
            told(self.builder, value)
            return value.name
        if not isinstance(value, Lost):
            self.builder.refuse(self.builder.origin("output", node.name), "does not depend on the input")
        return ""

    def _placeholder(self, node: torch.fx.Node, inputs: list[torch.fx.Node]) -> Any:
        """An input of the graph, or the tensor behind a parameter, buffer or lifted constant."""
        if node in inputs:
            name = self.builder.input(node.name, tuple(int(d) for d in node.meta["val"].shape[1:]))
            if node.meta["val"].dtype == torch.bool:
                self.builder.take_truths(name)
            return Activation(name)
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
        """The value of an operation: plain, constant, or a node of the graph."""
        result = node.meta.get("val")
        if isinstance(result, (bool, int, float, *_SYMBOLIC)):
            return result
        args: Any = torch.fx.node.map_arg(node.args, self.values.__getitem__)
        kwargs = torch.fx.node.map_arg(node.kwargs, self.values.__getitem__)
        if node.target is operator.getitem:
            values, index = args
            return LOST if isinstance(values, Lost) else values[index]
        read = torch.utils._pytree.tree_leaves((args, kwargs))
        if any(isinstance(v, Lost) for v in read):
            return self._stand_in(node)
        if any(isinstance(v, Activation) for v in read):
            return self._handled(node, args, kwargs, read)
        with layer_call.refusals_noted(self.builder, self._origin(node)):
            return self.folder.fold(node.target, args, kwargs, self.samples)
        return LOST

    def _handled(self, node: torch.fx.Node, args: Any, kwargs: Any, read: list[Any]) -> Any:
        """What the operation's handler adds to the graph; a stand-in where it is refused."""
        origin, op = self._origin(node), op_name(node.target)
        with layer_call.refusals_noted(self.builder, origin):
            if reads_shape_only(op, args[0]):
                shapes = torch.fx.node.map_arg(node.args, self._shape_only)
                return self.folder.fold(node.target, shapes, kwargs, self.samples)
            handler = HANDLERS.get(op)
            if handler is None:
                raise layer_call.not_supported(op, f"{op} ({node.target})")
            try:
                call = self._call_of(node, op, origin, self._given(op, _by_name(node.target, args, kwargs), origin))
                added = handler(call)
                several = isinstance(added, list)
                active = [v for v in read if isinstance(v, Activation)]
                result = [placed(call, one, active) for one in (added if several else [added])]
                self._verify(result, call)
                result = [self._kept(op, one, origin) for one in result]
            except MALFORMED as error:
                log.debug("malformed operation %s", node.name, exc_info=True)
                raise Refusal(f"malformed: {error}") from error
            return result if several else result[0]
        return self._stand_in(node)

    def _told(self, result: Any, op: str) -> Any:
        """What torch says of the results of an operation."""
        return result

    def _kept(self, op: str, value: Activation | None, origin: Origin) -> Activation | None:
        """A result as operations behind it read it."""
        return value

    def _given(self, op: str, args: dict[str, Any], origin: Origin) -> dict[str, Any]:
        """The arguments as the handler gets them; those of arithmetic of one rank."""
        if op not in BROADCASTING:
            return args
        operands = [args["self"], args["other"]]
        if not all(isinstance(v, Activation | torch.Tensor) for v in operands):
            return args
        wide = aligned(self.builder, operands, origin)
        return {**args, "self": wide[0], "other": wide[1]}

    def _call_of(self, node: torch.fx.Node, op: str, origin: Origin, args: dict[str, Any]) -> TorchCall:
        """The operation as its handler gets it; Refusal where it computes with the batch size, or is too large."""
        leaves = torch.utils._pytree.tree_leaves(args)
        if op not in SIZE_READERS and any(isinstance(v, _SYMBOLIC) for v in leaves):
            raise Refusal(f"{op} computes with the batch size", hint=layer_call.TREAT_ALONE)
        read = [v for v in leaves if isinstance(v, Activation)]
        out = self._told(node.meta.get("val"), op)
        if len({v.batch_axis for v in read}) > 1 and op not in RECURRENT:
            raise Refusal("reads tensors whose batches lie along different axes", hint=layer_call.TREAT_ALONE)
        if read[0].batch_axis and op not in ANY_BATCH_AXIS:
            raise elsewhere(op)
        for value in torch.utils._pytree.tree_leaves(out):
            if isinstance(value, torch.Tensor):
                layer_call.check_size([d for d in value.shape[1:] if isinstance(d, int)])
        return TorchCall(
            builder=self.builder,
            name=self._name(node),
            origin=origin,
            sources=tuple(v.name for v in read),
            batch=self.samples if isinstance(self.samples, int) else None,
            batch_axis=read[0].batch_axis,
            op=op,
            args=args,
            out=out,
            samples=self.samples,
            target=node.target,
            truths=frozenset(n.name for n in map(self._truth, node.all_input_nodes) if n is not None),
        )

    def _truth(self, node: torch.fx.Node) -> Activation | None:
        """The truth values that a node is; None where it is something else."""
        value, told = self.values[node], node.meta.get("val")
        is_truth = isinstance(told, torch.Tensor) and told.dtype == torch.bool
        return value if isinstance(value, Activation) and is_truth else None

    def _shape_only(self, node: torch.fx.Node) -> Any:
        """Zeros of the shape of one sample in place of an activation."""
        value = self.values[node]
        if not isinstance(value, Activation):
            return value
        shape = list(self.builder.shape(value.name))
        shape.insert(value.batch_axis, 1)
        return torch.zeros(*shape, dtype=node.meta["val"].dtype)

    def _verify(self, values: list[Activation | None], call: TorchCall) -> None:
        """The graph and torch agree about the shape of each result."""
        results = call.out if isinstance(call.out, (tuple, list)) else [call.out]
        for value, result in zip(values, results, strict=False):
            if value is None:
                continue
            ours, theirs = self.builder.shape(value.name), call.sample_shape(result, value.batch_axis)
            if ours != theirs:
                raise Refusal(f"{call.op} gives shape {theirs} in torch, but {ours} here: please report this")

    def _stand_in(self, node: torch.fx.Node) -> Any:
        """Values of the shape that torch gives, so that what follows can be examined."""
        result, origin = node.meta.get("val"), self._origin(node)
        if isinstance(result, (tuple, list)):
            return [layer_call.stand_in(self.builder, origin, self._known_shape(r)) for r in result]
        return layer_call.stand_in(self.builder, origin, self._known_shape(result))

    def _known_shape(self, result: Any) -> tuple[int, ...] | None:
        """The shape of a result without batch; None where it has no batch axis, or depends on its size."""
        if not isinstance(result, torch.Tensor) or result.ndim == 0 or str(result.shape[0]) != str(self.samples):
            return None
        return tuple(result.shape[1:]) if all(isinstance(d, int) for d in result.shape[1:]) else None

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
            layer = kind.rpartition(".")[2]
            return self.builder.origin(layer, path or node.name)
        return self.builder.origin(op, f"{path}.{node.name}" if path else node.name)

    def _name(self, node: torch.fx.Node) -> str:
        """A stem for graph nodes: the layer's path, or module path and operation."""
        path, kind = self._layer(node)
        if path and kind.startswith(_LAYERS):
            return path
        return f"{path}.{op_name(node.target)}" if path else op_name(node.target)


class _Alone(_Walk):
    """One walk over the program of a single sample; see `one_sample`."""

    def __init__(self, program: ExportedProgram) -> None:
        super().__init__(program)
        self.samples = one_sample.SAMPLES

    def _placeholder(self, node: torch.fx.Node, inputs: list[torch.fx.Node]) -> Any:
        value = super()._placeholder(node, inputs)
        if not isinstance(value, Activation):
            return value
        return one_sample.with_first(self.builder, value, self.builder.origin("input", node.name))

    def _result(self, node: torch.fx.Node) -> str:
        found = super()._result(node)
        shape = self.builder.shape(found) if found else (1,)
        if shape[:1] != (1,):
            self.builder.refuse(self._origin(node), "gives outputs of several samples in one", hint=TREAT_ALONE)
            return found
        return self.builder.reshape(f"{found}_one", found, shape[1:], self._origin(node)) if found else found

    def _given(self, op: str, args: dict[str, Any], origin: Origin) -> dict[str, Any]:
        if one_sample.takes_batch(op):
            return {k: one_sample.without_first(self.builder, v, origin) for k, v in args.items()}
        return one_sample.widened(self.builder, op, one_sample.in_front(op, args), origin)

    def _told(self, result: Any, op: str) -> Any:
        return one_sample.with_batch(result, of_one=one_sample.takes_batch(op))

    def _kept(self, op: str, value: Activation | None, origin: Origin) -> Activation | None:
        if value is None or not one_sample.takes_batch(op):
            return value
        return one_sample.with_first(self.builder, value, origin)

    def _shape_only(self, node: torch.fx.Node) -> Any:
        value = self.values[node]
        if not isinstance(value, Activation):
            return value
        return torch.zeros(*self.builder.shape(value.name), dtype=node.meta["val"].dtype)

    def _known_shape(self, result: Any) -> tuple[int, ...] | None:
        return tuple(int(d) for d in result.shape) if isinstance(result, torch.Tensor) else None


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
    live, todo = set(), list(outputs)
    while todo:
        node = todo.pop()
        if node not in live:
            live.add(node)
            todo.extend(node.all_input_nodes)
    return live
