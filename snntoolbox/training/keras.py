"""QCFS training in Keras, on any of its backends: the quantised rectifier, and its way into a trained model."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from snntoolbox.errors import ConversionError, Unsupported, UnsupportedError
from snntoolbox.training.checks import checked_levels, checked_samples, checked_threshold

log = logging.getLogger(__name__)

Values = NDArray[np.float32]

_FUNCTIONS: Mapping[Any, float | None] = {keras.activations.relu: None, keras.activations.relu6: 6.0}
"""The activations that are replaced, each with its upper bound."""

_APPLIED_LAST: tuple[Any, ...] = tuple(
    getattr(keras.layers, kind)
    for kind in (
        *("Dense", "EinsumDense", "Conv1D", "Conv2D", "Conv3D"),
        *("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"),
        *("DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D"),
    )
)
"""Layers whose `activation` is applied to what they give, so that it can stand behind them."""

_SAMPLES = 20_000
"""About how many values of a layer its threshold is chosen from."""


@keras.saving.register_keras_serializable(package="snntoolbox", name="QCFS")
class QCFS(keras.layers.Layer):  # type: ignore[misc, unused-ignore]
    """Quantisation clip-floor-shift: ``h(x) = threshold / L * clip(floor(x L / threshold + 1/2), 0, L)``.

    It computes what an integrate-and-fire neuron with this threshold fires in L steps from half a threshold on (Bu et
    al., arXiv 2303.04347, eq. 8). `levels` is L; `threshold` is where the trainable threshold starts, one for the
    layer or, with `per_channel`, one along the last axis. Gradients take floor for the identity: with
    y = x L / threshold + 1/2,

        dh/dx = 1 where 0 < y < L, else 0;    dh/dthreshold = (h - x) / threshold there, 0 below and 1 above.

    ConversionError where `levels` is no integer >= 1 or `threshold` not above 0 and finite.
    """

    def __init__(self, levels: int, threshold: float = 1.0, per_channel: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.levels = checked_levels(levels)
        self.initial = checked_threshold(threshold)
        self.per_channel = bool(per_channel)

    def build(self, input_shape: Any) -> None:
        """Make the threshold."""
        shape = (input_shape[-1],) if self.per_channel else ()
        start = keras.initializers.Constant(self.initial)
        self.threshold = self.add_weight(name="threshold", shape=shape, initializer=start)
        super().build(input_shape)

    def call(self, inputs: Any) -> Any:
        """The quantised activations, of the shape of the input."""
        level = self.threshold / self.levels
        counts = keras.ops.clip(inputs / level + 0.5, 0.0, float(self.levels))
        # counts + (floor - counts) is floor exactly: the difference of numbers this near each other is not rounded.
        return level * (counts + keras.ops.stop_gradient(keras.ops.floor(counts) - counts))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        own = {"levels": self.levels, "threshold": self.initial, "per_channel": self.per_channel}
        return {**super().get_config(), **own}


def replace_relu(model: Any, levels: int, *samples: Any) -> Any:
    """A copy of `model` with every rectifier replaced by `QCFS(levels)`, to be compiled and fine-tuned.

    Rectifiers are ``ReLU`` layers, ``Activation("relu")`` and ``activation="relu"`` of dense and convolutional layers
    (or relu6); the last become a layer of their own behind it, called ``NAME_qcfs``. `samples` are a batch of each
    input. Each threshold starts where the mean squared error of quantising the layer's activations on them is least.

    UnsupportedError lists rectifiers that cannot be replaced: within recurrent layers and wrappers, or called as a
    function (``keras.ops.relu``). ConversionError where the model has no layers to see (subclassed, or not built), or
    where `levels` is no integer >= 1; DataError where samples are missing, NaN or infinite. A model without rectifiers
    is copied, with a warning in the log.
    """
    # `operations` is what tells functional models from subclassed ones.
    if not (isinstance(model, keras.Sequential) or hasattr(model, "operations")) or not model.built:
        hint = "build it on an Input, from layers or as keras.Model(inputs, outputs)"
        raise ConversionError("replace_relu needs a functional or sequential model that is built", hint=hint)
    if len(samples) != len(model.inputs):
        raise ConversionError(f"{len(samples)} arrays of samples given, the model has {len(model.inputs)} inputs")
    levels = checked_levels(levels)
    arrays = [checked_samples(x, number) for number, x in enumerate(samples, 1)]
    if offenders := list(_offenders(model)):
        hint = "give it an activation that stands behind a layer, or a ReLU layer"
        raise UnsupportedError("replace_relu", offenders, hint=hint)
    seen: dict[str, list[Values]] = {}
    watched = _Copy(lambda path, name, bound: _Watch(bound, seen.setdefault(path, []), name=name)).whole(model)
    if not seen:
        log.warning("replace_relu: '%s' has no rectifier, nothing was replaced", model.name)
    for values in seen.values():
        values.clear()  # Keras may call a layer on values of its own, to find the shape that it gives
    watched(arrays if len(arrays) > 1 else arrays[0], training=False)
    return _Copy(lambda path, name, bound: QCFS(levels, _threshold(seen[path], bound, levels), name=name)).whole(model)


# -- thresholds -------------------------------------------------------------------------------------------------------


class _Watch(keras.layers.Layer):  # type: ignore[misc, unused-ignore]
    """A rectifier that notes what it gives."""

    def __init__(self, bound: float | None, seen: list[Values], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bound, self.seen = bound, _Kept(seen)

    def call(self, inputs: Any) -> Any:
        rectified = keras.ops.relu(inputs) if self.bound is None else keras.ops.clip(inputs, 0.0, self.bound)
        if not isinstance(rectified, keras.KerasTensor):
            flat = np.asarray(keras.ops.convert_to_numpy(keras.ops.stop_gradient(rectified)), np.float32).ravel()
            self.seen.values.append(flat[:: max(1, len(flat) // _SAMPLES)])
        return rectified


class _Kept:
    """A list that Keras does not take for the layer's state, of which it would make a copy."""

    def __init__(self, values: list[Values]) -> None:
        self.values = values


