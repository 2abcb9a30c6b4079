"""Runs torch over a program in silence, and without data: every size is known before anything of it is made."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch._subclasses.fake_tensor import DynamicOutputShapeException, FakeTensor, FakeTensorMode
from torch.export import ExportedProgram
from torch.utils._pytree import tree_leaves, tree_map

from snntoolbox.errors import FrontendError
from snntoolbox.frontends.layer_call import MOST_VALUES
from snntoolbox.frontends.pytorch.operators import is_known
from snntoolbox.ir.node import Shape

_LARGEST = 2**62
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
    """Runs a program on tensors without data and stops at one of more than `most` values.

    What is no known operation is not even run so: its result is what the program says of it. `shapes` are the results'.
    """

    def __init__(self, module: torch.fx.GraphModule, samples: int) -> None:
        super().__init__(module)
        self.samples = samples
        self.most = MOST_VALUES * samples
        self.shapes: dict[str, tuple[int, ...]] = {}

    def run_node(self, n: torch.fx.Node) -> Any:
        """The shapes of a node's results."""
        known = n.op != "call_function" or is_known(n.target)
        result = super().run_node(n) if known else tree_map(self._claimed, n.meta.get("val"))
        for value in tree_leaves(result):
            if isinstance(value, torch.Tensor) and value.numel() > self.most:
                raise FrontendError(f"its operation '{n.name}' makes {value.numel():,} values: too large")
            if isinstance(value, int) and abs(value) > _LARGEST:
                raise FrontendError(f"its operation '{n.name}' makes a size that cannot be")
        if isinstance(result, torch.Tensor):
            self.shapes[n.name] = tuple(result.shape)
        return result

    def _claimed(self, value: Any) -> Any:
        """A value as the program describes it, with these samples in the place of a free size."""
        if isinstance(value, torch.Tensor):
            return torch.empty([d if isinstance(d, int) else self.samples for d in value.shape], dtype=value.dtype)
        return value if isinstance(value, (bool, int, float, str, type(None))) else self.samples


def value_shapes(
    program: ExportedProgram, samples: int, shapes: Sequence[Shape], dtypes: Sequence[torch.dtype]
) -> dict[str, tuple[int, ...]]:
    """The shapes of all tensors of a program by name, for a number of samples of these shapes.

    FrontendError where one holds more than `MOST_VALUES` per sample, or is not known beforehand. What the file itself
    says about sizes is not trusted.
    """
    with quiet(), _without_data() as mode, torch.no_grad():
        try:
            inputs = [torch.empty((samples, *s), dtype=d) for s, d in zip(shapes, dtypes, strict=True)]
            flat = [mode.from_tensor(a) if _is_real(a) else a for a in _arguments(program, inputs)]
            sizes = _Sizes(program.graph_module, samples)
            sizes.run(*flat, enable_io_processing=False)
            return sizes.shapes
        except FrontendError as error:  # the interpreter adds where it was
            raise FrontendError(error.message) from None
        except DynamicOutputShapeException as error:
            reason = f"the size of a result of {error.func} is not known beforehand"
            raise FrontendError(reason, hint=_HINT) from error
        except Exception as error:  # whatever torch makes of parts that do not fit
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            reason = lines[0][:300] if lines else type(error).__name__
            raise FrontendError(f"the program fails on its data: {reason}") from error


def planned(target: Any, args: Any, kwargs: Any) -> int:
    """The number of values that an operation would make of tensors, without making them."""
    with quiet(), _without_data() as mode:
        args, kwargs = tree_map(lambda v: mode.from_tensor(v) if _is_real(v) else v, (args, kwargs))
        return sum(v.numel() for v in tree_leaves(target(*args, **kwargs)) if isinstance(v, torch.Tensor))


def _without_data() -> FakeTensorMode:
    """Tensors in it have no data; an operation of which torch does not know the sizes is not tried on real ones."""
    return FakeTensorMode(allow_fallback_kernels=False, allow_non_fake_inputs=True)


def _is_real(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and not isinstance(value, FakeTensor)


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
