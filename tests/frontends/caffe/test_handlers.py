"""Each layer by Caffe's definition: the graph, the second reading by torch, and loops written for the test agree."""

import itertools
import math

import numpy as np
import pytest
from caffe_files import data, layer, random

from snntoolbox.errors import UnsupportedError
from snntoolbox.frontends.caffe.handlers import HANDLERS
from snntoolbox.frontends.caffe.predicting import FORWARD

IMAGE = (2, 7, 6)


def windows(x, kernel, stride, pad, dilation=(1, 1)):
    """Every window of an image (channels, height, width) with zeros around, and where it begins."""
    padded = np.pad(x, ((0, 0), (pad[0],) * 2, (pad[1],) * 2))
    spans = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    rows, columns = ((n - span) // s + 1 for n, span, s in zip(padded.shape[1:], spans, stride, strict=True))
    for i, j in itertools.product(range(rows), range(columns)):
        top, left = i * stride[0], j * stride[1]
        yield i, j, padded[:, top : top + spans[0] : dilation[0], left : left + spans[1] : dilation[1]]


def convolved(x, weight, bias, stride=(1, 1), pad=(0, 0), dilation=(1, 1), groups=1):
    filters, per_group = weight.shape[:2]
    out = {}
    for f in range(filters):
        first = f // (filters // groups) * per_group
        part = x[first : first + per_group]
        for i, j, window in windows(part, weight.shape[2:], stride, pad, dilation):
            out[f, i, j] = float((window * weight[f]).sum()) + (bias[f] if bias is not None else 0)
    full = np.zeros([1 + max(k[a] for k in out) for a in range(3)])
    for place, value in out.items():
        full[place] = value
    return full


CONVOLUTIONS = {
    "kernel_size: 3": ((3, 2, 3, 3), {}),
    "kernel_size: 3 pad: 1 stride: 2": ((3, 2, 3, 3), {"pad": (1, 1), "stride": (2, 2)}),
    "kernel_size: 3 kernel_size: 2 stride: 1 stride: 2 pad: 0 pad: 1": (
        (3, 2, 3, 2),
        {"stride": (1, 2), "pad": (0, 1)},
    ),
    "kernel_h: 2 kernel_w: 3 stride_h: 2 stride_w: 1 pad_h: 1 pad_w: 2": (
        (3, 2, 2, 3),
        {"stride": (2, 1), "pad": (1, 2)},
    ),
    "kernel_size: 2 dilation: 2": ((3, 2, 2, 2), {"dilation": (2, 2)}),
    "kernel_size: 2 dilation: 3 dilation: 1": ((3, 2, 2, 2), {"dilation": (3, 1)}),
    "kernel_size: 3 group: 2": ((4, 1, 3, 3), {"groups": 2}),
    "kernel_size: 1 axis: -3": ((3, 2, 1, 1), {}),
}


@pytest.mark.parametrize("settings", CONVOLUTIONS)
@pytest.mark.parametrize("biased", [True, False])
def test_convolution(settings, biased, made):
    shape, options = CONVOLUTIONS[settings]
    weight, bias = random(*shape), random(shape[0], seed=1) if biased else None
    told = f"convolution_param {{ num_output: {shape[0]} {settings} {'' if biased else 'bias_term: false'} }}"
    weights = {"y": [weight, bias] if biased else [weight]}
    _, [x], [y] = made(data(1, *IMAGE) + layer("Convolution", "data", "y", told), weights)
    assert np.allclose(y[0], convolved(x[0], weight, bias, **options), atol=1e-5)


def test_convolution_over_one_axis_and_three(made):
    told = "convolution_param { num_output: 3 kernel_size: 2 stride: 2 }"
    weight = random(3, 2, 2)
    _, [x], [y] = made(data(4, 2, 6) + layer("Convolution", "data", "y", told), {"y": [weight, random(3)]})
    wanted = [
        [(x[0][:, 2 * i : 2 * i + 2] * w).sum() + b for i in range(3)] for w, b in zip(weight, random(3), strict=True)
    ]
    assert np.allclose(y[0], wanted, atol=1e-5)
    _, _, [y] = made(
        data(1, 2, 3, 4, 5) + layer("Convolution", "data", "y", told), {"y": [random(3, 2, 2, 2, 2), random(3)]}
    )
    assert y.shape[1:] == (3, 1, 2, 2)


def test_deconvolution(made):
    told = "convolution_param { num_output: 4 group: 2 kernel_size: 3 stride: 2 pad: 1 }"
    weight, bias = random(2, 2, 3, 3), random(4, seed=1)
    _, [x], [y] = made(data(1, *IMAGE) + layer("Deconvolution", "data", "y", told), {"y": [weight, bias]})
    full = np.zeros((4, 15, 13))
    for c, i, j in np.ndindex(2, 7, 6):
        full[2 * c : 2 * c + 2, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3] += x[0, c, i, j] * weight[c]
    assert np.allclose(y[0], full[:, 1:-1, 1:-1] + bias[:, None, None], atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "lead"), [("", ()), ("axis: -3", ()), ("axis: 2", (2,)), ("axis: -1", (2, 7)), ("transpose: true", ())]
)
def test_inner_product(settings, lead, made):
    size = math.prod(IMAGE[len(lead) :])
    weight, bias = random(size, 5) if "transpose" in settings else random(5, size), random(5, seed=1)
    told = f"inner_product_param {{ num_output: 5 {settings} }}"
    _, [x], [y] = made(data(1, *IMAGE) + layer("InnerProduct", "data", "y", told), {"y": [weight, bias]})
    matrix = weight if "transpose" in settings else weight.T
    assert np.allclose(y, x.reshape(3, *lead, size) @ matrix + bias, atol=1e-5)


