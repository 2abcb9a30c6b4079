"""Tells which inputs a saved model has, and their shapes, from its config."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from snntoolbox.errors import FrontendError
from snntoolbox.ir.node import Shape

_MAX_BATCH = 2**16

Tensor = tuple[str, int, int]
"""A tensor in a functional config: the layer, which of its calls, which of the call's outputs."""


def name_of(entry: Mapping[str, Any]) -> str:
    """The name of a saved layer."""
    return str(entry.get("name") or entry["config"]["name"])


def tensors(value: Any) -> list[Tensor]:
    """The tensors in a config's list of inputs or outputs; dictionaries are ordered by their keys, as Keras does."""
    if isinstance(value, Mapping):
        return [t for key in sorted(value) for t in tensors(value[key])]
    if len(value) >= 3 and isinstance(value[0], str) and isinstance(value[1], int):
        return [(value[0], int(value[1]), int(value[2]))]
    return [t for v in value for t in tensors(v)]


def declared_inputs(model: Mapping[str, Any]) -> Iterator[tuple[str, list[Any] | None, bool, bool]]:
    """Each input's name, the shape with batch that is declared for it, whether it is the only one, or of truths."""
    config = model["config"]
    if model["class_name"] == "Sequential":
        first = config["layers"][0]
        named = name_of(first) if first["class_name"] == "InputLayer" else f"{name_of(first)}_input"
        yield named, _declared(model), True, False
        return
    layers = {name_of(entry): entry for entry in config["layers"]}
    inputs = tensors(config["input_layers"])
    for name, _, _ in inputs:
        yield name, _declared(layers[name]), len(inputs) == 1, layers[name]["config"].get("dtype") == "bool"


def _declared(entry: Mapping[str, Any]) -> list[Any] | None:
    """The shape, with batch, that a layer or model takes, as far as it says."""
    config = entry["config"]
    for key in ("batch_shape", "batch_input_shape"):
        if isinstance(config.get(key), list):
            return list(config[key])
    if entry["class_name"] == "Sequential" and config["layers"] and (shape := _declared(config["layers"][0])):
        return shape
    if entry["class_name"] == "Functional":
        layers = {name_of(layer): layer for layer in config["layers"]}
        return _declared(layers[tensors(config["input_layers"])[0][0]])
    if isinstance(config.get("build_input_shape"), list):
        return list(config["build_input_shape"])
    dim = config.get("input_dim")
    return [None, dim] if entry["class_name"] == "Dense" and isinstance(dim, int) else None


def known_shape(name: str, declared: list[Any] | None, input_shape: Shape | None) -> Shape:
    """The shape of a sample, unknown sizes taken from the caller's `input_shape`."""
    batch, *sizes = declared if declared is not None else (None, *(input_shape or (None,)))
    if isinstance(batch, int) and batch > _MAX_BATCH:
        raise FrontendError(f"the input '{name}' takes {batch} samples at once")
    if any(n is not None and not (isinstance(n, int) and 0 < n < 2**31) for n in sizes):
        raise FrontendError(f"the input '{name}' has the shape {tuple(sizes)}")
    if input_shape is None and None in sizes:
        raise FrontendError(f"the input '{name}' has unknown sizes: {tuple(sizes)}", hint="give input_shape")
    shape = tuple(sizes) if input_shape is None else tuple(input_shape)
    if len(shape) != len(sizes) or any(s not in (None, n) for s, n in zip(sizes, shape, strict=True)):
        raise FrontendError(f"the model takes samples of shape {tuple(sizes)}, not {shape}")
    return shape
