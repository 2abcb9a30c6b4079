"""Each layer by Lasagne's definition: the graph, the second reading by torch, and formulas of the test agree."""

import numpy as np
import pytest
from lasagne_files import random
from scipy.signal import convolve2d

from snntoolbox.errors import UnsupportedError
from snntoolbox.frontends.lasagne.handlers import HANDLERS
from snntoolbox.frontends.lasagne.predicting import COMPUTED


def convolved(x, weight, mode="valid", flip=True):
    """Sums of true convolutions over the channels (or correlations), as scipy has them."""
    turned = weight if flip else weight[:, :, ::-1, ::-1]
    return np.stack([sum(convolve2d(c, k, mode) for c, k in zip(x, f, strict=True)) for f in turned])


CONVOLUTIONS = {
    "Conv2DLayer(net, 3, 3, nonlinearity=None)": ("valid", True, 1),
    "Conv2DLayer(net, 3, (3, 3), pad='same', nonlinearity=None)": ("same", True, 1),
    "Conv2DLayer(net, num_filters=3, filter_size=3, pad='full', nonlinearity=None)": ("full", True, 1),
    "Conv2DLayer(net, 3, 3, pad='valid', flip_filters=False, nonlinearity=None)": ("valid", False, 1),
    "Conv2DLayer(net, 3, 3, stride=2, pad=1, nonlinearity=None)": ("same", True, 2),
    "lasagne.layers.dnn.Conv2DDNNLayer(net, 3, 3, nonlinearity=None)": ("valid", False, 1),
}


@pytest.mark.parametrize("line", CONVOLUTIONS)
def test_filters_are_flipped_unless_told_otherwise(line, made):
    mode, flip, step = CONVOLUTIONS[line]
    weight, bias = random(3, 2, 3, 3), random(3)
    _, [x], [y] = made(f"net = {line}", [weight, bias])
    wanted = [convolved(s, weight, mode, flip)[:, ::step, ::step] + bias[:, None, None] for s in x]
    assert np.allclose(y, wanted, atol=1e-5)


def test_groups_untied_biases_and_dilation(made):
    weight, bias = random(4, 1, 3, 3), random(4, 4, 4)
    body = "net = Conv2DLayer(net, 4, 3, num_groups=2, untie_biases=True, nonlinearity=None)"
    _, [x], [y] = made(body, [weight, bias])
    wanted = [np.concatenate([convolved(s[[i]], weight[2 * i : 2 * i + 2]) for i in (0, 1)]) + bias for s in x]
    assert np.allclose(y, wanted, atol=1e-5)
    weight = random(2, 3, 2, 2)
    _, [x], [y] = made("net = DilatedConv2DLayer(net, 3, 2, dilation=2, b=None, nonlinearity=None)", [weight])
    spread = np.zeros((3, 2, 3, 3))
    spread[:, :, ::2, ::2] = weight.transpose(1, 0, 2, 3)
    assert np.allclose(y, [convolved(s, spread, flip=False) for s in x], atol=1e-5)


def test_over_one_axis(made):
    weight = random(3, 2, 3)
    _, [x], [y] = made("net = Conv1DLayer(net, 3, 3, b=None, nonlinearity=None)", [weight], shape=(None, 2, 7))
    wanted = [[sum(np.convolve(c, k, "valid") for c, k in zip(s, f, strict=True)) for f in weight] for s in x]
    assert np.allclose(y, wanted, atol=1e-5)


@pytest.mark.parametrize(("leading", "shape"), [(1, (72, 4)), (2, (36, 4)), (-1, (6, 4))])
def test_dense(leading, shape, made):
    weight, bias = random(*shape), random(4)
    _, [x], [y] = made(f"net = DenseLayer(net, 4, num_leading_axes={leading})", [weight, bias])
    rows = x.reshape(*x.shape[: leading % 4], -1)
    assert np.allclose(y, np.maximum(rows @ weight + bias, 0), atol=1e-5)


def test_network_in_network(made):
    weight, bias = random(2, 4), random(4)
    _, [x], [y] = made("net = NINLayer(net, 4, nonlinearity=None)", [weight, bias])
    assert np.allclose(y, np.einsum("nchw,cu->nuhw", x, weight) + bias[:, None, None], atol=1e-5)


def along(values):
    return values[:, None, None]


def test_batch_norm_has_inverse_deviations(made):
    weight, beta, gamma, mean = random(3, 2, 3, 3), random(3), random(3, seed=1), random(3, seed=2)
    inverse = 1 + np.abs(random(3, seed=3))
    body = "net = batch_norm(Conv2DLayer(net, 3, 3, nonlinearity=lasagne.nonlinearities.rectify))"
    _, [x], [y] = made(body, [weight, beta, gamma, mean, inverse])
    inner = np.stack([convolved(s, weight) for s in x])
    wanted = (inner - along(mean)) * along(inverse) * along(gamma) + along(beta)
    assert np.allclose(y, np.maximum(wanted, 0), atol=1e-5)
    _, [x], [y] = made(
        "net = BatchNormLayer(net, gamma=None, beta=None, axes=(0, 1, 2))", [random(6), 1 + random(6) ** 2]
    )
    assert np.allclose(y, (x - random(6)) * (1 + random(6) ** 2), atol=1e-5)


