"""Every handler, in the combinations that matter, against Keras' own output."""

import re

import keras
import numpy as np
import pytest
from keras import layers as L  # noqa: N812
from keras_catalogue import COMBINED, SINGLE, functional, nested, randomise, seq, shared

import snntoolbox as stb
from snntoolbox.frontends.keras import KerasFrontend


def check(model, n=3, tolerance=1e-5, shapes=None):
    """The graph and Keras agree to 1e-5 of the scale of each output; the graph, which is returned, runs in float64."""
    frontend = KerasFrontend()
    opened = frontend.open(model)
    graph = frontend.parse(opened)
    rng = np.random.default_rng(1)
    x = [rng.normal(size=(n, *s)).astype("float32") for s in opened.shapes]
    expected = frontend.predict(opened, *x)
    values = graph.values(*(a.astype(np.float64) for a in x))
    assert len(expected) == len(graph.outputs)
    for name, wanted in zip(graph.outputs, expected, strict=True):
        assert values[name].shape == wanted.shape
        scale = max(1e-3, float(np.abs(wanted).max()))
        assert np.abs(values[name] - wanted).max() <= tolerance * scale
    return graph


@pytest.mark.parametrize("case", SINGLE)
def test_layer(case):
    shape, make = SINGLE[case]
    layer = make()
    graph = check(randomise(seq(shape, layer)))
    if not case.startswith(("nothing", "flatten_first_rank1")):
        assert {str(n.origin.name) for n in graph.nodes.values()} >= {layer.name}
    assert all(n.origin is not None for n in graph.nodes.values())


def test_nothing_adds_no_node():
    graph = check(seq((5,), L.Dropout(0.5), L.Activation("linear"), L.GaussianNoise(0.1)))
    assert len(graph) == 1


@pytest.mark.parametrize("case", COMBINED)
def test_combination(case):
    shapes, build = COMBINED[case]
    graph = check(randomise(functional(*shapes)(build)))
    assert graph.inputs == tuple(f"in{i}" for i in range(len(shapes)))


def test_sums_by_letters():
    """Apart from the other combinations, as Keras itself does not load this operation from a file."""
    matrix = np.float32(np.random.default_rng(3).normal(size=(4, 2)))
    sums = lambda x, y: [keras.ops.einsum("bid,bjd->bij", x, y), keras.ops.einsum("bid,de->bie", x, matrix)]  # noqa: E731
    check(functional((3, 4), (5, 4))(sums))


def test_names_and_origins():
    graph = check(randomise(functional((6, 6, 3))(nested)))
    inner, outer = graph.nodes["inner.conv"], graph.nodes["conv"]
    assert (str(inner.origin), str(outer.origin)) == ("inner/conv (keras Conv2D)", "conv (keras Conv2D)")
    assert graph.nodes["inner.conv_relu"].origin == inner.origin


def test_shared_layer_is_there_twice_with_the_same_weights():
    graph = check(randomise(functional((6, 6, 3), (6, 6, 3))(shared)))
    assert graph.nodes["conv"].weight is not None
    assert np.array_equal(graph.nodes["conv"].weight, graph.nodes["conv_2"].weight)


def test_batches_join_up():
    model = randomise(seq((4,), L.Dense(3)))
    check(model, n=130)


def test_fixed_batch_size():
    model = randomise(keras.Sequential([keras.Input(batch_shape=(4, 6, 6, 1)), L.Conv2D(2, 3), L.Reshape((-1, 2))]))
    check(model, n=6)


def test_named_inputs():
    inputs = {"b": keras.Input((3,), name="b"), "a": keras.Input((4,), name="a")}
    model = keras.Model(inputs, L.Concatenate()([L.Dense(2)(inputs["a"]), inputs["b"]]))
    check(randomise(model))


def test_half_precision_is_read_in_full():
    model = randomise(seq((8,), L.Dense(5, activation="relu", dtype="mixed_bfloat16"), L.Dense(3)))
    check(model)
    assert model.layers[0].compute_dtype == "bfloat16"


def test_lora_is_merged():
    layer = L.Dense(5)
    model = seq((7,), layer)
    layer.enable_lora(2)
    check(randomise(model))


def joined_truths(x, m, n):
    """Scores left out by comparisons of two inputs, joined in all ways."""
    ops = keras.ops
    few = ops.logical_and(ops.equal(m, 1.0), ops.less(n, 0.5))
    many = ops.logical_or(few, ops.logical_not(ops.greater_equal(m, 1.0)))
    odd = ops.logical_xor(ops.cast(n, "bool"), np.eye(4) > 0)
    kept = ops.logical_or(ops.logical_or(many, odd), ops.logical_and(ops.less_equal(n, 0.0), ops.greater(m, 0.0)))
    told = ops.logical_or(ops.not_equal(n, 0.0), ops.not_equal(m, 1.0))
    return ops.where(ops.logical_and(kept, told), x, ops.cast(m, "int32"))


def test_truths_in_all_ways():
    model = functional((4, 4), (4, 4), (4, 4))(joined_truths)
    graph, random = stb.load(model), np.random.default_rng(0)
    x, *truths = random.normal(size=(8, 4, 4)), *(random.random((8, 4, 4)) < 0.5 for _ in range(2))
    given = [a.astype("float32") for a in (x, *truths)]
    expected = keras.ops.convert_to_numpy(model(given))
    np.testing.assert_allclose(graph.run(*given), expected, atol=1e-6)


def test_every_handler_has_a_case():
    from snntoolbox.frontends.keras.handlers import HANDLERS

    models = [seq(shape, make()) for shape, make in SINGLE.values()]
    models += [functional(*shapes)(build) for shapes, build in COMBINED.values()]
    models.append(functional((4, 4), (4, 4), (4, 4))(joined_truths))
    # other names, a layer of older Keras, and what Keras cannot load again
    never = {"Divide", "LogSoftmax", "Abs", "ThresholdedReLU", "Einsum", "GroupQueryAttention"}
    seen = {type(o).__name__ for m in models for o in (m if hasattr(m, "_operations") else m._functional)._operations}
    assert {re.split(r"[.>]", name)[-1] for name in HANDLERS} - never <= seen
