"""Turns models of TensorFlow into ONNX by tf2onnx, and runs the originals, for another process.

It needs TensorFlow and tf2onnx alone. Arrays come and go in files, by their names in the ONNX file.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # whose products are rounded
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import onnx
import tensorflow as tf
from tf2onnx import convert as tf2onnx

CHUNK = 128
"""Samples at once where the batch is free; bounds the memory of large sets."""

SIGNATURE = "serving_default"


class SavedModel:
    """The signature of a SavedModel that others call."""

    def __init__(self, path: str) -> None:
        self.loaded = tf.saved_model.load(path)  # its variables go with it
        functions = dict(self.loaded.signatures)
        name = SIGNATURE if SIGNATURE in functions or len(functions) != 1 else next(iter(functions))
        if name not in functions:
            raise ValueError(f"it has no signature {SIGNATURE}, but {', '.join(functions) or 'none at all'}")
        self.function = functions[name]
        specs = self.function.structured_input_signature[1]
        self.inputs = {key: spec.dtype.as_numpy_dtype for key, spec in specs.items()}
        self.outputs = list(self.function.structured_outputs)
        self.batch = _one_batch({name: spec.shape[0] if spec.shape.rank else None for name, spec in specs.items()})
        self.arguments = ["--saved-model", path, "--tag", "serve", "--signature_def", name]

    def run(self, feeds: dict[str, Any]) -> dict[str, Any]:
        """Name -> outputs of a batch."""
        found = self.function(**{name: tf.constant(a) for name, a in feeds.items()})
        return {name: value.numpy() for name, value in found.items()}


class LiteModel:
    """A model of TensorFlow Lite, whose batch is fixed."""

    def __init__(self, path: str) -> None:
        self.interpreter = _interpreter()(model_path=path)
        self.interpreter.allocate_tensors()
        self.given, self.found = self.interpreter.get_input_details(), self.interpreter.get_output_details()
        self.inputs = {detail["name"]: detail["dtype"] for detail in self.given}
        self.outputs = [detail["name"] for detail in self.found]
        self.batch = _one_batch({d["name"]: int(d["shape"][0]) if len(d["shape"]) else None for d in self.given})
        self.arguments = ["--tflite", path]

    def run(self, feeds: dict[str, Any]) -> dict[str, Any]:
        """Name -> outputs of a batch."""
        for detail in self.given:
            self.interpreter.set_tensor(detail["index"], feeds[detail["name"]])
        self.interpreter.invoke()
        return {detail["name"]: self.interpreter.get_tensor(detail["index"]) for detail in self.found}


def _one_batch(sizes: dict[str, int | None]) -> int | None:
    """The size of a batch that all inputs have; None where it is free."""
    if len({*sizes.values()}) != 1:
        told = ", ".join(f"'{name}' {'any' if size is None else size}" for name, size in sizes.items()) or "none"
        raise ValueError(f"a model has a batch of one size for all its inputs, and this one has for {told}")
    return next(iter(sizes.values()))


def _interpreter() -> Any:
    """TensorFlow's own, which is to leave it, else that of the package that takes its place."""
    if hasattr(tf.lite, "Interpreter"):
        return tf.lite.Interpreter
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter


KINDS: dict[str, Any] = {"saved model": SavedModel, "tflite": LiteModel}
held: dict[str, Any] = {}
"""The original, and the names of its inputs and outputs in the ONNX file, in order."""


def answer(request: dict[str, str]) -> Any:
    """Convert a model, or run it on what is in a file."""
    return ASKED[request.pop("do")](**request)


def convert(kind: str, model: str, target: str) -> list[list[int] | None]:
    """Write the model as ONNX, and keep the original; the least and largest integer of each input, None if of none."""
    original = KINDS[kind](model)
    sys.argv = ["tf2onnx.convert", *original.arguments, "--output", target]
    tf2onnx.main()
    graph = onnx.load(target, load_external_data=False).graph
    inputs, outputs = [value.name for value in graph.input], [value.name for value in graph.output]
    held.update(original=original)
    held.update(inputs=_named(inputs, list(original.inputs)), outputs=_named(outputs, original.outputs))
    return [_limits(original.inputs[name]) for name in held["inputs"]]


def _limits(kind: Any) -> list[int] | None:
    if np.issubdtype(kind, np.bool_):
        return [0, 1]
    return [int(np.iinfo(kind).min), int(np.iinfo(kind).max)] if np.issubdtype(kind, np.integer) else None


def _named(theirs: list[str], ours: list[str]) -> list[str]:
    """The original's names of what the ONNX file has, in its order; a single one needs no name."""
    if len(theirs) == len(ours) == 1:
        return ours
    if sorted(theirs) != sorted(ours):
        raise ValueError(f"tf2onnx names {theirs} what the model names {ours}")
    return theirs


def predict(given: str, target: str) -> None:
    """What the original makes of arrays ``0``, ``1``, ... in a file, written as the same."""
    original = held["original"]
    with np.load(given) as file:
        arrays = [file[str(k)] for k in range(len(file.files))]
    feeds = {n: _cast(a, original.inputs[n]) for n, a in zip(held["inputs"], arrays, strict=True)}
    parts = [*_in_batches(original, feeds)]
    np.savez(target, **{str(k): np.concatenate([p[n] for p in parts]) for k, n in enumerate(held["outputs"])})


ASKED: dict[str, Callable[..., Any]] = {"convert": convert, "predict": predict}


def _cast(array: Any, kind: Any) -> Any:
    """The values in the original's type; where that is one of integers they are whole numbers."""
    return array.astype(kind)


def _in_batches(original: Any, feeds: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Outputs of all samples; a batch that the model fixes is filled up with zeros and cut again."""
    count, step = len(next(iter(feeds.values()))), original.batch or CHUNK
    for start in range(0, count, step):
        batch = {name: a[start : start + step] for name, a in feeds.items()}
        size = min(step, count - start)
        missing = step - size if original.batch else 0
        if missing:
            batch = {n: np.concatenate([a, np.zeros((missing, *a.shape[1:]), a.dtype)]) for n, a in batch.items()}
        found = original.run(batch)
        rows = size + missing
        if wrong := [f"{name} of shape {o.shape}" for name, o in found.items() if o.shape[:1] != (rows,)]:
            raise ValueError(f"an output has no batch axis of {rows}: {', '.join(wrong)}")
        yield {name: o[:size] for name, o in found.items()}
