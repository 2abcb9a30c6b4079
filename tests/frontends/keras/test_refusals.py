"""What the Keras frontend refuses: each by the user's name for it, and all at once."""

import keras
import numpy as np
import pytest
from keras import layers as L  # noqa: N812

from snntoolbox.errors import UnsupportedError
from snntoolbox.frontends.keras import KerasFrontend


def refused(model, **options):
    frontend = KerasFrontend()
    with pytest.raises(UnsupportedError) as caught:
        frontend.parse(frontend.open(model, **options))
    return [(o.layer, o.reason) for o in caught.value.offenders]


class Mine(L.Layer):
    def call(self, x):
        return x * 2


class Dense(L.Dense):
    """A user's class with the name of one of Keras'."""

    def call(self, x):
        return super().call(x) * 2


class SimpleRNNCell(L.SimpleRNNCell):
    """Another one."""


def relu(x):
    """A user's function with the name of one of Keras'."""
    return x * 3


def _poisoned():
    layer = L.Dense(2, name="it")
    model = keras.Sequential([keras.Input((6,)), layer])
    layer.kernel.assign(np.full((6, 2), np.nan))
    return model


def _quantized():
    model = keras.Sequential([keras.Input((6,)), L.Dense(4, name="it")])
    model.quantize("int8")
    return model


ALONE = {
    "softsign": ((6,), lambda: L.Dense(4, activation="softsign", name="it"), "Dense", "activation 'softsign'"),
    "exponential": ((6,), lambda: L.Activation("exponential", name="it"), "Activation", "activation 'exponential'"),
    "threshold": ((6,), lambda: L.ReLU(threshold=0.5, name="it"), "ReLU", "jumps at its threshold of 0.5"),
    "threshold_within": (
        (6,),
        lambda: L.Dense(4, activation=L.ReLU(threshold=0.1), name="it"),
        "Dense",
        "jumps at its threshold of 0.1",
    ),
    "prelu_within": ((6,), lambda: L.Dense(4, activation=L.PReLU(), name="it"), "Dense", "activation 'PReLU'"),
    "lstm_of_images": ((3, 4, 4, 1), lambda: L.ConvLSTM2D(2, 3, name="it"), "ConvLSTM2D", "layer with gates is not"),
    "lstm_own_gates": ((4, 6), lambda: L.LSTM(3, recurrent_activation=relu, name="it"), "LSTM", ".relu"),
    "gru_on_each": ((2, 4, 6), lambda: L.TimeDistributed(L.GRU(3), name="it"), "TimeDistributed", "kind GRU on each"),
    "rnn_product": (
        (4, 6),
        lambda: L.Bidirectional(L.SimpleRNN(3), merge_mode="mul", name="it"),
        "Bidirectional",
        "merge_mode = 'mul'",
    ),
    "rnn_exponential": (
        (4, 6),
        lambda: L.SimpleRNN(3, activation="exponential", name="it"),
        "SimpleRNN",
        "'exponential'",
    ),
    "rnn_own_function": ((4, 6), lambda: L.SimpleRNN(3, activation=relu, name="it"), "SimpleRNN", ".relu"),
    "own_function_on_each": (
        (4, 6),
        lambda: L.TimeDistributed(L.Dense(3, activation=relu), name="it"),
        "TimeDistributed",
        ".relu",
    ),
    "rnn_own_function_in_cell": (
        (4, 6),
        lambda: L.RNN(L.SimpleRNNCell(3, activation=relu), name="it"),
        "RNN",
        ".relu",
    ),
    "rnn_own_cell": ((4, 6), lambda: L.RNN(SimpleRNNCell(3), name="it"), "RNN", "not supported"),
    "rnn_long": ((4000, 2), lambda: L.SimpleRNN(1, activation="relu", name="it"), "SimpleRNN", "4,000 steps"),
    "lambda": ((6,), lambda: L.Lambda(lambda x: x, name="it"), "Lambda", "not supported"),
    "own_layer": ((6,), lambda: Mine(name="it"), f"{__name__}.Mine", "not supported"),
    "own_layer_named_dense": ((6,), lambda: Dense(4, name="it"), f"{__name__}.Dense", "not supported"),
    "own_function_named_relu": ((6,), lambda: L.Dense(4, activation=relu, name="it"), "Dense", f"'{__name__}.relu'"),
    "lambda_activation": ((6,), lambda: L.Activation(lambda x: x, name="it"), "Activation", "lambda"),
    "softmax_two_axes": ((4, 6), lambda: L.Softmax(axis=(1, 2), name="it"), "Softmax", "axis"),
    "bicubic": ((4, 4, 1), lambda: L.UpSampling2D(interpolation="bicubic", name="it"), "UpSampling2D", "bicubic"),
    "time": (
        (4, 6),
        lambda: L.TimeDistributed(L.UnitNormalization(), name="it"),
        "TimeDistributed",
        "UnitNormalization on each step",
    ),
    "masking": ((4, 6), lambda: L.Masking(name="it"), "Masking", "mask over the steps"),
    "deviation_norm": (
        (4, 6),
        lambda: L.LayerNormalization(rms_scaling=True, name="it"),
        "LayerNormalization",
        "use RMSNormalization",
    ),
    "embedding": ((4,), lambda: L.Embedding(5, 3, name="it"), "Embedding", "an embedding is not supported"),
    "too_large": ((6,), lambda: L.RepeatVector(2**30, name="it"), "RepeatVector", "too large"),
    "too_large_up": ((6, 1), lambda: L.UpSampling1D(2**30, name="it"), "UpSampling1D", "too large"),
    "too_large_pad": ((6, 1), lambda: L.ZeroPadding1D(2**30, name="it"), "ZeroPadding1D", "too large"),
    "too_large_stride": (
        (6, 1),
        lambda: L.Conv1DTranspose(1, 1, strides=2**30, name="it"),
        "Conv1DTranspose",
        "too large",
    ),
}


