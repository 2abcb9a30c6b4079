"""Runs torch over a program in silence, and without data: every size is known before anything of it is made."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch._subclasses.fake_tensor import DynamicOutputShapeException, FakeTensorMode
from torch.export import ExportedProgram

from snntoolbox.errors import FrontendError
from snntoolbox.frontends.layer_call import MOST_VALUES

_HINT = "export it with integer positions in place of masks"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No warnings, log records or prints inside; they come before an exception that says the same."""
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


class _Sizes(torch.fx.Interpreter):
    """Runs a program on tensors without data and stops at one of more than `most` values."""

    def __init__(self, module: torch.fx.GraphModule, most: int) -> None:
        super().__init__(module)
        self.most = most

    def run_node(self, n: torch.fx.Node) -> Any:
        """The shapes of a node's results."""
        result = super().run_node(n)
        for value in torch.utils._pytree.tree_leaves(result):
            if isinstance(value, torch.Tensor) and value.numel() > self.most:
                raise FrontendError(f"its operation '{n.name}' makes {value.numel():,} values: too large")
        return result


def check_sizes(program: ExportedProgram, inputs: Sequence[torch.Tensor]) -> None:
    """FrontendError where a value of the program holds more than `MOST_VALUES` per sample, or is not known beforehand.

    What the file itself says about sizes is not trusted. Parts that do not fit are left for the run to tell.
    """
    with quiet(), FakeTensorMode(allow_non_fake_inputs=True) as mode, torch.no_grad():
        try:
            flat = [mode.from_tensor(a) if isinstance(a, torch.Tensor) else a for a in _arguments(program, inputs)]
            _Sizes(program.graph_module, MOST_VALUES * len(inputs[0])).run(*flat, enable_io_processing=False)
        except FrontendError as error:  # the interpreter adds where it was
            raise FrontendError(error.message) from None
        except DynamicOutputShapeException as error:
            reason = f"the size of a result of {error.func} is not known beforehand"
            raise FrontendError(reason, hint=_HINT) from error
        except Exception as error:  # whatever torch makes of parts that do not fit
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            reason = lines[0][:300] if lines else type(error).__name__
            raise FrontendError(f"the program fails on its data: {reason}") from error


def _arguments(program: ExportedProgram, inputs: Sequence[torch.Tensor]) -> list[Any]:
    """What the program's placeholders stand for, in order: weights, constants, the user's tensors and numbers."""
    signature, tensors = program.graph_signature, iter(inputs)
    stored = {
        **signature.inputs_to_parameters,
        **signature.inputs_to_buffers,
        **signature.inputs_to_lifted_tensor_constants,
    }
    arguments: list[Any] = []
    for node in program.graph.find_nodes(op="placeholder"):
        value = node.meta.get("val")
        if node.name in stored:
            name = stored[node.name]
            arguments.append(program.state_dict[name] if name in program.state_dict else program.constants[name])
        else:
            arguments.append(next(tensors) if isinstance(value, torch.Tensor) else value)
    return arguments
