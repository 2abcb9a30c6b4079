"""Files of Keras 1 and 2, written by hand as those versions did, against the same net in today's Keras."""

import json

import h5py
import keras
import numpy as np
import old_keras_files as old
import pytest
from keras import layers as L  # noqa: N812

from snntoolbox.errors import FrontendError, UnsupportedError
from snntoolbox.frontends.keras import KerasFrontend
from snntoolbox.frontends.keras.open_file import FileModel

layer, sequential, functional = old.layer, old.sequential, old.functional
FRONTEND = KerasFrontend()
RNG = np.random.default_rng(0)


def _w(*shape):
    return RNG.normal(0, 0.5, shape).astype("float32")


def _bn(name, n, prefix="", names=("gamma", "beta", "moving_mean", "moving_variance")):
    values = (_w(n), _w(n), _w(n), np.abs(_w(n)) + 0.3)
    return {f"{prefix}{name}/{k}:0": v for k, v in zip(names, values, strict=True)}


def _conv2(name, n, size=3, **config):
    """A convolution's config as Keras 2 wrote it, with an initializer that Keras 3 does not know like this."""
    init = {"class_name": "GlorotUniform", "config": {"seed": None, "dtype": "float32"}}
    common = {"strides": [1, 1], "padding": "valid", "data_format": "channels_last", "dilation_rate": [1, 1]}
    common |= {"filters": n, "kernel_size": [size, size], "kernel_initializer": init}
    return layer("Conv2D", name, **{**common, **config})


def _check(path, live, weights, **options):
    """The file computes what `live` does with these weights, by our graph and by Keras itself."""
    for target, value in zip(live.weights, weights, strict=True):
        target.assign(value)
    opened = FRONTEND.open(path, **options)
    assert isinstance(opened, FileModel)
    shapes = opened.shapes
    x = [np.random.default_rng(1).normal(size=(3, *s)).astype("float32") for s in shapes]
    wanted = FRONTEND.predict(FRONTEND.open(live), *x)
    graph = FRONTEND.parse(opened)
    values = graph.values(*(a.astype(np.float64) for a in x))
    for found in ([values[o] for o in graph.outputs], FRONTEND.predict(opened, *x)):
        for ours, theirs in zip(found, wanted, strict=True):
            assert np.abs(ours - theirs).max() <= 1e-5 * np.abs(theirs).max()


# -- Keras 2 --------------------------------------------------------------------------------------------------------


def test_sequential_without_input_layer_as_a_mere_list(tmp_path):
    w = {"conv": {"conv/kernel:0": _w(3, 3, 2, 4), "conv/bias:0": _w(4)}, "flat": {}}
    w["out"] = {"out_3/kernel:0": _w(64, 3), "out_3/bias:0": _w(3)}
    parts = [
        _conv2("conv", 4, batch_input_shape=[None, 6, 6, 2], activation="relu"),
        layer("Flatten", "flat", data_format="channels_last"),
        layer("Dense", "out", units=3, activation="softmax", use_bias=True),
    ]
    config = {"class_name": "Sequential", "config": parts}
    path = old.write_h5(tmp_path / "m.h5", config, w, version="2.1.6")
    parts = [L.Conv2D(4, 3, activation="relu"), L.Flatten(), L.Dense(3, "softmax")]
    live = keras.Sequential([keras.Input((6, 6, 2)), *parts])
    _check(path, live, [v for group in w.values() for v in group.values()])


def test_functional_with_depthwise_groups_and_axis_list(tmp_path):
    w = {"in": {}, "dw": {"dw_1/depthwise_kernel:0": _w(3, 3, 2, 1), "dw_1/bias:0": _w(2)}, "bn": _bn("bn", 2)}
    layers = [
        layer("InputLayer", "in", [], batch_input_shape=[None, 6, 6, 2], dtype="float32", sparse=False),
        layer(
            *("DepthwiseConv2D", "dw", [[["in", 0, 0, {}]]]),
            **{"kernel_size": [3, 3], "strides": [1, 1], "padding": "same", "data_format": "channels_last"},
            **{"groups": 1, "depth_multiplier": 1, "use_bias": True, "filters": None, "activation": "linear"},
        ),
        layer("BatchNormalizationV1", "bn", [[["dw", 0, 0, {}]]], axis=[3], epsilon=0.01, center=True, scale=True),
        layer("LeakyReLU", "leak", [[["bn", 0, 0, {}]]], alpha={"type": "ndarray", "value": 0.25}),
        layer("Add", "sum", [[["leak", 0, 0, {}], ["in", 0, 0, {}]]]),
    ]
    path = old.write_h5(tmp_path / "m.h5", functional(layers, ["in"], ["sum"]), w, version="2.3.0-tf")
    x = keras.Input((6, 6, 2))
    y = L.BatchNormalization(epsilon=0.01)(L.DepthwiseConv2D(3, padding="same")(x))
    live = keras.Model(x, L.Add()([L.LeakyReLU(negative_slope=0.25)(y), x]))
    _check(path, live, [v for group in w.values() for v in group.values()])


