"""Architectures that a converter can get wrong without a word: each keeps its outputs, or is refused by name.

In the SNN Toolbox 0.6.0 each of these lost accuracy at parsing or spiked as something else, with no error.
"""


import numpy as np
import pytest

from snntoolbox.backends.simulate import simulate
from snntoolbox.conversion.load import load
from snntoolbox.conversion.stages import convert
from snntoolbox.errors import UnsupportedError

keras = pytest.importorskip("keras")
layers = keras.layers

RNG = np.random.default_rng(11)
SHAPE = (8, 8, 3)


def conv(x, filters, **settings):
    return layers.Conv2D(filters, 3, padding="same", **settings)(x)


def rectified(x, **settings):
    return layers.ReLU(**settings)(x)


def residual(x):
    x = rectified(layers.BatchNormalization()(conv(x, 6)))
    for _ in range(2):
        inner = rectified(layers.BatchNormalization()(conv(x, 6)))
        x = rectified(layers.Add()([x, layers.BatchNormalization()(conv(inner, 6))]))
    return x


def inverted_residual(x):
    """Linear bottlenecks with ReLU6, as in MobileNetV2."""
    x = conv(x, 4)
    for _ in range(2):
        wide = rectified(layers.BatchNormalization()(layers.Conv2D(12, 1)(x)), max_value=6)
        wide = rectified(layers.DepthwiseConv2D(3, padding="same")(wide), max_value=6)
        x = layers.Add()([x, layers.BatchNormalization()(layers.Conv2D(4, 1)(wide))])
    return x


def normalised_behind_the_rectifier(x):
    for _ in range(4):
        x = layers.BatchNormalization()(conv(x, 6, activation="relu"))
    return x


def normalised_behind_the_pool(x):
    return rectified(layers.BatchNormalization()(layers.MaxPooling2D()(conv(x, 6))))


def shared(x):
    layer = layers.Conv2D(3, 3, padding="same", activation="relu")
    return layers.Concatenate()([layer(x), layer(layer(x))])


def joined_with_the_input(x):
    return layers.Concatenate()([x, conv(x, 5, activation="relu")])


def normalised_input_and_joins(x):
    """DenseNet: normalisation in front of the rectifier, behind a concatenation."""
    x = layers.BatchNormalization()(x)
    for _ in range(3):
        x = layers.Concatenate()([x, conv(rectified(layers.BatchNormalization()(x)), 4)])
    return x


def capped(x):
    return rectified(conv(x, 6), max_value=0.5)


def three_branches(x):
    return rectified(layers.Add()([conv(x, 4), conv(x, 4), conv(x, 4)]))


BODIES = [
    *(residual, inverted_residual, normalised_behind_the_rectifier, normalised_behind_the_pool, shared),
    *(joined_with_the_input, normalised_input_and_joins, capped, three_branches),
]


def model(body):
    """A classifier with that body, random weights and random statistics."""
    x = keras.Input(SHAPE)
    y = layers.GlobalAveragePooling2D()(body(x))
    net = keras.Model(x, layers.Activation("softmax")(layers.Dense(4)(y)))
    for layer in net.layers:
        if isinstance(layer, layers.BatchNormalization):
            sizes = [w.shape for w in layer.get_weights()]
            gamma, beta, mean = (
                RNG.normal(1, 0.3, sizes[0]),
                RNG.normal(0, 0.3, sizes[1]),
                RNG.normal(0, 0.3, sizes[2]),
            )
            layer.set_weights([gamma, beta, mean, RNG.uniform(0.5, 1.5, sizes[3])])
    return net


@pytest.mark.parametrize("body", BODIES, ids=lambda f: f.__name__)
def test_outputs_are_kept_and_rates_approach_them(body):
    net = model(body)
    x = RNG.random((60, *SHAPE), np.float32)
    graph = load(net)  # compares with Keras to 1e-5 of the output's scale
    expected = keras.ops.convert_to_numpy(net(x))
    np.testing.assert_allclose(graph.run(x.astype(np.float64)), expected, atol=1e-5)
    logits = np.log(expected)
    found = simulate(convert(graph, x, percentile=100), x, duration=512).output
    centred = [values - values.mean(axis=1, keepdims=True) for values in (found, logits)]
    assert np.abs(centred[0] - centred[1]).max() < 0.1 * np.abs(centred[1]).max() + 0.05


def test_new_weights_are_never_given_old_thresholds():
    """Nothing is cached: the same code with other weights calibrates anew."""
    x = RNG.random((40, *SHAPE), np.float32)
    net = model(capped)
    first = convert(load(net), x)
    net.set_weights([3 * w for w in net.get_weights()])
    second = convert(load(net), x)
    scales = [max(float(p.scale.max()) for p in n.populations.values()) for n in (first, second)]
    assert scales[0] != scales[1]


@pytest.mark.parametrize("function", ["sigmoid", "tanh", "elu"])
def test_smooth_activations_do_not_spike_as_rectifiers(function):
    net = model(lambda x: conv(x, 4, activation=function))
    with pytest.raises(UnsupportedError, match=rf"conv2d.*{function}"):
        convert(load(net), RNG.random((10, *SHAPE), np.float32))
