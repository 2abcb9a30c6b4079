"""Makes a program functional where an in-place operation changes what others read."""

from __future__ import annotations

from typing import Any

import torch
from torch.export import ExportedProgram

from snntoolbox.errors import FrontendError
from snntoolbox.frontends.pytorch.sizes import quiet

# these return their input itself at inference, which their schema does not say; detach_ changes no value
_PASS_ON = frozenset({"aten::dropout", "aten::feature_dropout", "aten::alpha_dropout"})
_NO_CHANGE = frozenset({"aten::detach_", "aten::requires_grad_", "aten::dropout_", "aten::feature_dropout_"})


def functional(program: ExportedProgram) -> ExportedProgram:
    """The program itself where reading in-place operations as plain ones is right, else its functional form.

    ``relu_(conv(x))`` is the usual case and stays as it is; where the changed value, or a view of it, is read by
    anything else, torch rewrites the program.
    """
    changing = [n for n in program.graph.nodes if n.op == "call_function" and _written(n)]
    if all(_owned(value, node) for node in changing for value in _written(node)):
        return program
    try:
        with quiet():
            rewritten: ExportedProgram = program.run_decompositions({})
            return rewritten
    except Exception as error:
        raise FrontendError(
            f"in-place operations cannot be rewritten: {str(error).splitlines()[0][:200]}",
            hint="write y = f(x) in place of x.f_() in forward()",
        ) from error


def _written(node: torch.fx.Node) -> list[Any]:
    """The arguments that an operation changes."""
    schema = getattr(node.target, "_schema", None)
    if schema is None or schema.name in _NO_CHANGE:
        return []
    arguments = list(node.args) + [node.kwargs.get(a.name) for a in schema.arguments[len(node.args) :]]
    pairs = zip(schema.arguments, arguments, strict=True)
    return [v for a, v in pairs if a.alias_info is not None and a.alias_info.is_write and v is not None]


def _owned(value: Any, reader: torch.fx.Node) -> bool:
    """Whether only `reader` sees this value and its memory."""
    if not isinstance(value, torch.fx.Node) or value.op != "call_function" or list(value.users) != [reader]:
        return False
    schema = getattr(value.target, "_schema", None)
    if schema is None or schema.name in _PASS_ON:
        return False
    written = _written(value)
    if written:
        return all(_owned(v, value) for v in written)
    return all(r.alias_info is None for r in schema.returns)