@pytest.mark.parametrize("case", ALONE)
def test_refused_by_name(case):
    shape, make, kind, reason = ALONE[case]
    ((layer, why),) = refused(keras.Sequential([keras.Input(shape), make(), L.Identity()]))
    assert layer == f"it (keras {kind})"
    assert reason in why


OPERATIONS = {
    "division": (lambda x, y: 1.0 / x + y, "TrueDivide", "division by an activation"),
    "division_by_zero": (lambda x, y: x / 0.0 + y, "TrueDivide", "division by zero"),
    "item": (lambda x, y: (x + y)[:, None], "GetItem", "not supported"),
    "power": (lambda x, y: (x + y) ** 0.5, "Power", "whole numbers from 1 to 4"),
    "exponent": (lambda x, y: x**y, "Power", "an exponent that depends on the input"),
    "condition": (lambda x, y: keras.ops.where(x, x, y), "Where", "compares the input"),
    "root": (lambda x, y: keras.ops.sqrt(x + y), "Sqrt", "its own mean square"),
    "logarithm": (lambda x, y: keras.ops.log(x * x + y * y + 1), "Log", "not supported"),
    "batch_mean": (lambda x, y: keras.ops.mean(x + y, axis=0), "Mean", "axis 0"),
    "batch_transpose": (lambda x, y: keras.ops.transpose(x + y), "Transpose", "batch axis"),
    "split": (lambda x, y: keras.ops.split(x + y, [0, 2], axis=1), "Split", "without values"),
    "windows": (lambda x, y: keras.ops.reshape(x + y, (-1, 2)), "Reshape", "joins the batch"),
    "roll": (lambda x, y: keras.ops.roll(x + y, 1), "Roll", "all axes"),
    "place": (lambda x, y: keras.ops.take(x + y, [4], axis=1), "Take", "outside"),
    "tile": (lambda x, y: keras.ops.tile(x + y, (2, 1)), "Tile", "the batch axis"),
    "length": (lambda x, y: keras.ops.normalize(x + y, order=1), "Normalize", "order 1"),
}


@pytest.mark.parametrize("case", OPERATIONS)
def test_refused_operations(case):
    build, kind, reason = OPERATIONS[case]
    x, y = keras.Input((4,)), keras.Input((4,))
    ((layer, why),) = refused(keras.Model([x, y], build(x, y)))
    assert layer.endswith(f"(keras keras.ops.{kind})")
    assert reason in why