def test_nested_model_used_twice_with_names_that_repeat(tmp_path):
    kernel, bias, norm = _w(4, 4), _w(4), list(_bn("b", 4).values())
    inner = sequential(
        layer("Dense", "d", units=4, use_bias=True, activation="relu", batch_input_shape=[None, 4]),
        layer("BatchNormalization", "b", axis=-1, epsilon=0.001, center=True, scale=True),
        name="inner",
    )
    inner = {**inner, "name": "inner", "inbound_nodes": [[["x", 0, 0, {}]], [["y", 0, 0, {}]]]}
    inputs = [layer("InputLayer", n, [], batch_input_shape=[None, 4]) for n in "xy"]
    add = layer("Add", "sum", [[["inner", 0, 0, {}], ["inner", 1, 0, {}]]])
    names = ["d_7/kernel:0", "d_7/bias:0", "b/gamma:0", "b/beta:0", "b/moving_mean:0", "b/moving_variance:0"]
    w = {"x": {}, "inner": dict(zip(names, [kernel, bias, *norm], strict=True))}
    path = old.write_h5(tmp_path / "m.h5", functional([*inputs, inner, add], ["x", "y"], ["sum"]), w)
    shared = keras.Sequential([keras.Input((4,)), L.Dense(4, "relu"), L.BatchNormalization()])
    a, b = keras.Input((4,)), keras.Input((4,))
    _check(path, keras.Model([a, b], L.Add()([shared(a), shared(b)])), [kernel, bias, *norm])


def test_operations_of_tensorflow(tmp_path):
    op = [["in", 0, 0, {"y": 127.5, "name": None}]]
    layers = [
        layer("InputLayer", "in", [], batch_input_shape=[None, 4]),
        layer("TFOpLambda", "div", op, function="math.truediv"),
        layer("TFOpLambda", "sub", [["div", 0, 0, {"y": 1.0, "name": None}]], function="math.subtract"),
        layer("TFOpLambda", "both", [["sub", 0, 0, {"y": ["in", 0, 0], "name": None}]], function="__operators__.add"),
    ]
    path = old.write_h5(tmp_path / "m.h5", functional(layers, ["in"], ["both"], "Functional"), {}, version="2.9.0")
    x = keras.Input((4,))
    _check(path, keras.Model(x, x / 127.5 - 1.0 + x), [])


def test_hard_sigmoid_is_that_of_its_time(tmp_path):
    config = sequential(
        layer("InputLayer", "in", batch_input_shape=[None, 4]),
        layer("Dense", "d", units=3, use_bias=True, activation="hard_sigmoid"),
    )
    w = {"d": {"d/kernel:0": _w(4, 3), "d/bias:0": _w(3)}}
    path = old.write_h5(tmp_path / "m.h5", config, w, version="2.15.0")
    x = keras.Input((4,))
    _check(path, keras.Model(x, keras.ops.clip(L.Dense(3)(x) * 0.2 + 0.5, 0, 1)), list(w["d"].values()))


def test_kernels_from_theano_are_turned(tmp_path):
    config = sequential(_conv2("c", 3, batch_input_shape=[None, 6, 6, 2]))
    w = {"c": {"c/kernel:0": _w(3, 3, 2, 3), "c/bias:0": _w(3)}}
    path = old.write_h5(tmp_path / "m.h5", config, w, backend="theano")
    live = keras.Sequential([keras.Input((6, 6, 2)), L.Conv2D(3, 3)])
    _check(path, live, [w["c"]["c/kernel:0"][::-1, ::-1], w["c"]["c/bias:0"]])


def test_shape_that_the_file_does_not_tell(tmp_path):
    w = {"d": {"d/kernel:0": _w(4, 3), "d/bias:0": _w(3)}}
    path = old.write_h5(tmp_path / "m.h5", sequential(layer("Dense", "d", units=3, use_bias=True)), w)
    with pytest.raises(FrontendError, match="give input_shape"):
        FRONTEND.open(path)
    _check(path, keras.Sequential([keras.Input((4,)), L.Dense(3)]), list(w["d"].values()), input_shape=(4,))


# -- Keras 1 --------------------------------------------------------------------------------------------------------


