"""A Keras model as plain data: layers with config and weights, and the uses that join them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from snntoolbox.ir.node import Array, Shape


@dataclass(frozen=True)
class Ref:
    """A tensor among the arguments of a layer, by its key."""

    key: str


@dataclass(frozen=True)
class Layer:
    """One layer or operation.

    `kind` is the class name; ``keras.ops.NAME`` for an operation and ``module.NAME`` for a class that is not Keras'
    own. `name` is the layer's name with those of the models it is nested in ('encoder/conv1'). `config` is what
    Keras' ``get_config`` returns, None where it cannot be had. `weights` go by their short name ('kernel').
    `refused` is why whoever read the layer knows that it cannot be taken, None where nothing speaks against it.
    """

    kind: str
    name: str
    config: Mapping[str, Any] | None
    weights: Mapping[str, Array] = field(default_factory=dict)
    refused: str | None = None


def is_quantised(config: Mapping[str, Any]) -> bool:
    """Whether a layer rounds what it reads, to integers or floats of 8 bits: its policy names a mode.

    One whose weights alone are rounded does not (`has_integer_weights`).
    """
    return quantised_mode(config) is not None and not has_integer_weights(config)


def has_integer_weights(config: Mapping[str, Any]) -> bool:
    """Whether a layer has int8 weights and reads floats: it computes with kernel / kernel_scale."""
    chosen = config.get("quantization_config")
    inner = chosen.get("config") if isinstance(chosen, Mapping) else None
    free = isinstance(inner, Mapping) and inner.get("activation_quantizer", 0) is None
    return free and quantised_mode(config) == "int8" and not config.get("lora_rank")


def quantised_mode(config: Mapping[str, Any]) -> str | None:
    """How a layer is quantised, in words or by the parts of its policy; None where it is not."""
    policy = config.get("dtype")
    if isinstance(policy, Mapping):
        inner = policy.get("config")
        return str(inner["mode"]) if isinstance(inner, Mapping) and "mode" in inner else None
    return str(policy).partition("_from_")[0] if "_from_" in str(policy) or "Quantized" in str(policy) else None


@dataclass(frozen=True)
class Use:
    """One use of a layer: arguments with `Ref` for each tensor, and the keys and sample shapes of its outputs.

    A shape is None where Keras does not know all of it.
    """

    layer: Layer
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    outputs: tuple[str, ...]
    shapes: tuple[Shape | None, ...]


@dataclass(frozen=True)
class NetInput:
    """An input of the model: its tensor's key, the layer's name, the shape of a sample; whether of truth values."""

    key: str
    name: str
    shape: Shape
    truths: bool = False


@dataclass(frozen=True)
class Net:
    """A whole model, nested models inlined, uses in an order in which each follows what it reads.

    `backend` and `image_data_format` are Keras' settings, on which the meaning of a few layers depends.
    """

    name: str
    inputs: tuple[NetInput, ...]
    uses: tuple[Use, ...]
    outputs: tuple[str, ...]
    backend: str = "tensorflow"
    image_data_format: str = "channels_last"


def leaves(argument: Any, kind: Any) -> list[Any]:
    """What of this class, or of one of these, lies within an argument, in order."""
    if isinstance(argument, kind):
        return [argument]
    if isinstance(argument, Mapping):
        argument = argument.values()
    elif not isinstance(argument, list | tuple):
        return []
    return [leaf for part in argument for leaf in leaves(part, kind)]


def refs(argument: Any) -> list[Ref]:
    """The tensors within an argument, in order."""
    return leaves(argument, Ref)