def test_weights_in_the_old_form_of_four_axes(made):
    text = data(1, 6) + layer("InnerProduct", "data", "y", "inner_product_param { num_output: 5 }")
    weight, bias = random(5, 6), random(5, seed=1)
    _, [x], [y] = made(text, {"y": [weight, bias]}, old=True)
    assert np.allclose(y, x @ weight.T + bias, atol=1e-5)


# -- pooling --------------------------------------------------------------------------------------------------------


def pooled(x, mean, kernel, stride, pad, floor=False):
    """Caffe's pooling as its definition reads, window by window."""
    counts = []
    for n, k, s, p in zip(x.shape[1:], kernel, stride, pad, strict=True):
        count = (math.floor if floor else math.ceil)((n + 2 * p - k) / s) + 1
        if any(pad) and (count - 1) * s >= n + p:
            count -= 1
        counts.append(count)
    out = np.zeros((len(x), *counts))
    for i, j in itertools.product(*map(range, counts)):
        starts = [i * stride[0] - pad[0], j * stride[1] - pad[1]]
        ends = [min(a + k, n + p) for a, k, n, p in zip(starts, kernel, x.shape[1:], pad, strict=True)]
        area = math.prod(e - a for a, e in zip(starts, ends, strict=True))
        part = x[:, max(starts[0], 0) : ends[0], max(starts[1], 0) : ends[1]]
        out[:, i, j] = part.sum((1, 2)) / area if mean else part.max((1, 2))
    return out


POOLS = {
    "kernel_size: 2 stride: 2": ((2, 2), (2, 2), (0, 0)),
    "kernel_size: 3 stride: 2": ((3, 3), (2, 2), (0, 0)),
    "kernel_size: 3 stride: 2 pad: 1": ((3, 3), (2, 2), (1, 1)),
    "kernel_size: 3 stride: 2 pad: 2": ((3, 3), (2, 2), (2, 2)),
    "kernel_size: 4 stride: 3 pad: 3": ((4, 4), (3, 3), (3, 3)),
    "kernel_size: 2 stride: 2 pad: 1": ((2, 2), (2, 2), (1, 1)),
    "kernel_size: 3 stride: 2 round_mode: FLOOR": ((3, 3), (2, 2), (0, 0)),
    "kernel_size: 3 stride: 2 pad: 1 round_mode: FLOOR": ((3, 3), (2, 2), (1, 1)),
    "kernel_h: 2 kernel_w: 3 stride_h: 3 stride_w: 2 pad_h: 0 pad_w: 1": ((2, 3), (3, 2), (0, 1)),
    "kernel_size: 3": ((3, 3), (1, 1), (0, 0)),
    "kernel_size: 8 stride: 3": ((8, 8), (3, 3), (0, 0)),  # a window larger than the data
}


