"""Converters to ONNX that live in an interpreter of their own: what each needs, and the script that calls it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from snntoolbox.errors import FrontendError
from snntoolbox.ir.other_python.installation import Interpreter

_SCRIPTS = Path(__file__).parent / "converters"


@dataclass(frozen=True, kw_only=True)
class Converter:
    """`name` is that of the framework; `interpreter` says what has to be there, `script` makes ONNX of models."""

    name: str
    interpreter: Interpreter
    script: Path
    doubt: str
    """What may be behind a difference from the original."""


def _interpreter(framework: str, modules: tuple[str, ...], packages: str, folder: str, converter: str) -> Interpreter:
    return Interpreter(
        target=f"a model of {framework}",
        library=f"{framework} and {converter}",
        modules=modules,
        usual="",
        least={converter: LEAST[converter]},
        how=f"`python3 -m venv ~/{folder} && ~/{folder}/bin/pip install {packages}` (or `uv venv ~/{folder} && uv pip "
        f"install -p ~/{folder} {packages}`), then [input] converter_python = ~/{folder}/bin/python, in Python "
        f"stb.load(..., converter='~/{folder}/bin/python')",
        error=FrontendError,
    )


LEAST = {"tf2onnx": "1.16", "jax2onnx": "0.17"}
"""The oldest that were tried."""

TENSORFLOW = Converter(
    name="tensorflow",
    interpreter=_interpreter("TensorFlow", ("tensorflow", "tf2onnx"), "tensorflow tf2onnx", "tf", "tf2onnx"),
    script=_SCRIPTS / "tensorflow_models.py",
    doubt="tf2onnx may have made another function of it: of weights that are quantised and activations that are not, "
    "which TensorFlow Lite puts on a grid for each sample, it does; quantise both, with a representative data set",
)
JAX = Converter(
    name="jax",
    interpreter=_interpreter("JAX", ("jax", "jax2onnx"), "jax2onnx", "jax", "jax2onnx"),
    script=_SCRIPTS / "jax_functions.py",
    doubt="jax2onnx may have made another function of it, or what JAX computes changes from call to call",
)
