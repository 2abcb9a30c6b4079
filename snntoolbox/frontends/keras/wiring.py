"""Follows the connections in a saved model's config: which layer reads what, as plain data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from snntoolbox.errors import FrontendError
from snntoolbox.frontends.keras.files import Saved
from snntoolbox.frontends.keras.inputs import Tensor, declared_inputs, known_shape, name_of, tensors
from snntoolbox.frontends.keras.legacy import kernels, operation_kind, translated
from snntoolbox.frontends.keras.nested import CELLS, numbered, parts, results
from snntoolbox.frontends.keras.records import Layer, Net, NetInput, Ref, Use, refs
from snntoolbox.frontends.keras.weights import MODELS, Weights, assigned
from snntoolbox.ir.node import Shape

# Models within models that call one another twice double the layers with every level.
_MOST_CALLS = 20_000


def read_net(saved: Saved, input_shape: Shape | None, backend: str, image_data_format: str) -> Net:
    """The model in a file as plain data; what a layer needs of its backend is that of `backend`, where Keras runs."""
    reader = _Reader(saved, assigned(saved))
    inputs = tuple(
        NetInput(f"input:{i}", name, known_shape(name, shape, input_shape if single else None), truths)
        for i, (name, shape, single, truths) in enumerate(declared_inputs(saved.config))
    )
    outputs = reader.walk(saved.config, "", [i.key for i in inputs])
    name = str(saved.config["config"].get("name") or saved.path.stem)
    return Net(name, inputs, tuple(reader.uses), tuple(outputs), backend, image_data_format)


class _Reader:
    """Collects the uses of layers in a model and in the models nested in it."""

    def __init__(self, saved: Saved, weights: Weights) -> None:
        self.saved = saved
        self.weights = weights
        self.uses: list[Use] = []
        self._layers: dict[str, Layer] = {}
        self._calls = 0

    def walk(self, model: Mapping[str, Any], scope: str, inputs: Sequence[str]) -> list[str]:
        """Follow a model whose inputs have the keys `inputs`; the keys of its outputs."""
        if model["class_name"] == "Sequential":
            (key,) = inputs
            for entry in model["config"]["layers"]:
                if entry["class_name"] != "InputLayer":
                    (key,) = self._use(entry, scope, (Ref(key),), {})
            return [key]
        layers = {name_of(entry): entry for entry in model["config"]["layers"]}
        keys: dict[Tensor, str] = dict(zip(tensors(model["config"]["input_layers"]), inputs, strict=True))
        for name, index in _ordered(layers, model["config"], set(keys)):
            args, kwargs = arguments(layers[name], layers[name]["inbound_nodes"][index], keys)
            produced = self._use(layers[name], scope, args, kwargs)
            keys.update({(name, index, i): key for i, key in enumerate(produced)})
        return [keys[t] for t in tensors(model["config"]["output_layers"])]

    def _use(self, entry: Mapping[str, Any], scope: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[str]:
        name = f"{scope}{name_of(entry)}"
        self._calls += 1
        if self._calls > _MOST_CALLS:
            raise FrontendError(f"its models call one another so often that it has more than {_MOST_CALLS:,} layers")
        if entry["class_name"] in MODELS:
            return self.walk(entry, f"{name}/", [r.key for r in refs((args, kwargs))])
        if name not in self._layers:
            self._layers[name] = self._layer(entry, name)
        layer = self._layers[name]
        count = results(layer.kind, layer.config or {}) + bool(kwargs.get("return_attention_scores"))
        outputs = [f"use:{len(self.uses)}:{i}" for i in range(count)]
        self.uses.append(Use(layer, args, kwargs, tuple(outputs), (None,) * len(outputs)))
        return outputs

    def _layer(self, entry: Mapping[str, Any], name: str) -> Layer:
        generation, backend = self.saved.generation, self.saved.backend
        kind = str(entry["class_name"])
        if "ops" in str(entry.get("module")).split("."):
            return Layer(f"keras.ops.{kind}", name, entry["config"])
        if kind == "TFOpLambda":
            function = entry["config"].get("function")
            known = operation_kind(function)
            reason = None if known else f"the operation '{function}' is not supported"
            return Layer(known or kind, name, entry["config"], refused=reason)
        kind, config, reason = translated(kind, entry["config"], generation, backend)
        if kind == "UpSampling2D" and config.get("interpolation") == "bilinear" and self._before_2_3():
            reason = "bilinear interpolation as Keras 2.2 had it, which was not between the centres of pixels"
        weights = self.weights.get(name, {})
        if reason is None:
            try:
                weights = dict(kernels(kind, config, weights, generation, backend))
                reason = _misfits(kind, config, weights)
            except ValueError as error:
                reason = str(error)
        return Layer(kind, name, config, weights, reason)

    def _before_2_3(self) -> bool:
        return (self.saved.version or "1").startswith(("1", "2.0", "2.1", "2.2"))


def _misfits(kind: str, config: Mapping[str, Any], weights: Mapping[str, Any]) -> str | None:
    """The same of a layer, or of the first of those in it that misfits."""
    for number, part in enumerate(parts(kind, config)):
        own = {name: weights[key] for name in _SHAPED if (key := numbered(name, number)) in weights}
        if reason := _misfit(part.kind, part.config, own):
            return reason
    return None


_SHAPED = ("kernel", "depthwise_kernel", "pointwise_kernel")


def _misfit(kind: str, config: Mapping[str, Any], weights: Mapping[str, Any]) -> str | None:
    """Why stored weights are not those that a config declares; None where they are.

    Keras allocates by the config: what it claims must be what the file holds.
    """
    kernel = weights.get("depthwise_kernel", weights.get("kernel"))
    if kernel is None or kind == "EinsumDense":  # there the equation tells, with the data
        return None
    flat, gates = kind == "Dense" or kind in CELLS, CELLS.get(kind, 1)
    out = "units" if flat else "filters"
    axis = -2 if kind.endswith("Transpose") else -1
    last = weights.get("pointwise_kernel", kernel)
    declared = config.get("depth_multiplier", 1) if kind.startswith("Depthwise") else config.get(out)
    size = config.get("kernel_size")
    sizes = () if flat else (size,) * (kernel.ndim - 2) if isinstance(size, int) else tuple(size or ())
    if len(sizes) == 1:
        sizes *= max(kernel.ndim - 2, 1)
    first = config.get("depth_multiplier", 1) if kind.startswith("Separable") else kernel.shape[-1]
    if last.shape[axis] / gates == declared and kernel.shape[:-2] == sizes and kernel.shape[-1] == first:
        return None
    return f"its kernel {kernel.shape} is not what the architecture says ({out} = {declared}, size {sizes})"


# -- connections ----------------------------------------------------------------------------------------------------


def _ordered(layers: Mapping[str, Any], config: Mapping[str, Any], known: set[Tensor]) -> Iterator[tuple[str, int]]:
    """The calls that the outputs depend on, each behind those it reads."""
    done = {(name, index) for name, index, _ in known}
    todo = [((name, index), False) for name, index, _ in reversed(tensors(config["output_layers"]))]
    open_: set[tuple[str, int]] = set()
    while todo:
        call, ready = todo.pop()
        if call in done:
            continue
        if ready:
            done.add(call)
            yield call
            continue
        if call in open_:
            raise FrontendError(f"layer '{call[0]}' reads its own output")
        open_.add(call)
        node = layers[call[0]]["inbound_nodes"][call[1]]
        todo.append((call, True))
        todo.extend(((name, index), False) for name, index, _ in reversed(_read_by(layers[call[0]], node)))


def _read_by(entry: Mapping[str, Any], node: Any) -> list[Tensor]:
    """The tensors that a call reads, in order."""
    read: list[Tensor] = []
    arguments(entry, node, _Collecting(read))
    return read


class _Collecting(dict[Tensor, str]):
    """A table of keys that has every tensor and notes which were asked for."""

    def __init__(self, read: list[Tensor]) -> None:
        super().__init__()
        self.read = read

    def __missing__(self, tensor: Tensor) -> str:
        self.read.append(tensor)
        return ""


def arguments(
    entry: Mapping[str, Any], node: Any, keys: Mapping[Tensor, str]
) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """What a layer is called with, `Ref` for each tensor, from a node of Keras 3 or of its older formats."""
    if isinstance(node, Mapping) and "args" in node:
        return tuple(_plain(v, keys) for v in node["args"]), {k: _plain(v, keys) for k, v in node["kwargs"].items()}
    if isinstance(node, Mapping):
        raise FrontendError(f"layer '{name_of(entry)}' takes its inputs by name, which is not supported")
    single = isinstance(node[0], str)
    items = [node] if single else list(node)
    kwargs = dict(items[-1][3]) if len(items[-1]) > 3 else {}
    values = tuple(_old(item, keys) for item in items)
    if entry["class_name"] == "TFOpLambda":
        rest = [kwargs.pop(k) for k in ("y", "b") if k in kwargs]
        left = {k: v for k, v in kwargs.items() if k != "name" and v is not None}
        return (*values, *(_old(v, keys) for v in rest)), left
    return (values if len(values) == 1 else (values,)), kwargs


def _old(item: Any, keys: Mapping[Tensor, str]) -> Any:
    """A tensor ``[layer, call, output, ...]`` or a constant of a node before Keras 3."""
    if not isinstance(item, list) or not item or not isinstance(item[0], str):
        return item
    if item[0] == "_CONSTANT_VALUE":
        return item[2]
    return Ref(keys[item[0], int(item[1]), int(item[2])])


def _plain(value: Any, keys: Mapping[Tensor, str]) -> Any:
    """An argument of a node of Keras 3."""
    if isinstance(value, list | tuple):
        return tuple(_plain(v, keys) for v in value)
    if not isinstance(value, Mapping):
        return value
    kind, config = value.get("class_name"), value.get("config")
    if kind == "__keras_tensor__" and isinstance(config, Mapping):
        name, index, output = config["keras_history"]
        return Ref(keys[str(name), int(index), int(output)])
    if kind in ("__numpy__", "__tensor__") and isinstance(config, Mapping):
        return np.asarray(config["value"], dtype=np.float64)
    if kind == "__slice__" and isinstance(config, Mapping):
        return slice(config.get("start"), config.get("stop"), config.get("step"))
    return {k: _plain(v, keys) for k, v in value.items()}