def _threshold(seen: Sequence[Values], bound: float | None, levels: int) -> float:
    """The threshold of least squared error among tenths to wholes of the maximum; 1 where nothing is positive."""
    values = np.concatenate([np.zeros(1, np.float32), *seen]).astype(np.float64)
    largest = float(values.max())
    if not largest > 0:
        return 1.0 if bound is None else bound
    candidates = largest * np.linspace(0.1, 1, 91)
    errors = []
    for threshold in candidates:
        level = threshold / levels
        errors.append(np.mean((level * np.clip(np.floor(values / level + 0.5), 0, levels) - values) ** 2))
    return float(candidates[int(np.argmin(errors))])


# -- rectifiers -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Rectifier:
    """What a layer does to its output, if it is that: ``min(max(x, 0), bound)``."""

    bound: float | None


def _rectifier(layer: Any) -> _Rectifier | None:
    """The rectifier that a layer is, or applies to what it gives; None where it has none."""
    if isinstance(layer, keras.layers.ReLU):
        plain = not layer.negative_slope and not layer.threshold
        return _Rectifier(None if layer.max_value is None else float(layer.max_value)) if plain else None
    if isinstance(layer, (keras.layers.Activation, *_APPLIED_LAST)):
        applied: Any = getattr(layer, "activation", None)
        for function, bound in _FUNCTIONS.items():
            if applied is function:
                return _Rectifier(bound)
        return _rectifier(applied) if isinstance(applied, keras.layers.Layer) else None
    return None