def _keras_1(ordering, shape):
    kernel, out = _w(3, 3, 2, 4), _w(2 * 2 * 4, 3)
    names = ("gamma", "beta", "running_mean", "running_std")
    stored = kernel.transpose(3, 2, 0, 1) if ordering == "th" else kernel
    w = {
        "conv": {"convolution2d_1_W": stored, "convolution2d_1_b": _w(4)},
        "bn": {f"bn_{n}": v for n, v in zip(names, _bn("bn", 4).values(), strict=True)},
        "fc": {"dense_1_W": out, "dense_1_b": _w(3)},
    }
    where = {"border_mode": "valid", "dim_ordering": ordering}
    layers = [
        layer(
            *("Convolution2D", "conv"),
            **{**where, "nb_filter": 4, "nb_row": 3, "nb_col": 3, "subsample": [1, 1], "bias": True},
            **{"activation": "relu", "batch_input_shape": [None, *shape], "init": "glorot_uniform"},
        ),
        layer("BatchNormalization", "bn", mode=0, axis=1 if ordering == "th" else -1, epsilon=1e-5, momentum=0.9),
        layer("MaxPooling2D", "pool", pool_size=[2, 2], strides=[2, 2], **where),
        layer("Dropout", "drop", p=0.5),
        layer("Flatten", "flat"),
        layer("Dense", "fc", output_dim=3, bias=True, activation="softmax", input_dim=None),
    ]
    values = [kernel, *list(w["conv"].values())[1:], *w["bn"].values(), *w["fc"].values()]
    return {"class_name": "Sequential", "config": layers}, w, values


def _today(ordering, shape):
    layout = {"data_format": "channels_first" if ordering == "th" else "channels_last"}
    return keras.Sequential(
        [
            keras.Input(shape),
            L.Conv2D(4, 3, activation="relu", **layout),
            L.BatchNormalization(axis=1 if ordering == "th" else -1, epsilon=1e-5),
            L.MaxPooling2D(2, **layout),
            L.Reshape((16,)),
            L.Dense(3, "softmax"),
        ]
    )


@pytest.mark.parametrize(("version", "backend"), [("1.2.2", None), (None, None), ("1.1.0", "tensorflow")])
def test_keras_1(tmp_path, version, backend):
    config, w, values = _keras_1("tf", (6, 6, 2))
    path = old.write_h5(tmp_path / "m.h5", config, w, version, backend)
    _check(path, _today("tf", (6, 6, 2)), values)


@pytest.mark.parametrize("backend", ["tensorflow", "theano"])
def test_keras_1_channels_first(tmp_path, backend):
    config, w, values = _keras_1("th", (2, 6, 6))
    path = old.write_h5(tmp_path / "m.h5", config, w, "1.2.2", backend)
    if backend == "theano":
        values[0] = values[0][::-1, ::-1]
    _check(path, _today("th", (2, 6, 6)), values)


def test_keras_1_channels_first_of_unknown_origin_is_refused(tmp_path):
    config, w, _ = _keras_1("th", (2, 6, 6))
    path = old.write_h5(tmp_path / "m.h5", config, w, "1.2.2", None)
    with pytest.raises(UnsupportedError, match=r"conv \(keras Conv2D\): the file does not say whether .* Theano"):
        FRONTEND.open(path)


def test_keras_1_merge_and_one_dimension(tmp_path):
    layers = [
        layer("InputLayer", "in", [], batch_input_shape=[None, 7, 2], input_dtype="float32", sparse=False),
        layer(
            *("Convolution1D", "c", [[["in", 0, 0]]]),
            **{"nb_filter": 2, "filter_length": 3, "subsample_length": 1, "border_mode": "same", "bias": True},
        ),
        layer("Merge", "m", [[["c", 0, 0], ["in", 0, 0]]], mode="concat", concat_axis=-1, mode_type="raw"),
        layer("MaxPooling1D", "p", [[["m", 0, 0]]], pool_length=2, stride=2, border_mode="valid"),
        layer("UpSampling1D", "u", [[["p", 0, 0]]], length=2),
    ]
    kernel, bias = _w(3, 2, 2), _w(2)
    w = {"c": {"convolution1d_1_W:0": kernel[:, None], "convolution1d_1_b:0": bias}}
    path = old.write_h5(tmp_path / "m.h5", functional(layers, ["in"], ["u"]), w, "1.2.0", None)
    x = keras.Input((7, 2))
    y = L.Concatenate()([L.Conv1D(2, 3, padding="same")(x), x])
    _check(path, keras.Model(x, L.UpSampling1D(2)(L.MaxPooling1D(2)(y))), [kernel, bias])