@pytest.mark.parametrize("settings", POOLS)
@pytest.mark.parametrize("method", ["MAX", "AVE"])
def test_pooling(settings, method, made):
    told = f"pooling_param {{ pool: {method} {settings} }}"
    _, [x], [y] = made(data(1, *IMAGE) + layer("Pooling", "data", "y", told))
    wanted = [pooled(sample, method == "AVE", *POOLS[settings], "FLOOR" in settings) for sample in x]
    assert np.allclose(y, wanted, atol=1e-6)


@pytest.mark.parametrize("method", ["MAX", "AVE"])
def test_global_pooling(method, made):
    told = f"pooling_param {{ pool: {method} global_pooling: true }}"
    _, [x], [y] = made(data(1, *IMAGE) + layer("Pooling", "data", "y", told))
    assert np.allclose(y, x.max((2, 3), keepdims=True) if method == "MAX" else x.mean((2, 3), keepdims=True))


# -- normalisation, functions ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [1.0, 2.5, 0.0])
def test_batch_norm_and_scale(factor, made):
    mean, variance, gain, shift = (random(2, seed=i) for i in range(4))
    variance = np.abs(variance) + 1
    text = data(1, *IMAGE) + layer("BatchNorm", "data", "b", "batch_norm_param { eps: 0.001 }")
    text += layer("Scale", "b", "b", "scale_param { bias_term: true }", name="s")
    weights = {"b": [mean, variance, np.float32([factor])], "s": [gain, shift]}
    _, [x], [y] = made(text, weights)
    by = 1 / factor if factor else 0
    wanted = (x - along(mean * by)) / np.sqrt(along(variance * by) + 0.001) * along(gain) + along(shift)
    assert np.allclose(y, wanted, atol=1e-4 if factor else 1e-2)


def along(values):
    return values[:, None, None]


@pytest.mark.parametrize(
    ("settings", "shape"),
    [("", (2, 1, 1)), ("axis: 2 num_axes: 1", (7, 1)), ("axis: 2 num_axes: -1", (7, 6)), ("num_axes: 2", (2, 7, 1)),
     ("axis: -1", (6,)), ("num_axes: 0", ()), ("axis: 0 num_axes: 0", ())],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["Scale", "Bias"])
def test_values_along_axes(kind, settings, shape, made):
    stored = [n for n in shape if n > 1]
    gain = random(*stored)
    text = data(1, *IMAGE) + layer(kind, "data", "y", f"{kind.lower()}_param {{ {settings} }}")
    _, [x], [y] = made(text, {"y": [gain]})
    assert np.allclose(y, x * gain.reshape(shape) if kind == "Scale" else x + gain.reshape(shape), atol=1e-6)


