"""The Keras frontend: opens a model, turns it into a graph, asks Keras for its output."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from snntoolbox.errors import FrontendError, NoReferenceError
from snntoolbox.frontends.keras.custom_objects import Table, read_table
from snntoolbox.frontends.keras.open_file import FileModel, open_file
from snntoolbox.frontends.keras.parse import parse_net
from snntoolbox.frontends.keras.runtime import import_keras
from snntoolbox.frontends.keras.tracing import has_graph, is_keras, trace
from snntoolbox.frontends.protocol import Limits
from snntoolbox.frontends.whole_numbers import whole_numbers
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.hdf5 import brief
from snntoolbox.ir.node import Array, Shape

_BATCH = 64


@dataclass(frozen=True)
class KerasModel:
    """A Keras model ready to be parsed: built, its graph known, computing in float32; shapes of its inputs."""

    model: Any
    shapes: tuple[Shape, ...]


class KerasFrontend:
    """Reads files of Keras 1, 2 and 3 and live Sequential and Functional models, whatever Keras' backend is."""

    name = "keras"
    suffixes = (".keras", ".h5", ".hdf5", ".json")

    def __init__(self, known: Table = MappingProxyType({})) -> None:
        self._known = known

    def with_custom_objects(self, path: Path) -> KerasFrontend:
        """The frontend that reads custom objects as the table in a file says; FrontendError, see `read_table`."""
        return KerasFrontend(read_table(path))

    def accepts(self, model: Any) -> bool:
        """Whether `model` is a keras.Model (on the torch backend such a one is a torch module too)."""
        return any(c.__name__ == "Model" and is_keras(c.__module__) for c in type(model).__mro__)

    def open(self, source: Path | Any, *, input_shape: Shape | None = None) -> KerasModel | FileModel:
        """The model, built; `input_shape` (without batch) is needed where the model does not know it."""
        model = open_file(Path(source), input_shape, self._known) if isinstance(source, Path | str) else source
        if isinstance(model, FileModel):
            return model
        if not self.accepts(model):
            raise FrontendError(f"a {type(model).__name__} is not a Keras model", hint="pass a keras.Model or a file")
        if not has_graph(model):
            raise FrontendError(
                f"'{model.name}' is a subclassed model: what it computes is code, not layers that could be read",
                hint="build it as a keras.Sequential or with the functional API",
            )
        _build(model, input_shape)
        return KerasModel(_in_float32(model), _input_shapes(model, input_shape))

    def parse(self, model: KerasModel | FileModel) -> Graph:
        """The graph; each node carries the layer it comes from."""
        if isinstance(model, FileModel):
            return parse_net(model.net)
        return parse_net(trace(import_keras(), model.model, model.shapes))

    def limits(self, model: KerasModel | FileModel) -> tuple[Limits, ...]:
        """Which whole numbers inputs take whose type is one of integers or of truth values."""
        if isinstance(model, FileModel):
            return tuple((0, 1) if given.truths else None for given in model.net.inputs)
        return tuple(None if "float" in t.dtype else whole_numbers(np.dtype(t.dtype)) for t in model.model.inputs)

    def predict(self, model: KerasModel | FileModel, *x: Array) -> tuple[Array, ...]:
        """Keras' outputs at inference, computed in batches; NoReferenceError where Keras cannot run the model."""
        keras, inputs = import_keras(), model.model.inputs
        arrays = [np.asarray(a, dtype=t.dtype) for a, t in zip(x, inputs, strict=True)]
        # A model made with batch_shape takes that many samples and no others.
        fixed = next((t.shape[0] for t in inputs if t.shape[0] is not None), None)
        size, total = fixed or _BATCH, len(arrays[0])
        batches = []
        with _no_gradients(keras):
            for start in range(0, max(total, 1), size):
                rows = np.arange(start, min(start + size, total) if total else start)
                if fixed:
                    rows = np.resize(rows, fixed)
                try:
                    batches.append(_outputs(keras, model.model, [a[rows] for a in arrays]))
                except Exception as error:
                    if isinstance(model, KerasModel):
                        raise
                    # Keras built the layers of another age, and stumbles over a setting only when it runs them.
                    raise NoReferenceError(f"Keras cannot run '{model.net.name}': {brief(error)}") from error
        return tuple(np.concatenate(parts)[:total] for parts in zip(*batches, strict=True))


def _outputs(keras: Any, model: Any, arrays: Sequence[Array]) -> list[Array]:
    # Inputs may be named in a dict or nested; a Sequential has one.
    structure = getattr(model, "_inputs_struct", None)
    named = arrays[0] if structure is None else keras.tree.pack_sequence_as(structure, list(arrays))
    return [keras.ops.convert_to_numpy(y) for y in keras.tree.flatten(model(named, training=False))]


def _no_gradients(keras: Any) -> contextlib.AbstractContextManager[Any]:
    if keras.backend.backend() != "torch":
        return contextlib.nullcontext()
    import torch

    return torch.no_grad()


def _build(model: Any, input_shape: Shape | None) -> None:
    """Build a Sequential that has no input yet; afterwards its inputs and outputs are known."""
    if getattr(model, "inputs", None):
        return
    if input_shape is None:
        raise FrontendError(f"'{model.name}' is not built: its input shape is unknown", hint="give input_shape")
    try:
        model.build((None, *input_shape))
    except Exception as error:  # layers raise what they like for a shape that does not fit
        reason = str(error).strip().splitlines()[0]
        raise FrontendError(f"'{model.name}' cannot be built for the input shape {input_shape}: {reason}") from error
    if not getattr(model, "inputs", None):
        raise FrontendError(f"'{model.name}' has layers whose output shape Keras does not know")


def _input_shapes(model: Any, input_shape: Shape | None) -> tuple[Shape, ...]:
    """The shape of a sample of each input, unknown sizes taken from `input_shape`."""
    shapes = []
    for tensor in model.inputs:
        known = tuple(tensor.shape[1:])
        if None in known and (input_shape is None or len(model.inputs) > 1):
            raise FrontendError(
                f"the input '{tensor.name}' of '{model.name}' has unknown sizes: {known}", hint="give input_shape"
            )
        shape = known if input_shape is None or len(model.inputs) > 1 else tuple(input_shape)
        fits = len(shape) == len(known) and all(k in (None, w) for k, w in zip(known, shape, strict=True))
        if not fits:
            raise FrontendError(f"'{model.name}' takes samples of shape {known}, not {shape}")
        shapes.append(shape)
    return tuple(shapes)


def _in_float32(model: Any) -> Any:
    """The model, or a copy of it that computes in float32 where it would compute in half precision.

    A graph computes in full precision, and could not be compared with less.
    """
    half = ("float16", "bfloat16")
    if not any(getattr(layer, "compute_dtype", None) in half for layer in model._flatten_layers()):
        return model
    keras = import_keras()

    def full(layer: Any) -> Any:
        return type(layer).from_config({**layer.get_config(), "dtype": "float32"})

    copy = keras.models.clone_model(model, clone_function=full, recursive=True)
    copy.set_weights([keras.ops.convert_to_numpy(keras.ops.cast(w, "float32")) for w in model.weights])
    return copy
