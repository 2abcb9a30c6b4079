"""The PyTorch frontend: opens a model, turns it into a graph, asks it for its own output."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from snntoolbox.errors import FrontendError, UnsupportedError
from snntoolbox.frontends.protocol import Limits
from snntoolbox.frontends.whole_numbers import whole_numbers
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import Array

if TYPE_CHECKING:
    from snntoolbox.frontends.pytorch.model import TorchModel


def _parsed(opened: TorchModel) -> Graph:
    """The graph of a model; that of its single sample where the batch is joined with other axes, such as windows.

    What is refused of that one is what stands in the way: it is known that samples are not mixed.
    """
    from snntoolbox.frontends.pytorch.parse import parse_program

    try:
        return parse_program(opened.program, opened.name)
    except UnsupportedError as error:
        if not any("batch" in offender.reason for offender in error.offenders):
            raise
        program = opened.one()
        if program is None:
            raise
        try:
            return parse_program(program, opened.name, alone=True)
        except UnsupportedError as alone:
            if any("touches the batch" in offender.reason for offender in alone.offenders):
                raise error from None  # it is the made-up batch of that reading, of which the user knows nothing
            raise


class TorchFrontend:
    """Reads live ``nn.Module``, ``ScriptModule`` and ``ExportedProgram``, ``.pt2``, and ``NAME.py`` beside weights."""

    name = "pytorch"
    suffixes: tuple[str, ...] = (".pt2", ".pth", ".pt", ".pkl", ".safetensors", ".py")

    def accepts(self, model: Any) -> bool:
        """Whether it is (or derives from) a torch module, or is an exported program.

        Under Keras' torch backend a Keras model is a torch module too, but not ours.
        """
        if any(t.__module__.partition(".")[0] == "keras" for t in type(model).__mro__):
            return False
        bases = {f"{t.__module__}.{t.__qualname__}" for t in type(model).__mro__}
        torch_models = {"torch.nn.modules.module.Module", "torch.export.exported_program.ExportedProgram"}
        return bool(bases & torch_models) or f"{__package__}.model.TorchModel" in bases

    def reads(self, path: Path) -> bool:
        """Whether a file of Python is about PyTorch, by its words; other endings are this frontend's alone."""
        return path.suffix.lower() != ".py" or b"torch" in path.read_bytes()

    def open(self, source: Path | Any, *, input_shape: Any = None) -> TorchModel:
        """The model, exported and ready.

        `input_shape` is the shape of a sample, a tuple of shapes for several inputs, or example inputs (an array or a
        tuple of arrays, with batch); it is needed only where the model does not have it. Modules are copied to the
        CPU, in evaluation mode; nothing in the user's object changes.
        """
        import torch

        from snntoolbox.frontends.pytorch.files import open_path
        from snntoolbox.frontends.pytorch.model import TorchModel, export_module, wrap_program
        from snntoolbox.frontends.pytorch.scripted import open_script

        if isinstance(source, TorchModel):
            return source
        if isinstance(source, torch.export.ExportedProgram):
            return wrap_program(source, "model")
        if isinstance(source, torch.jit.ScriptModule):
            return open_script(source, input_shape)
        if isinstance(source, torch.nn.Module):
            return export_module(source, input_shape, type(source).__name__)
        if isinstance(source, (str, Path)):
            return open_path(Path(source), input_shape)
        raise FrontendError(
            f"a {type(source).__name__} is not a PyTorch model",
            hint="give an nn.Module, an ExportedProgram, or the path of a file",
        )

    def parse(self, model: Any) -> Graph:
        """The graph; UnsupportedError lists every operation it cannot take."""
        opened = self.open(model)
        graph = _parsed(opened)
        if not opened.apart:
            raise FrontendError(
                "its outputs for a sample change with the size of the batch",
                hint="forward() must treat every sample alone, whatever x.shape[0] is",
            )
        return graph

    def limits(self, model: Any) -> tuple[Limits, ...]:
        """Which whole numbers inputs take whose type is one of integers or of truth values."""
        kinds = [str(dtype).removeprefix("torch.") for dtype in self.open(model).dtypes]
        return tuple(None if "float" in kind else whole_numbers(np.dtype(kind)) for kind in kinds)

    def predict(self, model: Any, *x: Array) -> tuple[Array, ...]:
        """Each output of the model for a batch of each input, in batches that the model allows."""
        from snntoolbox.frontends.pytorch.model import run_batches

        return run_batches(self.open(model), x)