REFUSED = {
    "bn_mode": ("1.2.0", layer("BatchNormalization", "it", mode=2, epsilon=1e-3, axis=-1), "statistics of the batch"),
    "merge_lambda": ("1.2.0", layer("Merge", "it", mode="cos"), "mode 'cos'"),
    "highway": ("1.2.0", layer("Highway", "it"), "not supported"),
    "deconvolution": ("1.2.0", layer("Deconvolution2D", "it"), "not supported"),
    "lstm": ("2.3.0-tf", layer("ConvLSTM2D", "it", filters=3, time_major=False, activation="tanh"), "not supported"),
    "lstm_of_cuda": ("2.3.0-tf", layer("CuDNNLSTM", "it", units=3), "with gates"),
    "lstm_by_gates": ("1.2.0", layer("LSTM", "it", output_dim=3, inner_activation="sigmoid"), "those of Keras 1"),
    "own_gates": ("2.3.0-tf", layer("GRU", "it", units=3, recurrent_activation="exponential"), "'exponential'"),
    "jump": ("2.2.4", layer("ThresholdedReLU", "it", theta=0.5), "jumps at its threshold"),
    "operation": ("2.9.0", layer("TFOpLambda", "it", function="nn.softsign"), "'nn.softsign' is not supported"),
}


def test_bilinear_interpolation_of_old_tensorflow_is_refused(tmp_path):
    where = {"data_format": "channels_last", "batch_input_shape": [None, 4, 4, 1]}
    config = sequential(layer("UpSampling2D", "it", size=[2, 2], interpolation="bilinear", **where))
    with pytest.raises(UnsupportedError, match=r"it \(keras UpSampling2D\): bilinear interpolation as Keras 2.2"):
        FRONTEND.open(old.write_h5(tmp_path / "m.h5", config, {}, version="2.2.4"))
    FRONTEND.open(old.write_h5(tmp_path / "n.h5", config, {}, version="2.4.0"))


@pytest.mark.parametrize("case", REFUSED)
def test_refused(tmp_path, case):
    version, part, reason = REFUSED[case]
    config = sequential(layer("Activation", "first", activation="relu", batch_input_shape=[None, 4, 3]), part)
    path = old.write_h5(tmp_path / "m.h5", config, {}, version)
    with pytest.raises(UnsupportedError) as caught:
        FRONTEND.open(path)
    ((name, why),) = [(o.layer.split()[0], o.reason) for o in caught.value.offenders]
    assert name == "it"
    assert reason in why


def test_same_padding_of_theano_is_refused(tmp_path):
    config = sequential(_conv2("c", 3, batch_input_shape=[None, 6, 6, 2], padding="same", strides=[2, 2]))
    w = {"c": {"c/kernel:0": _w(3, 3, 2, 3), "c/bias:0": _w(3)}}
    path = old.write_h5(tmp_path / "m.h5", config, w, backend="theano")
    with pytest.raises(UnsupportedError, match="as Theano does it"):
        FRONTEND.open(path)


def test_weights_of_another_net_are_named(tmp_path):
    w = {"d": {"d/gamma:0": _w(4), "d/beta:0": _w(3)}}
    path = old.write_h5(tmp_path / "m.h5", sequential(layer("Dense", "d", units=3, batch_input_shape=[None, 4])), w)
    with pytest.raises(FrontendError, match=r"d \(keras Dense\): the weights stored for it are d/gamma:0"):
        FRONTEND.open(path)


def test_long_lists_of_names_are_kept_in_parts(tmp_path):
    w = {"d": {"d/kernel:0": _w(4, 3), "d/bias:0": _w(3)}}
    path = old.write_h5(tmp_path / "m.h5", sequential(layer("Dense", "d", units=3, batch_input_shape=[None, 4])), w)
    with h5py.File(path, "a") as file:
        group = file["model_weights/d"]
        for i, name in enumerate(group.attrs["weight_names"]):
            group.attrs[f"weight_names{i}"] = np.array([name])
        del group.attrs["weight_names"]
    _check(path, keras.Sequential([keras.Input((4,)), L.Dense(3)]), list(w["d"].values()))


def test_json_of_keras_1(tmp_path):
    config, w, values = _keras_1("tf", (6, 6, 2))
    (tmp_path / "m.json").write_text(json.dumps({**config, "keras_version": "1.2.2"}))
    with h5py.File(tmp_path / "m_weights.h5", "w") as file:
        old.write_weights(file, w)
    _check(tmp_path / "m.json", _today("tf", (6, 6, 2)), values)