ATTENDING = {
    "mask": (
        lambda x, m: L.MultiHeadAttention(2, 3, name="it")(x, x, attention_mask=x @ L.Permute((2, 1))(x)),
        "compares values that depend",
    ),
    "key_mask": (
        lambda x, m: L.MultiHeadAttention(2, 3, name="it")(x, x, key_mask=L.Flatten()(x)[:, :4] @ np.eye(4)),
        "compares values that depend",
    ),
    "axes": (
        lambda x, m: L.MultiHeadAttention(2, 3, name="it", attention_axes=(1, 2))(x[:, None], x[:, None]),
        "over more than one axis",
    ),
    "sum": (lambda x, m: L.Attention(score_mode="concat", name="it")([x, x]), "the sum of queries and keys"),
    "nothing seen": (
        lambda x, m: L.MultiHeadAttention(2, 3, name="it")(x, x, attention_mask=np.zeros((4, 4), bool)),
        "without any key",
    ),
    "lengths": (lambda x, m: L.Dot(axes=1, normalize=True, name="it")([x, m]), "normalize=True"),
}


@pytest.mark.parametrize("case", ATTENDING)
def test_refused_attention(case):
    build, reason = ATTENDING[case]
    x, m = keras.Input((4, 6)), keras.Input((4, 4))
    offenders = refused(keras.Model([x, m], build(x, m)))
    assert any(layer.startswith("it (keras") and reason in why for layer, why in offenders), offenders


def test_an_operation_with_a_constant_in_an_h5_file_is_no_layer(tmp_path):
    x = keras.Input((3,))
    keras.Model(x, x + np.ones(3, "float32")).save(tmp_path / "it.h5")
    ((layer, why),) = refused(tmp_path / "it.h5")
    assert layer.endswith("(keras Add)")
    assert ".keras files tell" in why


@pytest.mark.parametrize(
    ("make", "reason"), [(_poisoned, "NaN"), (_quantized, "quantised")], ids=["weights_not_finite", "quantized"]
)
def test_refused_weights(make, reason):
    ((layer, why),) = refused(make())
    assert layer == "it (keras Dense)"
    assert reason in why


@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM"])
def test_a_state_that_outlives_a_batch_is_refused(kind):
    x = keras.Input(batch_shape=(2, 4, 6))
    ((layer, why),) = refused(keras.Model(x, getattr(L, kind)(3, stateful=True, name="it")(x)))
    assert layer == f"it (keras {kind})"
    assert "goes on from one batch" in why


def test_a_mask_over_the_steps_of_cells_is_refused():
    x, m = keras.Input((4, 3)), keras.Input((4,), dtype="bool")
    ((layer, why),) = refused(keras.Model([x, m], L.GRU(2, name="it")(x, mask=m)))
    assert (layer, why) == ("it (keras GRU)", "called with mask=a tensor")


def test_mask_is_refused():
    x = keras.Input((4, 3))
    m = keras.Input((4,), dtype="bool")
    ((layer, why),) = refused(keras.Model([x, m], L.GlobalAveragePooling1D(name="it")(x, mask=m)))
    assert (layer, why) == ("it (keras GlobalAveragePooling1D)", "called with mask=a tensor")


def test_all_offenders_at_once_and_nested_ones_too():
    inner = keras.Sequential([keras.Input((6, 6, 3)), L.Solarization(name="p"), L.Conv2D(2, 3)], name="inner")
    x = keras.Input((6, 6, 3))
    y = L.Conv2D(3, 3, activation="softsign", padding="same", name="c")(x)
    y = L.Flatten()(inner(L.Solarization(name="n")(L.BatchNormalization()(y))))
    model = keras.Model(x, L.Dense(2, activation="exponential", name="d")(y))
    names = [layer for layer, _ in refused(model)]
    inside = "inner/p (keras Solarization)"
    assert names == ["c (keras Conv2D)", "n (keras Solarization)", inside, "d (keras Dense)"]


def test_all_offenders_where_shapes_are_unknown():
    x = keras.Input((None, None, 3))
    y = L.Solarization(name="p")(x)
    y = L.Solarization(name="g")(L.Conv2D(2, 3)(y))
    model = keras.Model(x, L.GlobalAveragePooling2D()(y))
    names = [layer for layer, _ in refused(model, input_shape=(6, 6, 3))]
    assert names == ["p (keras Solarization)", "g (keras Solarization)"]
