"""Puts the layers of Keras 1 and 2 in the words of Keras 3, where they mean the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from snntoolbox.frontends.keras.nested import INSIDE, inner
from snntoolbox.frontends.keras.runtime import with_own_kind
from snntoolbox.ir.node import Array

Config = dict[str, Any]

OLD_HARD_SIGMOID = "hard_sigmoid of Keras 2"
"""Before Keras 3 hard_sigmoid was clip(0.2 x + 0.5, 0, 1), since then it is clip(x / 6 + 0.5, 0, 1)."""

ACTIVATIONS = ("activation", "recurrent_activation")
"""Where a config names a function."""

_KINDS = {
    "Model": "Functional",
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "SyncBatchNormalization": "BatchNormalization",
}
_KINDS_1 = {
    **{f"Convolution{n}D": f"Conv{n}D" for n in (1, 2, 3)},
    "AtrousConvolution1D": "Conv1D",
    "AtrousConvolution2D": "Conv2D",
    "SeparableConvolution2D": "SeparableConv2D",
}
_MERGE_MODES = {
    "sum": "Add",
    "concat": "Concatenate",
    "ave": "Average",
    "max": "Maximum",
    "mul": "Multiply",
    "dot": "Dot",
}
_KEYS_1 = {
    "nb_filter": "filters",
    "output_dim": "units",
    "subsample": "strides",
    "subsample_length": "strides",
    "stride": "strides",
    "border_mode": "padding",
    "bias": "use_bias",
    "p": "rate",
    "pool_length": "pool_size",
    "length": "size",
    "filter_length": "kernel_size",
    "atrous_rate": "dilation_rate",
}
_SPATIAL_1 = (
    "Conv2D",
    "Conv3D",
    "SeparableConv2D",
    "MaxPooling2D",
    "MaxPooling3D",
    "AveragePooling2D",
    "AveragePooling3D",
)

# Operations of TensorFlow that tf.keras puts into a model for x + y and the like.
OPERATIONS = {
    **{f"{module}.{name}": name for module in ("math", "__operators__") for name in ("add", "subtract", "multiply")},
    **{"__operators__.sub": "subtract", "__operators__.mul": "multiply"},
    **{"math.truediv": "true_divide", "__operators__.truediv": "true_divide", "math.divide": "true_divide"},
    **{"nn.relu": "relu", "nn.relu6": "relu6", "math.maximum": "maximum", "math.minimum": "minimum", "math.abs": "abs"},
}
_OPERATION_KINDS = {"true_divide": "TrueDivide"}


def modern(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A saved model with all models in it as ``{'class_name', 'config': {'name', 'layers', ...}}``.

    Sequential models were a mere list of layers at first, and functional ones were called 'Model'.
    """
    entry = with_own_kind(dict(entry))
    kind = entry.get("class_name")
    entry["class_name"] = _KINDS.get(str(kind), kind)
    config = entry.get("config")
    if kind == "Sequential" and isinstance(config, list):
        config = {"name": str(entry.get("name", "sequential")), "layers": config}
    if isinstance(config, dict) and isinstance(config.get("layers"), list):
        layers = [modern(layer) if isinstance(layer, Mapping) else layer for layer in config["layers"]]
        config = {**config, "layers": layers}
    entry["config"] = config
    return entry


def translated(kind: str, config: Config, generation: int, backend: str | None) -> tuple[str, Config, str | None]:
    """A layer's kind and config in the words of Keras 3, and why it cannot be had in them (None where it can)."""
    reason = None
    if generation == 1:
        kind, config, reason = _from_keras_1(kind, dict(config))
    if generation < 3:
        config = _from_keras_2(kind, dict(config))
    if generation < 3 and backend == "theano" and reason is None:
        reason = _theano_differs(kind, config)
    return kind, config, reason


def _from_keras_2(kind: str, config: Config) -> Config:
    for key in ACTIVATIONS:
        if config.get(key) == "hard_sigmoid":
            config[key] = OLD_HARD_SIGMOID
    if kind in ("GRU", "GRUCell"):
        config.setdefault("reset_after", False)
    config.update({k: _inner_from_keras_2(config[k]) for k in INSIDE if isinstance(config.get(k), Mapping)})
    if isinstance(config.get("cells"), list):
        config["cells"] = [_inner_from_keras_2(cell) for cell in config["cells"]]
    if kind.startswith("DepthwiseConv"):  # written by some versions, with no meaning
        config.pop("groups", None)
    if kind == "LeakyReLU" and "alpha" in config:
        alpha = config.pop("alpha")
        config["negative_slope"] = alpha["value"] if isinstance(alpha, Mapping) else alpha
    axis = config.get("axis")
    if kind == "BatchNormalization" and isinstance(axis, list) and len(axis) == 1:
        config["axis"] = axis[0]
    return config