def _offenders(model: Any) -> Iterator[Unsupported]:
    """The rectifiers that cannot be replaced, as they stand within a layer or are called as functions."""
    for operation in getattr(model, "operations", model.layers):
        if isinstance(operation, keras.Model):
            yield from _offenders(operation)
        elif not isinstance(operation, keras.layers.Layer):
            if type(operation).__name__ in ("Relu", "Relu6", "ReLU", "ReLU6"):
                yield Unsupported(operation.name, f"calls {type(operation).__name__.lower()} as a function")
        elif _rectifier(operation) is None and _within(operation):
            yield Unsupported(f"{operation.name} ({type(operation).__name__})", "has a rectifier within it")


def _within(layer: Any) -> bool:
    """Whether a layer, or one in it, uses a rectifier as it computes what it gives."""
    inner = [layer, *layer._flatten_layers(include_self=False)]
    used = [getattr(part, name, None) for part in inner for name in ("activation", "recurrent_activation")]
    return any(u is f for u in used for f in _FUNCTIONS) or any(_rectifier(part) for part in inner)


# -- copies -----------------------------------------------------------------------------------------------------------

MakeLayer = Callable[[str, str, float | None], Any]


class _Copy:
    """A copy of a model with its weights, where `make_layer` gives the layer for each rectifier.

    It is called with a path that no other rectifier has, the new layer's name and the upper bound. A layer that is
    called several times is copied once, and so is its rectifier.
    """

    def __init__(self, make_layer: MakeLayer) -> None:
        self.make_layer = make_layer
        self.done: dict[int, list[Any]] = {}
        self.behind: dict[int, Any] = {}
        self.pairs: list[tuple[Any, Any]] = []
        self.path: list[str] = []

    def whole(self, model: Any) -> Any:
        """The copy, with the weights of the layers that it has in common with the model."""
        copied = self.model(model)
        for old, new in self.pairs:
            new.set_weights(old.get_weights())
        return copied

    def model(self, model: Any) -> Any:
        """The copy of a model or of one within it, without weights."""
        self.path.append(model.name)
        if isinstance(model, keras.Sequential):
            parts = [part for layer in model.layers for part in self.parts(layer)]
            inputs = [keras.Input(batch_shape=i.shape, dtype=i.dtype, name=i.name) for i in model.inputs]
            copied = keras.Sequential([*inputs, *parts], name=model.name, trainable=model.trainable)
        else:
            copied = keras.models.clone_model(model, clone_function=self.operation, call_function=self.call)
        self.path.pop()
        return copied

    def operation(self, operation: Any) -> Any:
        """The copy of a functional model's layer; its rectifier is put behind it when it is called."""
        parts = self.parts(operation)
        if len(parts) > 1:
            self.behind[id(parts[0])] = parts[1]
        return parts[0]

    def call(self, layer: Any, *args: Any, **kwargs: Any) -> Any:
        """A copied layer's output, behind its rectifier if it has one."""
        output, rectifier = layer(*args, **kwargs), self.behind.get(id(layer))
        return output if rectifier is None else rectifier(output)

    def parts(self, layer: Any) -> list[Any]:
        """The copy of a layer, and the rectifier behind it where the layer applies one to what it gives."""
        if id(layer) not in self.done:
            self.done[id(layer)] = [self.model(layer)] if isinstance(layer, keras.Model) else self._parts(layer)
        return self.done[id(layer)]

    def _parts(self, layer: Any) -> list[Any]:
        rectifier, path = _rectifier(layer), "/".join([*self.path, layer.name])
        if rectifier and not isinstance(layer, _APPLIED_LAST):
            return [self.make_layer(path, layer.name, rectifier.bound)]
        config = layer.get_config()
        copied = type(layer).from_config({**config, "activation": "linear"} if rectifier else config)
        if isinstance(layer, keras.layers.Layer):
            self.pairs.append((layer, copied))
        return [copied, self.make_layer(path, f"{layer.name}_qcfs", rectifier.bound)] if rectifier else [copied]