FUNCTIONS = {
    "ReLU": ("", lambda x: np.maximum(x, 0)),
    "ReLU ": ("relu_param { negative_slope: 0.25 }", lambda x: np.where(x > 0, x, 0.25 * x)),
    "ELU": ("elu_param { alpha: 0.5 }", lambda x: np.where(x > 0, x, 0.5 * np.expm1(x))),
    "Sigmoid": ("", lambda x: 1 / (1 + np.exp(-x))),
    "TanH": ("", np.tanh),
    "AbsVal": ("", np.abs),
    "BNLL": ("", lambda x: np.log1p(np.exp(x))),
    "Power": ("power_param { scale: -2 shift: 0.5 }", lambda x: 0.5 - 2 * x),
    "Clip": ("clip_param { min: -0.5 max: 1 }", lambda x: np.clip(x, -0.5, 1)),
    "Swish": ("swish_param { beta: 2 }", lambda x: x / (1 + np.exp(-2 * x))),
    "Dropout": ("dropout_param { dropout_ratio: 0.9 }", lambda x: x),
    "Softmax": ("", lambda x: np.exp(x) / np.exp(x).sum(1, keepdims=True)),
    "Softmax ": ("softmax_param { axis: -1 }", lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True)),
    "Tile": ("tile_param { axis: 2 tiles: 3 }", lambda x: np.concatenate([x] * 3, 2)),
    "Reduction": ("reduction_param { axis: 2 coeff: 2 }", lambda x: 2 * x.sum((2, 3))),
    "Reduction ": ("reduction_param { operation: MEAN axis: -1 }", lambda x: x.mean(-1)),
    "Flatten": ("", lambda x: x.reshape(3, -1)),
    "Flatten ": ("flatten_param { axis: 2 end_axis: 3 }", lambda x: x.reshape(3, 2, 42)),
    "Flatten  ": ("flatten_param { axis: 1 end_axis: -2 }", lambda x: x.reshape(3, 14, 6)),
    "Reshape": ("reshape_param { shape { dim: 0 dim: -1 dim: 3 } }", lambda x: x.reshape(3, -1, 3)),
    "Reshape ": ("reshape_param { shape { dim: 1 dim: 84 } }", lambda x: x.reshape(3, 84)),
    "Reshape  ": ("reshape_param { shape { dim: -1 dim: 14 dim: 6 } }", lambda x: x.reshape(3, 14, 6)),
    "Reshape   ": ("reshape_param { axis: 2 shape { dim: -1 } }", lambda x: x.reshape(3, 2, 42)),
    "Reshape    ": ("reshape_param { axis: 1 num_axes: 2 shape { dim: 14 } }", lambda x: x.reshape(3, 14, 6)),
    "Reshape     ": ("reshape_param { axis: -1 num_axes: 0 shape { dim: 1 } }", lambda x: x[..., None]),
    "Reshape      ": ("reshape_param { axis: 1 num_axes: 1 shape { dim: 0 dim: 1 } }", None),
    "Reshape       ": ("reshape_param { axis: 2 shape { dim: 0 dim: 2 dim: 3 } }", lambda x: x.reshape(3, 2, 7, 2, 3)),
}


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_functions(kind, made):
    settings, function = FUNCTIONS[kind]
    text = data(1, *IMAGE) + layer(kind.strip(), "data", "y", settings)
    _, [x], [y] = made(text)
    wanted = function(x) if function else x.reshape(3, 2, 1, 7, 6)
    assert y.shape == wanted.shape
    assert np.allclose(y, wanted, atol=1e-6)


@pytest.mark.parametrize("shared", [True, False])
def test_prelu(shared, made):
    slope = random() if shared else random(2)
    text = data(1, *IMAGE) + layer("PReLU", "data", "y", f"prelu_param {{ channel_shared: {str(shared).lower()} }}")
    _, [x], [y] = made(text, {"y": [slope]})
    assert np.allclose(y, np.where(x > 0, x, x * (slope if shared else along(slope))), atol=1e-6)


# -- joining --------------------------------------------------------------------------------------------------------

PAIR = data(1, *IMAGE) + layer("Power", "data", "a", "power_param { scale: 2 }") + layer("AbsVal", "data", "b")


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        *(("", lambda a, b: a + b), ("coeff: 0.5 coeff: -2", lambda a, b: 0.5 * a - 2 * b)),
        *(("operation: MAX", np.maximum), ("operation: PROD", np.multiply)),
    ],
)
def test_eltwise(settings, wanted, made):
    _, [x], [y] = made(PAIR + layer("Eltwise", "a b", "y", f"eltwise_param {{ {settings} }}"))
    assert np.allclose(y, wanted(2 * x, np.abs(x)), atol=1e-6)