def _inner_from_keras_2(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    kind, config = inner(entry)
    return {**entry, "config": _from_keras_2(kind, dict(config))}


def _from_keras_1(kind: str, config: Config) -> tuple[str, Config, str | None]:
    if kind == "Merge":
        return _merge(config)
    if kind in ("LSTM", "GRU"):
        return kind, config, "its weights are those of Keras 1, apart for each gate: save it again with Keras 2"
    kind = _KINDS_1.get(kind, kind)
    config = {_KEYS_1.get(key, key): value for key, value in config.items()}
    if "dim_ordering" in config:
        config["data_format"] = "channels_first" if config["dim_ordering"] == "th" else "channels_last"
    elif kind in _SPATIAL_1:
        return kind, config, "does not say where its channels are (dim_ordering)"
    sizes = [config[k] for k in ("nb_row", "nb_col") if k in config]
    sizes = sizes or [config[k] for k in ("kernel_dim1", "kernel_dim2", "kernel_dim3") if k in config]
    if sizes:
        config["kernel_size"] = sizes
    if kind == "BatchNormalization" and config.get("mode", 0) != 0:
        return kind, config, f"mode = {config['mode']}, which normalises with the statistics of the batch itself"
    padding = config.get("padding")
    if kind == "ZeroPadding2D" and isinstance(padding, list) and len(padding) == 4:
        config["padding"] = [padding[:2], padding[2:]]
    if kind == "Reshape" and "target_shape" not in config and "dims" in config:
        config["target_shape"] = config["dims"]
    return kind, config, None


def _merge(config: Config) -> tuple[str, Config, str | None]:
    mode = config.get("mode")
    kind = _MERGE_MODES.get(mode) if isinstance(mode, str) and config.get("mode_type", "raw") == "raw" else None
    if kind is None:
        return "Merge", config, f"mode '{mode}'"
    return kind, {"name": config.get("name"), "axis": config.get("concat_axis", -1)}, None


def _theano_differs(kind: str, config: Config) -> str | None:
    """Theano pads otherwise than TensorFlow unless the stride is one and the window odd."""
    window, stride = config.get("kernel_size", config.get("pool_size")), config.get("strides", 1)
    if config.get("padding") != "same" or window is None:
        return None
    windows = list(window) if isinstance(window, Sequence) else [window]
    strides = list(stride) if isinstance(stride, Sequence) else [stride or 2]
    if "Pooling" in kind or any(s != 1 for s in strides) or any(w % 2 == 0 for w in windows):
        return "padding 'same' as Theano does it (only with odd windows and strides of 1 is it that of Keras today)"
    return None


# -- kernels --------------------------------------------------------------------------------------------------------


def kernels(
    kind: str, config: Config, weights: Mapping[str, Array], generation: int, backend: str | None
) -> Mapping[str, Array]:
    """A layer's weights with its kernel as Keras 3 keeps it; ValueError where it is unknown how it was meant."""
    kernel = weights.get("kernel")
    if generation == 3 or kernel is None or not kind.startswith("Conv"):
        return weights
    th = config.get("data_format") == "channels_first"
    if generation == 1:
        kernel, th = _LAYOUTS_1.get(kind, _conv_1)(kernel, config)
    space = tuple(range(kernel.ndim - 2))
    turned = np.flip(kernel, axis=space)
    if backend == "theano":
        kernel = turned
    elif backend is None and th and not np.array_equal(kernel, turned):
        raise ValueError(
            "the file does not say whether Keras ran on Theano, which turns kernels round, or on TensorFlow "
            "(set its attribute 'backend' to 'theano' or 'tensorflow')"
        )
    return {**weights, "kernel": kernel}


def _conv1d_1(kernel: Array, config: Config) -> tuple[Array, bool]:
    """Keras 1 kept (size, 1, in, out), with channels first (out, in, size, 1)."""
    if kernel.ndim != 4:
        return kernel, False
    th = kernel.shape[1] != 1 or kernel.shape[3] != config.get("filters")
    return (kernel.transpose(2, 3, 1, 0) if th else kernel)[:, 0], th


def _conv_1(kernel: Array, config: Config) -> tuple[Array, bool]:
    """Keras 1 kept (out, in, *size) with channels first, else as today."""
    th = config.get("data_format") == "channels_first"
    return (np.moveaxis(kernel, (1, 0), (-2, -1)) if th else kernel), th


_LAYOUTS_1: Mapping[str, Callable[[Array, Config], tuple[Array, bool]]] = {
    "Conv1D": _conv1d_1,
}


def operation_kind(function: Any) -> str | None:
    """The kind of a TensorFlow function that tf.keras wrapped as a layer; None where it is unknown."""
    name = OPERATIONS.get(str(function).removeprefix("tf."))
    return None if name is None else f"keras.ops.{_OPERATION_KINDS.get(name, name.capitalize())}"
