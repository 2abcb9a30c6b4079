"""Random small networks, drawn by Hypothesis, against Keras' own output."""

import keras
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keras import layers as L  # noqa: N812

from snntoolbox.frontends.keras import KerasFrontend

PADDING = st.sampled_from(["valid", "same"])
SIZE = st.integers(1, 4)


@st.composite
def spatial_layer(draw, layout):
    common = {"padding": draw(PADDING), "data_format": layout}
    size, stride = (draw(SIZE), draw(SIZE)), draw(st.integers(1, 3))
    axis = 1 if layout == "channels_first" else -1
    strided = {"strides": stride, **common}
    return draw(
        st.sampled_from(
            [
                lambda: L.Conv2D(4, size, activation="relu", **strided),
                lambda: L.Conv2D(4, size, dilation_rate=stride, **common),
                lambda: L.DepthwiseConv2D(size, depth_multiplier=2, **strided),
                lambda: L.SeparableConv2D(3, size, activation="relu6", **strided),
                lambda: L.AveragePooling2D(size, **strided),
                lambda: L.MaxPooling2D(size, **strided),
                lambda: L.BatchNormalization(axis=axis),
                lambda: L.ReLU(),
                lambda: L.Dropout(0.3),
                lambda: L.ZeroPadding2D(size, data_format=layout),
                lambda: L.UpSampling2D((1, stride), data_format=layout),
            ]
        )
    )


@st.composite
def architecture(draw):
    """Layout, input size, makers of layers, whether to flatten, and the last activation."""
    layout = draw(st.sampled_from(["channels_last", "channels_first"]))
    size = draw(st.integers(4, 9)), draw(st.integers(4, 9))
    layers = draw(st.lists(spatial_layer(layout), min_size=1, max_size=5))
    return layout, size, layers, draw(st.booleans()), draw(st.sampled_from([None, "softmax"]))


def build(layout, size, layers, flatten, activation):
    """The network; a layer whose window does not fit is left out."""
    last = layout == "channels_last"
    x = y = keras.Input((*size, 2) if last else (2, *size))
    for make in layers:
        layer = make()
        window = getattr(layer, "kernel_size", getattr(layer, "pool_size", (1, 1)))
        reach = [d * (k - 1) + 1 for k, d in zip(window, getattr(layer, "dilation_rate", (1, 1)), strict=True)]
        space = y.shape[1:3] if last else y.shape[2:4]
        if getattr(layer, "padding", "same") != "valid" or all(np.array(space) >= reach):
            y = layer(y)
    join = L.Flatten if flatten else L.GlobalAveragePooling2D
    return keras.Model(x, L.Dense(3, activation=activation)(join(data_format=layout)(y)))


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(architecture(), st.integers(0, 1000))
def test_random_network(drawn, seed):
    model = build(*drawn)
    rng = np.random.default_rng(seed)
    for w in model.weights:
        w.assign(rng.uniform(0.5, 1.5, w.shape) if "variance" in w.name else rng.normal(0, 0.3, w.shape))
    frontend = KerasFrontend()
    opened = frontend.open(model)
    x = rng.normal(size=(2, *opened.shapes[0])).astype("float32")
    (expected,) = frontend.predict(opened, x)
    assert np.abs(frontend.parse(opened).run(x.astype(np.float64)) - expected).max() <= 1e-5 * max(
        1e-2, np.abs(expected).max()
    )