@pytest.mark.parametrize("settings", ["", "axis: 3", "axis: -2", "concat_dim: 2"])
def test_concat(settings, made):
    axis = int((settings or "axis: 1").split()[1])
    _, [x], [y] = made(PAIR + layer("Concat", "a b", "y", f"concat_param {{ {settings} }}"))
    assert np.allclose(y, np.concatenate([2 * x, np.abs(x)], axis), atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "tops", "cuts"),
    [("", "p q", [1]), ("axis: 3", "p q r", [2, 4]), ("slice_dim: 2 slice_point: 1", "p q", [1]),
     ("axis: -1 slice_point: 1 slice_point: 5", "p q r", [1, 5])],
)  # fmt: skip
def test_slice(settings, tops, cuts, made):
    axis = int((settings or "axis: 1").split()[1])
    text = data(1, *IMAGE) + layer("Slice", "data", tops, f"slice_param {{ {settings} }}")
    _, [x], parts = made(text)
    for part, wanted in zip(parts, np.split(x, cuts, axis), strict=True):
        assert np.allclose(part, wanted)


def test_crop(made):
    small = layer("Pooling", "data", "small", "pooling_param { kernel_size: 3 }")
    text = data(1, *IMAGE) + small + layer("Crop", "data small", "y", "crop_param { offset: 1 offset: 2 }")
    _, [x], [y] = made(text)
    assert np.allclose(y, x[:, :, 1:6, 2:6])


def test_split(made):
    text = data(1, *IMAGE) + layer("Split", "data", "p q") + layer("Eltwise", "p q", "y")
    _, [x], [y] = made(text)
    assert np.allclose(y, 2 * x)


# -- few bits -------------------------------------------------------------------------------------------------------


def rounded(x, before, behind):
    most = 2.0 ** (before - 1) - 2.0**-behind
    return np.clip(np.sign(x) * np.floor(np.abs(x) * 2**behind + 0.5) / 2**behind, -most, most)


@pytest.mark.parametrize("round_bias", [True, False])
def test_layers_of_few_bits(round_bias, made):
    bits = f"lpfp_param {{ bd: 1 ad: 3 round_bias: {str(round_bias).lower()} }}"
    w, b, m, c = random(3, 2, 3, 3), random(3, seed=1), random(4, 60), random(4, seed=2)
    text = data(1, *IMAGE) + layer(
        "LPConvolution", "data", "c", "convolution_param { num_output: 3 kernel_size: 3 }" + bits
    )
    text += layer("LPInnerProduct", "c", "y", "inner_product_param { num_output: 4 }" + bits)
    _, [x], [y] = made(text, {"c": [w, 9 * w, b, 9 * b], "y": [m, 9 * m, c, 9 * c]})
    bias = (lambda v: rounded(v, 1, 3)) if round_bias else (lambda v: v)
    inner = np.stack([convolved(s, rounded(w, 1, 3), bias(b)) for s in x]).reshape(3, -1)
    assert np.allclose(y, inner @ rounded(m, 1, 3).T + bias(c), atol=1e-5)


@pytest.mark.parametrize("first", ["LPAct", "ReLU"])
def test_rounding_beside_a_rectifier_is_a_quantised_one(first, made):
    told = {"LPAct": "lpfp_param { bd: 2 ad: 2 }", "ReLU": ""}
    second = ({*told} - {first}).pop()
    text = (
        data(1, 40)
        + layer(first, "data", "y", told[first], name="one")
        + layer(second, "y", "y", told[second], name="two")
    )
    graph, [x], [y] = made(text)
    assert np.allclose(y, np.maximum(rounded(x, 2, 2), 0))
    from snntoolbox.conversion.load import simplify

    [levels] = [n.levels for n in simplify(graph).nodes.values() if hasattr(n, "levels")]
    assert levels == 7


# -- refused --------------------------------------------------------------------------------------------------------

