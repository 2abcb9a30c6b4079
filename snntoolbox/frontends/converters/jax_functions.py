"""Turns functions of JAX into ONNX by jax2onnx, and runs the originals, for another process.

It needs JAX and jax2onnx alone. A file defines `model`, a function of a batch for each input, and `input_shape`, that
of a sample, or a list of such for several inputs. Arrays come and go in files, by their place.
"""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Callable
from operator import index
from pathlib import Path
from typing import Any

os.environ["JAX_PLATFORMS"] = "cpu"  # whose products are not rounded

import jax
import jax2onnx
import numpy as np

CHUNK = 128
"""Samples at once; bounds the memory of large sets."""

held: dict[str, Any] = {}
"""The function of a batch."""


def answer(request: dict[str, str]) -> Any:
    """Convert a model, or run it on what is in a file."""
    return ASKED[request.pop("do")](**request)


def convert(kind: str, model: str, target: str) -> list[None]:
    """Write the function that a file defines as ONNX, and keep the original; that its inputs take any numbers."""
    sys.path.insert(0, str(Path(model).parent))  # what the file imports beside it
    defined = runpy.run_path(model, run_name="snntoolbox_model")
    if missing := [name for name in ("model", "input_shape") if name not in defined]:
        raise ValueError(f"the file defines no {' and no '.join(missing)}")
    shapes = _shapes(defined["input_shape"])
    function = _in_a_row(defined["model"], shapes)
    jax2onnx.to_onnx(function, [("B", *shape) for shape in shapes], return_mode="file", output_path=target)
    held["run"] = jax.jit(function)
    return [None] * len(shapes)


def _shapes(told: Any) -> list[tuple[int, ...]]:
    """The shape of a sample of each input."""
    try:
        shapes = [*told] if any(isinstance(n, (tuple, list)) for n in told) else [told]
        return [tuple(index(n) for n in shape) for shape in shapes]
    except TypeError:
        wrong = f"input_shape = {told!r} is no shape of a sample, such as (28, 28, 1), and no list of such"
        raise ValueError(wrong) from None


def _in_a_row(model: Callable[..., Any], shapes: list[Any]) -> Callable[..., Any]:
    """The function with its outputs as a tuple, where they are in a dict (by the order of its keys) or nested."""
    found = jax.eval_shape(model, *(jax.ShapeDtypeStruct((2, *shape), np.float32) for shape in shapes))
    rows = found if isinstance(found, (tuple, list)) else [found]
    if not isinstance(found, dict) and all(hasattr(output, "shape") for output in rows):
        return model
    return lambda *x: tuple(jax.tree_util.tree_leaves(model(*x)))


def predict(given: str, target: str) -> None:
    """What the original makes of arrays ``0``, ``1``, ... in a file, written as the same."""
    with np.load(given) as file:
        arrays = [np.asarray(file[str(k)], np.float32) for k in range(len(file.files))]
    parts = []
    for start in range(0, len(arrays[0]), CHUNK):
        found = held["run"](*(a[start : start + CHUNK] for a in arrays))
        parts.append([np.asarray(o) for o in (found if isinstance(found, (tuple, list)) else [found])])
    np.savez(target, **{str(k): np.concatenate(column) for k, column in enumerate(zip(*parts, strict=True))})


ASKED: dict[str, Callable[..., Any]] = {"convert": convert, "predict": predict}
