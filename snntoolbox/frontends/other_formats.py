"""Formats of models that no frontend reads, each with the line that makes one of them that is read."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from snntoolbox.frontends.converter import JAX, TENSORFLOW, Converter

E = TypeVar("E", bound=Exception)


@dataclass(frozen=True, kw_only=True)
class OtherFormat:
    """`name` is what it is, `why` it is not read; `line` converts it, with PATH where the file's own path goes.

    `endings` are those of its files, `start` is what a file begins with from byte `offset` on, `inside` what a folder
    holds. `modules` are the packages whose objects are such models, `imports` those that a Python file with one has.
    `converter` is what reads the `kind` of it by way of ONNX, in an interpreter of its own, where one does.
    """

    name: str
    why: str
    line: str
    endings: tuple[str, ...] = ()
    start: bytes = b""
    offset: int = 0
    inside: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    converter: Converter | None = None
    kind: str = ""

    def fits(self, path: Path) -> bool:
        """Whether a file or folder is of this format, by what is in it, else by its ending."""
        if path.is_dir():
            return any((path / name).is_file() for name in self.inside)
        if not path.is_file():
            return False
        if self.start:
            with path.open("rb") as file:
                if file.read(self.offset + len(self.start))[self.offset :] == self.start:
                    return True
        if self.imports and path.suffix.lower() == ".py":
            return not _imported(path).isdisjoint(self.imports)
        return path.suffix.lower() in self.endings

    def message(self, what: str) -> str:
        """What is wrong with a model called `what`."""
        return f"{what} is {self.name}, {self.why}"

    def hint(self, path: Path | str = "FILE") -> str:
        """What to type."""
        line = f"turn it into ONNX: {self.line.replace('PATH', str(path))}"
        return line if self.converter is None else f"{line}; or have it done: {self.converter.interpreter.how}"


MOST_CODE = 2**22
"""Bytes of a Python file beyond which nobody has written it."""


def _imported(path: Path) -> set[str]:
    """The packages that a Python file imports at its beginning; none where it is no Python file."""
    try:
        with path.open("rb") as file:
            tree = ast.parse(file.read(MOST_CODE))
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    names = [a.name for node in tree.body if isinstance(node, ast.Import) for a in node.names]
    names += [node.module or "" for node in tree.body if isinstance(node, ast.ImportFrom) and not node.level]
    return {name.partition(".")[0] for name in names}


TF2ONNX = "pip install tensorflow tf2onnx, in an environment of its own"
EXAMPLE = "(1, ...) is the shape of a sample with a batch of one"

SAVED_MODEL = OtherFormat(
    name="a TensorFlow SavedModel",
    why="which holds operations and no layers, and may run any of them when it is loaded",
    line=f"python -m tf2onnx.convert --saved-model PATH --output model.onnx ({TF2ONNX})",
    inside=("saved_model.pb", "saved_model.pbtxt"),
    converter=TENSORFLOW,
    kind="saved model",
)
TORCHSCRIPT = OtherFormat(
    name="a TorchScript file",
    why="which holds code, and loading it may run that",
    line="python -c \"import torch; torch.onnx.export(torch.jit.load('PATH').eval(), (torch.zeros(1, ...),), "
    f"'model.onnx', dynamo=False)\", where {EXAMPLE}; or in Python stb.load(torch.jit.load('PATH'), input_shape=(...))",
)
_STABLEHLO = "in Python jax2onnx.to_onnx(function, [('B', ...)], return_mode='file', output_path='model.onnx') "

OTHERS: tuple[OtherFormat, ...] = (
    SAVED_MODEL,
    OtherFormat(
        name="a TensorFlow Lite model",
        why="which no frontend reads",
        line=f"python -m tf2onnx.convert --tflite PATH --output model.onnx ({TF2ONNX})",
        endings=(".tflite", ".lite"),
        start=b"TFL3",
        offset=4,
        modules=("ai_edge_litert", "tflite_runtime"),
        converter=TENSORFLOW,
        kind="tflite",
    ),
    OtherFormat(
        name="a frozen graph of TensorFlow",
        why="which holds operations and no layers",
        line="python -m tf2onnx.convert --graphdef PATH --inputs INPUT:0 --outputs OUTPUT:0 --output model.onnx, with "
        f"the names of its input and output ({TF2ONNX})",
        endings=(".pb", ".pbtxt"),
    ),
    OtherFormat(
        name="a program of TensorFlow",
        why="of which no frontend knows the layers",
        line="in Python tf2onnx.convert.from_function(tf.function(model), "
        f"[tf.TensorSpec((None, ...), tf.float32)], output_path='model.onnx') ({TF2ONNX})",
        modules=("tensorflow",),
    ),
    OtherFormat(
        name="a StableHLO program",
        why="which no longer has the layers that it was made of",
        line=f"{_STABLEHLO}with the function of JAX that it was exported from (pip install jax2onnx)",
        endings=(".mlir", ".mlirbc", ".stablehlo"),
        start=b"ML\xefR",
    ),
    OtherFormat(
        name="a function of JAX",
        why="which is in a file of code that needs JAX",
        line=f"{_STABLEHLO}with the function that the file defines (pip install jax2onnx)",
        imports=("jax", "flax", "equinox", "haiku"),
        converter=JAX,
        kind="function",
    ),
    OtherFormat(
        name="a model of JAX",
        why="which no frontend reads",
        line=f"{_STABLEHLO}with the model as a function of its data (pip install jax2onnx)",
        modules=("jax", "jaxlib", "flax", "equinox", "haiku"),
    ),
)
"""Where several fit, the first counts."""


def format_of_file(path: Path) -> OtherFormat | None:
    """The format of a file or folder that no frontend reads; None for what may be read, or is not known."""
    return next((other for other in OTHERS if other.fits(path)), None)


def format_of_object(model: Any) -> OtherFormat | None:
    """The same for a live object, by the packages of its classes."""
    roots = {c.__module__.partition(".")[0] for c in type(model).__mro__}
    return next((other for other in OTHERS if roots.intersection(other.modules)), None)


def refusal_of(model: Any, error: Callable[..., E]) -> E | None:
    """The refusal of a path or an object that is in such a format, as an `error`; None where it is not."""
    if isinstance(model, (str, Path)):
        path = Path(model)
        other = format_of_file(path)
        return error(other.message(f"'{path}'"), hint=other.hint(path)) if other else None
    other = format_of_object(model)
    kind = f"an object of type {type(model).__module__}.{type(model).__qualname__}"
    return error(other.message(kind), hint=other.hint()) if other else None