REFUSED = {
    ("LRN", "lrn_param { local_size: 5 }"): "by the sample's own values.*batch normalisation",
    ("MVN", ""): "by the sample's own values",
    ("Threshold", "threshold_param { threshold: 0.5 }"): "jumps",
    ("Exp", ""): "not supported",
    ("Embed", "embed_param { num_output: 3 input_dim: 9 }"): "an embedding",
    ("ArgMax", ""): "choice of the largest",
    ("LSTM", "recurrent_param { num_output: 3 }"): "with gates",
    ("Python", 'python_param { module: "m" layer: "L" }'): "code of one's own",
    ("Permute", "permute_param { order: 0 }"): "not supported",
    ("Power", "power_param { power: 2 }"): "power of 2",
    ("Pooling", "pooling_param { pool: STOCHASTIC kernel_size: 2 }"): "stochastic",
    ("Pooling", "pooling_param { kernel_size: 1 stride: 4 }"): "begins behind",
    ("Pooling", "pooling_param { kernel_size: 2 pad: 2 }"): "must reach the data",
    ("Pooling", "pooling_param { kernel_h: 2 }"): "at least|from 1 on",
    ("Pooling", ""): "kernel_size",
    ("Pooling", "pooling_param { kernel_size: 20 }"): "does not fit",
    ("BatchNorm", "batch_norm_param { use_global_stats: false }"): "by the batch",
    ("BatchNorm", ""): r"no weights in the \.caffemodel instead of 3",
    ("Convolution", "convolution_param { num_output: 3 kernel_size: 3 }"): "no weights",
    ("Convolution", "convolution_param { num_output: 3 kernel_size: 3 kernel_h: 3 }"): "beside",
    ("Convolution", "convolution_param { num_output: 3 kernel_size: 3 stride: 0 }"): "from 1 on",
    ("Convolution", "convolution_param { num_output: 3 kernel_size: 3 axis: 2 }"): "channels along axis 2",
    ("Convolution", "convolution_param { num_output: 3 kernel_size: 4000000000 }"): "too large",
    ("Convolution", "convolution_param { num_output: 3 kernel_size: 3 group: 2 }"): "groups",
    ("InnerProduct", "inner_product_param { num_output: 3 axis: 0 }"): "mixes samples",
    ("InnerProduct", "inner_product_param { num_output: 4000000000 }"): "no weights",
    ("Concat", "concat_param { axis: 0 }"): "mixes samples",
    ("Eltwise", ""): "two or more",
    ("Softmax", "softmax_param { axis: 9 }"): "no axis 9",
    ("Flatten", "flatten_param { axis: 0 }"): "mixes samples",
    ("Reshape", "reshape_param { shape { dim: 4 dim: -1 } }"): "mixes the batch",
    ("Reshape", "reshape_param { shape { dim: 0 dim: 5 } }"): "reshape",
    ("Tile", "tile_param { tiles: 2000000000 }"): "too large",
    ("Slice", "slice_param { slice_point: 3 }"): "cuts",
    ("Clip", ""): "names no min",
    ("LPAct", "lpfp_param { bd: 2 ad: 2 rounding_scheme: STOCHASTIC }"): "at random",
    ("Reduction", "reduction_param { operation: ASUM axis: 1 }"): "ASUM",
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_by_name(case, made):
    kind, settings = case
    with pytest.raises(UnsupportedError, match=rf"(?s)y \(caffe {kind}\).*{REFUSED[case]}"):
        made(data(1, *IMAGE) + layer(kind, "data", "y", settings))


def test_all_refused_layers_are_named_together_and_hints_given(made):
    text = data(1, *IMAGE) + layer("LRN", "data", "a") + layer("Permute", "a", "b", "permute_param { order: 0 }")
    text += layer("Scale", "data data", "c") + layer("Softmax", "b", "d")
    with pytest.raises(UnsupportedError) as caught:
        made(text)
    assert [o.layer for o in caught.value.offenders] == ["a (caffe LRN)", "b (caffe Permute)", "c (caffe Scale)"]
    assert "put batch normalisation in its place" in caught.value.hint
    assert "converts in windows" in caught.value.hint


def test_both_readings_know_the_same_layers():
    assert FORWARD.keys() == HANDLERS.keys() - {"Threshold"}  # which is refused whatever its settings