POOLS = {
    "MaxPool2DLayer(net, 2)": ((2, 2), (2, 2), 0, "max"),
    "MaxPool2DLayer(net, (3, 2), stride=1)": ((3, 2), (1, 1), 0, "max"),
    "MaxPool2DLayer(net, 4, stride=3, ignore_border=False)": ((4, 4), (3, 3), 0, "max"),
    "Pool2DLayer(net, 4, stride=4, mode='average_exc_pad', ignore_border=False)": (
        (4, 4),
        (4, 4),
        0,
        "average_exc_pad",
    ),
    "Pool2DLayer(net, 3, stride=2, pad=1, mode='average_inc_pad')": ((3, 3), (2, 2), 1, "average_inc_pad"),
    "Pool2DLayer(net, 3, stride=2, pad=1, mode='average_exc_pad')": ((3, 3), (2, 2), 1, "average_exc_pad"),
    "lasagne.layers.dnn.MaxPool2DDNNLayer(net, 3, stride=2, pad=1)": ((3, 3), (2, 2), 1, "max"),
}


@pytest.mark.parametrize("line", POOLS)
def test_pooling(line, made):
    kernel, stride, pad, mode = POOLS[line]
    _, [x], [y] = made(f"net = {line}")
    fill = -np.inf if mode == "max" else 0
    wide = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)), constant_values=fill)
    inside = np.pad(np.ones(x.shape), ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    for i, j in np.ndindex(*y.shape[2:]):
        place = np.s_[:, :, i * stride[0] : i * stride[0] + kernel[0], j * stride[1] : j * stride[1] + kernel[1]]
        part, real = wide[place], inside[place].sum((2, 3))
        size = kernel[0] * kernel[1] if mode == "average_inc_pad" else real
        assert np.allclose(y[:, :, i, j], part.max((2, 3)) if mode == "max" else part.sum((2, 3)) / size, atol=1e-6)
    if "ignore_border=False" in line:
        assert y.shape[2:] == (2, 2)


def sliding(x):
    return np.lib.stride_tricks.sliding_window_view(x, (3, 3), (2, 3))


LAYERS = {
    "GlobalPoolLayer(net)": lambda x: x.mean((2, 3)),
    "GlobalPoolLayer(net, pool_function=T.max)": lambda x: x.max((2, 3)),
    "FeaturePoolLayer(net, 2)": lambda x: x.max(1, keepdims=True),
    "Upscale2DLayer(net, (2, 3))": lambda x: x.repeat(2, 2).repeat(3, 3),
    "FlattenLayer(net)": lambda x: x.reshape(3, -1),
    "FlattenLayer(net, outdim=3)": lambda x: x.reshape(3, 2, 36),
    "ReshapeLayer(net, ([0], 4, -1))": lambda x: x.reshape(3, 4, 18),
    "ReshapeLayer(net, (-1, 12, 6))": lambda x: x.reshape(3, 12, 6),
    "DimshuffleLayer(net, (0, 2, 3, 1))": lambda x: x.transpose(0, 2, 3, 1),
    "DimshuffleLayer(net, (0, 1, 'x', 3, 2))": lambda x: x.transpose(0, 1, 3, 2)[:, :, None],
    "PadLayer(net, 1, val=2)": lambda x: np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=2),
    "PadLayer(net, ((1, 0), (0, 2)))": lambda x: np.pad(x, ((0, 0), (0, 0), (1, 0), (0, 2))),
    "SliceLayer(net, 1, axis=1)": lambda x: x[:, 1],
    "SliceLayer(net, slice(1, 5, 2), axis=-1)": lambda x: x[..., 1:5:2],
    "SliceLayer(net, slice(None, None, -1), axis=2)": lambda x: x[:, :, ::-1],
    "ConcatLayer([net, NonlinearityLayer(net)])": lambda x: np.concatenate([x, np.maximum(x, 0)], 1),
    "ElemwiseSumLayer([net, NonlinearityLayer(net)], coeffs=[0.5, -2])": lambda x: 0.5 * x - 2 * np.maximum(x, 0),
    "ElemwiseMergeLayer([net, NonlinearityLayer(net, T.tanh)], T.maximum)": lambda x: np.maximum(x, np.tanh(x)),
    "ConcatLayer([net, MaxPool2DLayer(net, 3, stride=1)], cropping=(None, None, 'center', 'upper'))": lambda x: (
        np.concatenate([x[:, :, 1:5, 2:], sliding(x).max((4, 5))], 1)
    ),
    "ElemwiseSumLayer([net, SliceLayer(net, slice(1, 6))], cropping=[None] * 3 + ['lower'])": lambda x: (
        x[..., :5] + x[..., 1:]
    ),
    "DropoutLayer(GaussianNoiseLayer(net), p=0.9)": lambda x: x,
    "ExpressionLayer(net, lambda v: T.clip(2 * v + 1, -1, 1.5))": lambda x: np.clip(2 * x + 1, -1, 1.5),
    "NonlinearityLayer(net, lasagne.nonlinearities.leaky_rectify)": lambda x: np.where(x > 0, x, 0.01 * x),
    "NonlinearityLayer(net, lasagne.nonlinearities.LeakyRectify(0.2))": lambda x: np.where(x > 0, x, 0.2 * x),
    "NonlinearityLayer(net, lasagne.nonlinearities.elu)": lambda x: np.where(x > 0, x, np.expm1(x)),
    "NonlinearityLayer(net, lasagne.nonlinearities.selu)": lambda x: (
        1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x))
    ),
    "NonlinearityLayer(net, lasagne.nonlinearities.ScaledTanH(2, 3))": lambda x: 3 * np.tanh(2 * x),
    "NonlinearityLayer(net, T.nnet.hard_sigmoid)": lambda x: np.clip(0.2 * x + 0.5, 0, 1),
    "NonlinearityLayer(net, lambda v: T.nnet.relu(v, 0.1) - abs(v) / 2)": lambda x: (
        np.where(x > 0, x, x / 10) - np.abs(x) / 2
    ),
    "NonlinearityLayer(net, lasagne.nonlinearities.softplus)": lambda x: np.log1p(np.exp(x)),
}


