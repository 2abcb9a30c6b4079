"""Reads a live Keras model into plain data: its layers, their weights and uses, nested models inlined."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from snntoolbox.frontends.keras.legacy import ACTIVATIONS
from snntoolbox.frontends.keras.nested import told_apart
from snntoolbox.frontends.keras.records import Layer, Net, NetInput, Ref, Use
from snntoolbox.frontends.keras.runtime import QCFS, is_own, weight_name
from snntoolbox.ir.node import Array, Shape


def trace(keras: ModuleType, model: Any, shapes: Sequence[Shape]) -> Net:
    """The model as plain data; `shapes` are those of a sample of each input."""
    tracer = _Tracer(keras)
    given = [(t._keras_history.operation.name, s, t.dtype == "bool") for t, s in zip(model.inputs, shapes, strict=True)]
    inputs = tuple(NetInput(f"input:{i}", *one) for i, one in enumerate(given))
    outputs = tracer.walk(model, "", [i.key for i in inputs])
    return Net(
        name=model.name,
        inputs=inputs,
        uses=tuple(tracer.uses),
        outputs=tuple(outputs),
        backend=keras.backend.backend(),
        image_data_format=keras.config.image_data_format(),
    )


def is_keras(module: str) -> bool:
    """Whether a module is Keras' own."""
    return module.split(".")[0] == "keras"


def has_graph(model: Any) -> bool:
    """Whether an object is a Sequential or Functional model whose layers alone say what it computes."""
    kinds = {c.__name__ for c in type(model).__mro__ if is_keras(c.__module__)}
    return bool(kinds & {"Functional", "Sequential"}) and is_keras(type(model).call.__module__)


# Where a config holds that of another layer, and the attributes under which the layer has it.
_INSIDE = {"layer": ("forward_layer", "layer"), "backward_layer": ("backward_layer",), "cell": ("cell",)}


class _Tracer:
    """Collects the uses of layers in a model and in the models nested in it."""

    def __init__(self, keras: ModuleType) -> None:
        self.keras = keras
        self.uses: list[Use] = []
        self._layers: dict[tuple[int, str], Layer] = {}

    def walk(self, model: Any, scope: str, inputs: Sequence[str]) -> list[str]:
        """Trace a model whose inputs have the keys `inputs`; the keys of its outputs."""
        keys = {id(tensor): key for tensor, key in zip(model.inputs, inputs, strict=True)}
        for node in _ordered_nodes(model):
            operation = node.operation
            if has_graph(operation):
                sources = [keys[id(t)] for t in node.input_tensors]
                produced = self.walk(operation, f"{scope}{operation.name}/", sources)
            else:
                produced = self._use(node, scope, keys)
            keys.update((id(t), key) for t, key in zip(node.output_tensors, produced, strict=True))
        return [keys[id(t)] for t in model.outputs]

    def _use(self, node: Any, scope: str, keys: Mapping[int, str]) -> list[str]:
        outputs = [f"use:{len(self.uses)}:{i}" for i in range(len(node.output_tensors))]
        use = Use(
            layer=self._layer(node.operation, scope),
            args=self._plain(tuple(node.arguments.args), keys),
            kwargs=self._plain(dict(node.arguments.kwargs), keys),
            outputs=tuple(outputs),
            shapes=tuple(_sample_shape(t.shape) for t in node.output_tensors),
        )
        self.uses.append(use)
        return outputs

    def _plain(self, value: Any, keys: Mapping[int, str]) -> Any:
        """Arguments with references for tensors and arrays for constants of the backend."""
        if id(value) in keys:
            return Ref(keys[id(value)])
        if isinstance(value, Mapping):
            return {k: self._plain(v, keys) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return tuple(self._plain(v, keys) for v in value)
        if self.keras.ops.is_tensor(value) or isinstance(value, self.keras.Variable):
            return self._array(value)
        return value

    def _layer(self, operation: Any, scope: str) -> Layer:
        """The layer as plain data, the same one however often it is used."""
        name = f"{scope}{operation.name}"
        layer = self._layers.get((id(operation), name))
        if layer is None:
            own = is_keras(type(operation).__module__) or is_own(type(operation))
            weights = self._weights(operation) if own else {}
            layer = Layer(self._kind(operation), name, _config(operation) if own else None, weights)
            self._layers[id(operation), name] = layer
        return layer

    def _kind(self, operation: Any) -> str:
        cls = type(operation)
        if is_own(cls):
            return QCFS
        if not is_keras(cls.__module__):
            return f"{cls.__module__}.{cls.__name__}"
        return cls.__name__ if isinstance(operation, self.keras.Layer) else f"keras.ops.{cls.__name__}"

    def _weights(self, operation: Any) -> dict[str, Array]:
        weights = told_apart((weight_name(w), self._array(w)) for w in getattr(operation, "weights", ()))
        if getattr(operation, "lora_enabled", False):  # there the kernel is a sum that the attribute works out
            weights["kernel"] = self._array(operation.kernel)
        return weights

    def _array(self, value: Any) -> Array:
        array = np.array(self.keras.ops.convert_to_numpy(value))
        if array.dtype.kind == "c":  # refused when it is read: a conversion would drop the imaginary part
            return array
        return array if array.dtype in (np.float32, np.float64) else array.astype(np.float32)


def _ordered_nodes(model: Any) -> Iterator[Any]:
    """The calls that the model's outputs depend on, each behind those it reads."""
    done = {id(t) for t in model.inputs}
    todo = [(t, False) for t in reversed(model.outputs)]
    while todo:
        tensor, ready = todo.pop()
        if id(tensor) in done:
            continue
        operation, index, _ = tensor._keras_history
        node = operation._inbound_nodes[index]
        if ready:
            done.update(id(t) for t in node.output_tensors)
            yield node
        else:
            todo.append((tensor, True))
            todo.extend((t, False) for t in reversed(node.input_tensors))


def _sample_shape(shape: Sequence[int | None]) -> Shape | None:
    sizes = [n for n in shape[1:] if n is not None]
    return tuple(sizes) if len(sizes) == len(shape) - 1 else None


def _config(operation: Any) -> dict[str, Any] | None:
    """The layer's config, with an activation that is not Keras' own under its full name.

    Keras writes a user's function called 'relu' as 'relu'; nothing else tells them apart.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a lambda among the settings; it is refused later, by name
            config = dict(operation.get_config())
    except Exception:  # whatever a config method raises, the layer cannot be read
        return None
    for key, names in _INSIDE.items():
        held = next((layer for n in names if (layer := getattr(operation, n, None)) is not None), None)
        if isinstance(config.get(key), Mapping) and is_keras(type(held).__module__):
            config[key] = {**config[key], "config": _config(held)}
    if isinstance(config.get("cells"), list):
        held_cells = zip(config["cells"], operation.cells, strict=True)
        config["cells"] = [{**entry, "config": _config(cell)} for entry, cell in held_cells]
    for key in ACTIVATIONS:
        activation = getattr(operation, key, None)
        if key not in config or activation is None:
            continue
        described = activation if hasattr(activation, "__name__") else type(activation)
        if not is_keras(described.__module__ or ""):
            name = getattr(described, "__qualname__", described.__name__)
            config[key] = {"class_name": "function", "module": described.__module__, "config": name}
    return config
