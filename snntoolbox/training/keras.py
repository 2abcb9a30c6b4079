"""QCFS training in Keras, on any of its backends: the quantised rectifier, and its way into a trained model."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from snntoolbox.training.checks import checked_levels, checked_threshold


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
        counts = ops.clip(inputs / level + 0.5, 0.0, float(self.levels))
        # counts + (floor - counts) is floor exactly: the difference of numbers this near each other is not rounded.
        return level * (counts + ops.stop_gradient(ops.floor(counts) - counts))

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
    from snntoolbox.training.keras_replacing import replaced

    return replaced(model, levels, samples)