@pytest.mark.parametrize("line", LAYERS)
def test_layers_without_weights(line, made):
    _, [x], [y] = made(f"net = {line}")
    wanted = LAYERS[line](x)
    assert y.shape == wanted.shape
    assert np.allclose(y, wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("line", "function"),
    [("BiasLayer(net)", lambda x, v: x + along(v)), ("ScaleLayer(net)", lambda x, v: x * along(v)),
     ("ScaleLayer(net, shared_axes=(0, 1, 2))", lambda x, v: x * v),
     ("prelu(NonlinearityLayer(net))", lambda x, v: np.where(x > 0, x, x * along(v))),
     ("ParametricRectifierLayer(net, shared_axes='all')", lambda x, v: np.where(x > 0, x, x * v))],
)  # fmt: skip
def test_trained_values_along_axes(line, function, made):
    values = random() if "'all'" in line else random(6) if "2)" in line else random(2)
    _, [x], [y] = made(f"net = {line}", [values])
    assert np.allclose(y, function(x, values), atol=1e-5)


REFUSED = {
    "LocalResponseNormalization2DLayer(net)": "(?s)Local.*own values.*batch normalisation",
    "LSTMLayer(net, 5)": "(?s)LSTMLayer.*with gates.*SimpleRNN",
    "layer_norm(net)": "layer_norm",
    "NonlinearityLayer(net, T.nnet.ultra_fast_sigmoid)": "'ultra_fast_sigmoid' is not supported",
    "NonlinearityLayer(net, lambda v: T.switch(v > 0, v, 0))": "'gt' is not supported",
    "DimshuffleLayer(net, (1, 0, 2, 3))": "moves the batch",
    "Upscale2DLayer(net, 2, mode='dilate')": "dilate",
    "GlobalPoolLayer(net, pool_function=T.std)": "'std' is not supported",
    "Pool2DLayer(net, 2, mode='sum')": "mode 'sum'",
    "SliceLayer(net, 0, axis=0)": "picks from the batch",
    "ExpressionLayer(net, lambda v: v[:, ::-1, None])": "makes a new axis",
    "ExpressionLayer(net, lambda v: T.zeros((2, 2)))": "'zeros' is not supported",
}


@pytest.mark.parametrize("line", REFUSED)
def test_refused_by_name(line, made):
    with pytest.raises(UnsupportedError, match=REFUSED[line]):
        made(f"net = {line}")


def test_all_refused_are_named_together(made):
    body = (
        "net = LocalResponseNormalization2DLayer(net, name='lrn')\nnet = NonlinearityLayer(net, T.erfinv, name='odd')"
    )
    with pytest.raises(UnsupportedError) as caught:
        made(body)
    layers = ["lrn (lasagne LocalResponseNormalization2DLayer)", "odd (lasagne NonlinearityLayer)"]
    assert [o.layer for o in caught.value.offenders] == layers


def test_both_readings_know_the_same_operations():
    assert HANDLERS.keys() <= COMPUTED.keys()
