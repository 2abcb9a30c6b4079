"""Every node type as data: its shape, its meaning, its synapses, the gains that pass it, and what it refuses."""

import math

import numpy as np
import pytest
import torch
from node_catalogue import CASES, LINEAR, MATRIX, NONE2, conv, draw, pool
from torch.nn import functional

from snntoolbox.errors import GraphError
from snntoolbox.ir.graph import Graph
from snntoolbox.ir.node import LinearNode, Origin, broadcasts, uniform_along
from snntoolbox.ir.nodes import (
    NODE_TYPES,
    Add,
    AveragePool,
    Concat,
    Conv,
    Dense,
    Elementwise,
    Floor,
    Input,
    MaxPool,
    Mean,
    Pad,
    Permute,
    ReLU,
    Reshape,
    Scale,
    Softmax,
    Sparse,
    Take,
)
from snntoolbox.ir.nodes.elementwise import FUNCTIONS

cases = pytest.mark.parametrize(("node", "shapes", "expected"), LINEAR.values(), ids=LINEAR)


def inputs(shapes, batch=3, seed=5):
    return [draw(batch, *s, seed=seed + i) for i, s in enumerate(shapes)]


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * max(1, np.abs(expected).max(initial=0)))


def test_catalogue_has_every_node_type():
    assert {type(n) for n, _, _ in CASES.values()} == set(NODE_TYPES.values())


@pytest.mark.parametrize(("node", "shapes", "expected"), CASES.values(), ids=CASES)
def test_shape_rule_is_the_shape_of_the_output(node, shapes, expected):
    assert node.output_shape(*shapes) == expected
    for batch in (1, 3):
        assert node.apply(*inputs(shapes, batch)).shape == (batch, *expected)


@pytest.mark.parametrize(("node", "shapes", "expected"), CASES.values(), ids=CASES)
def test_floating_type_is_kept(node, shapes, expected):
    assert node.apply(*(x.astype(np.float32) for x in inputs(shapes))).dtype == np.float32
    assert node.apply(*inputs(shapes)).dtype == np.float64


@cases
def test_apply_is_linear_plus_bias(node, shapes, expected):
    x, y = inputs(shapes), inputs(shapes, seed=50)
    bias = 0 if node.bias is None else node.bias
    close(node.apply(*x), node.linear(*x) + bias)
    close(node.linear(*(2 * a - b for a, b in zip(x, y, strict=True))), 2 * node.linear(*x) - node.linear(*y))


@cases
def test_synapses_are_the_linear_map(node, shapes, expected):
    matrices = node.synapses(*shapes)
    assert [m.shape for m in matrices] == [(math.prod(expected), math.prod(s)) for s in shapes]
    x = inputs(shapes)
    total = sum(m @ a.reshape(3, -1).T for m, a in zip(matrices, x, strict=True))
    close(total.T.reshape(3, *expected), node.linear(*x))


@cases
def test_synapses_are_what_unit_impulses_do(node, shapes, expected):
    zeros = [np.zeros((math.prod(s), *s)) for s in shapes]
    for i, (shape, matrix) in enumerate(zip(shapes, node.synapses(*shapes), strict=True)):
        impulses = np.eye(math.prod(shape)).reshape(-1, *shape)
        given = [impulses if j == i else z[:1].repeat(len(impulses), 0) for j, z in enumerate(zeros)]
        close(matrix.toarray().T.reshape(-1, *expected), node.linear(*given))


# -- gains ----------------------------------------------------------------------------------------------------------


def gains(shape, seed=0):
    """Gains of the sample's rank: one for all, one along each single axis, one for each value."""
    generator = np.random.default_rng(seed)
    forms = {(1,) * len(shape), shape}
    forms |= {tuple(n if a == axis else 1 for a, n in enumerate(shape)) for axis in range(len(shape))}
    return [generator.uniform(-2, 2, size=f) for f in sorted(forms)]


@cases
def test_absorbed_output_is_the_node_times_gain(node, shapes, expected):
    x, found = inputs(shapes), 0
    for gain in gains(expected):
        absorbed = node.absorb_output(gain)
        if absorbed is not None:
            close(absorbed.apply(*x), gain * node.apply(*x))
            found += 1
    assert found >= (1 if node.weights is not None else 0), "one gain for all fits every weight"


@cases
def test_absorbed_input_is_the_node_of_the_scaled_input(node, shapes, expected):
    x, found = inputs(shapes), 0
    for gain in gains(shapes[0]):
        absorbed = node.absorb_input(gain)
        if absorbed is not None:
            close(absorbed.apply(*x), node.apply(gain * x[0]))
            found += 1
    assert found >= (1 if node.weights is not None else 0)


@cases
def test_gain_above_is_the_gain_moved_to_the_inputs(node, shapes, expected):
    x, found = inputs(shapes), 0
    for gain in gains(expected):
        above = node.gain_above(gain, *shapes)
        if above is not None:
            close(node.linear(*(g * a for g, a in zip(above, x, strict=True))), gain * node.linear(*x))
            found += 1
    assert found >= (1 if node.weights is None else 0)


@cases
def test_gain_below_is_the_gain_moved_to_the_output(node, shapes, expected):
    x, found = inputs(shapes), 0
    for choice in zip(*(gains(s, seed=3 if isinstance(node, Add) else i) for i, s in enumerate(shapes)), strict=False):
        full = [np.broadcast_to(g, s) for g, s in zip(choice, shapes, strict=True)]
        below = node.gain_below(*full)
        if below is not None:
            close(below * node.linear(*x), node.linear(*(g * a for g, a in zip(full, x, strict=True))))
            found += 1
    assert found >= (1 if node.weights is None else 0)


def test_different_gains_do_not_pass_a_sum():
    node = Add(name="n", inputs=("a", "b"))
    assert node.gain_below(np.ones((2, 3)), np.full((2, 3), 2.0)) is None


REFUSED_GAINS = {
    "conv, varies in space": (LINEAR["conv 2-D"][0], (1, 3, 7), (1, 7, 6)),
    "dense, varies along other axes": (LINEAR["dense, middle axis"][0], (2, 1, 1), (2, 1, 1)),
}


@pytest.mark.parametrize(("node", "behind", "front"), REFUSED_GAINS.values(), ids=REFUSED_GAINS)
def test_gains_that_weights_cannot_take_are_refused(node, behind, front):
    assert node.absorb_output(draw(*behind)) is None
    assert node.absorb_input(draw(*front)) is None


@pytest.mark.parametrize("case", ["average 2-D", "take"])
def test_gains_that_vary_within_a_window_do_not_pass(case):
    node, shapes, expected = LINEAR[case]
    assert node.gain_above(draw(*expected), *shapes) is None
    if case == "average 2-D":
        assert node.gain_below(draw(*shapes[0])) is None


def test_biases_and_uniformity():
    node = LINEAR["dense"][0]
    assert node.with_bias(np.zeros(3)).bias is None
    assert uniform_along(np.ones((2, 1)) * [[1.0], [2.0]], (1,))
    assert not uniform_along(np.array([[1.0], [2.0]]), (0,))
    assert broadcasts((1, 3), (2, 3))
    assert broadcasts((3,), (2, 3))
    assert not broadcasts((2,), (2, 3))
    assert not broadcasts((1, 2, 3), (2, 3))


# -- values worked out by hand --------------------------------------------------------------------------------------


def test_average_divides_by_what_counts():
    x = np.ones((1, 1, 3, 3))
    kernel, stride, pads = (2, 2), (2, 2), ((1, 0), (1, 0))
    assert pool(AveragePool, kernel, stride, pads).apply(x)[0, 0].tolist() == [[1, 1], [1, 1]]
    counted = pool(AveragePool, kernel, stride, pads, count_padding=True).apply(x)[0, 0]
    assert counted.tolist() == [[0.25, 0.5], [0.5, 1]]
    hanging = pool(AveragePool, kernel, stride, NONE2, count_padding=True, overhang=(1, 1)).apply(x)[0, 0]
    assert hanging.tolist() == [[1, 1], [1, 1]], "overhang never counts"


def test_padding_never_wins_a_maximum():
    node = pool(MaxPool, (2,), (2,), ((1, 1),), dilation=(1,))
    assert node.apply(np.array([[[-3.0, -1.0, -2.0, -4.0]]]))[0, 0].tolist() == [-3, -1, -4]
    assert node.apply(np.array([[[3, -1, -2, -4]]])).tolist() == [[[3, -1, -4]]]


def test_rectifier_and_softmax():
    x = np.array([[-1.0, 0.5, 8.0]])
    assert ReLU(name="r").apply(x).tolist() == [[0, 0.5, 8]]
    assert ReLU(name="r", max_value=6.0).apply(x).tolist() == [[0, 0.5, 6]]
    assert ReLU(name="r", max_value=np.array([1.0, 0.25, 9.0])).apply(x).tolist() == [[0, 0.25, 8]]
    assert Floor(name="f").apply(x).tolist() == [[-1, 0, 8]]
    e = np.exp([-1, 0.5, 8])
    np.testing.assert_allclose(Softmax(name="s").apply(x)[0], e / e.sum())
    np.testing.assert_allclose(Softmax(name="s", log=True).apply(x)[0], np.log(e / e.sum()))
    assert np.isfinite(Softmax(name="s", log=True).apply(1e5 * x)).all()


def test_quantised_rectifier_rounds_to_the_nearest_level():
    x = np.array([-1.0, 0.49, 0.5, 1.49, 1.5, 2.5, 3.49, 3.5, 4.0, 9.0])
    levels = [0.0, 0, 1, 1, 2, 3, 3, 4, 4, 4]
    assert ReLU(name="r", max_value=4.0, levels=4).apply(x[None]).tolist() == [levels]
    assert ReLU(name="r", max_value=1.0, levels=4).apply(x[None] / 4).tolist() == [[v / 4 for v in levels]]
    both = ReLU(name="r", max_value=np.array([[4.0], [1.0]]), levels=4)
    assert both.apply(np.stack([x, x / 4])[None])[0, 1].tolist() == [v / 4 for v in levels]
    assert ReLU(name="r", max_value=2.0, levels=1).apply(np.array([[0.9, 1.0, 5.0]])).tolist() == [[0, 2, 2]]


def test_a_scale_is_at_most_the_bound_and_with_levels_the_bound():
    scale = np.array([[1.0], [8.0]])
    assert ReLU(name="r").bounded(scale).tolist() == [[1], [8]]
    assert ReLU(name="r", max_value=6.0).bounded(scale).tolist() == [[1], [6]]
    assert ReLU(name="r", max_value=np.array([[0.5], [9.0]])).bounded(scale).tolist() == [[0.5], [8]]
    assert ReLU(name="r", max_value=6.0, levels=4).bounded(scale).tolist() == [[6], [6]]


IN_TORCH = {
    "erf": torch.erf,
    "gelu_tanh": lambda x: functional.gelu(x, approximate="tanh"),
    "hard_swish": functional.hardswish,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_smooth_functions_are_those_of_torch(name):
    x = np.concatenate([np.linspace(-8, 8, 161), [-700.0, 700.0]])[None]
    expected = IN_TORCH.get(name, getattr(functional, name, None))(torch.tensor(x)).numpy()
    np.testing.assert_allclose(Elementwise(name="e", function=name).apply(x), expected, rtol=1e-12, atol=1e-12)


def test_dense_has_rows_for_outputs():
    node = Dense(name="n", weight=np.array([[1.0, 2], [3, 4], [5, 6]]), bias=np.array([0, 0, 0.5]))
    assert node.apply(np.array([[1.0, -1]])).tolist() == [[-1, -1, -0.5]]


def test_conv_is_a_correlation():
    node = Conv(name="n", weight=np.array([[[1.0, 2, 3]]]), stride=(1,), padding=((1, 0),), dilation=(1,))
    assert node.apply(np.array([[[1.0, 0, 0, 1]]])).tolist() == [[[2, 1, 3]]]


# -- refusals -------------------------------------------------------------------------------------------------------

ORIGIN = Origin("keras", "Something", "layer_7")
MISFITS = {
    "two inputs": (ReLU(name="n"), [(2,), (2,)], "one input"),
    "no input": (Reshape(name="n", shape=(2,)), [], "one input"),
    "dense features": (Dense(name="n", weight=draw(3, 5)), [(4,)], "5 features"),
    "dense axis": (Dense(name="n", weight=draw(3, 5), axis=1), [(5,)], "axis 1"),
    "dense weight": (Dense(name="n", weight=draw(3)), [(5,)], "two axes"),
    "conv rank": (conv((4, 3, 3, 3), [1, 1], NONE2, [1, 1]), [(3, 9)], "2 spatial axes"),
    "conv channels": (conv((4, 3, 3, 3), [1, 1], NONE2, [1, 1]), [(4, 9, 9)], "3 channels"),
    "conv kernel too large": (conv((4, 3, 3, 3), [1, 1], NONE2, [1, 1]), [(3, 2, 9)], "does not fit"),
    "conv filters per group": (conv((5, 2, 3), [1], [(0, 0)], [1], 2), [(4, 9)], "5 filters .* 2 groups"),
    "conv no groups": (conv((5, 2, 3), [1], [(0, 0)], [1], 0), [(4, 9)], "0 groups"),
    "conv stride for one axis": (conv((4, 3, 3, 3), [1], NONE2, [1, 1]), [(3, 9, 9)], "do not match"),
    "conv stride 0": (conv((4, 3, 3), [0], [(0, 0)], [1]), [(3, 9)], "at least 1"),
    "conv negative padding": (conv((4, 3, 3), [1], [(-1, 0)], [1]), [(3, 9)], "at least 0"),
    "conv bias": (conv((4, 3, 3), [1], [(0, 0)], [1], bias=draw(5, 1)), [(3, 9)], "bias"),
    "conv bias of lower rank": (conv((4, 3, 3), [1], [(0, 0)], [1], bias=draw(7)), [(3, 9)], "bias"),
    "conv bias with a batch": (conv((4, 3, 3), [1], [(0, 0)], [1], bias=draw(1, 4, 1)), [(3, 9)], "bias"),
    "scale gain": (Scale(name="n", gain=draw(2, 1)), [(3, 4)], "gain"),
    "scale gain rank": (Scale(name="n", gain=draw(4)), [(3, 4)], "gain"),
    "sparse input": (Sparse(name="n", matrix=MATRIX, shape_in=(12,), shape_out=(6,)), [(3, 4)], "expects"),
    "sparse matrix": (Sparse(name="n", matrix=MATRIX, shape_in=(12,), shape_out=(5,)), [(12,)], "does not map"),
    "add shapes": (Add(name="n"), [(3, 4), (3, 1)], "cannot add"),
    "add nothing": (Add(name="n"), [], "cannot add"),
    "add coefficients": (Add(name="n", inputs=("x0", "x1"), coefficients=(1.0,)), [(3,), (3,)], "1 coefficients"),
    "average rank": (pool(AveragePool, (2, 2), (2, 2), NONE2), [(4, 4)], "2 spatial axes"),
    "average window": (pool(AveragePool, (5,), (2,), ((0, 0),)), [(4, 4)], "does not fit"),
    "average padding": (pool(AveragePool, (2, 2), (2, 2), ((0, 0),)), [(1, 4, 4)], "do not match"),
    "max rank": (pool(MaxPool, (2, 2), (2, 2), NONE2, dilation=(1, 1)), [(4, 4)], "2 spatial axes"),
    "max window": (pool(MaxPool, (5,), (2,), ((0, 0),), dilation=(1,)), [(4, 4)], "does not fit"),
    "max padding": (pool(MaxPool, (2,), (2,), ((0, 0, 0),), dilation=(1,)), [(4, 4)], "do not match"),
    "mean axis": (Mean(name="n", axes=(2,)), [(3, 4)], "cannot average"),
    "mean axis twice": (Mean(name="n", axes=(1, 1)), [(3, 4)], "cannot average"),
    "mean no axes": (Mean(name="n", axes=()), [(3, 4)], "cannot average"),
    "reshape": (Reshape(name="n", shape=(5,)), [(3, 4)], "cannot reshape"),
    "permute": (Permute(name="n", axes=(0, 0)), [(3, 4)], "cannot permute"),
    "take axis": (Take(name="n", axis=2, indices=(0,)), [(3, 4)], "axis 2"),
    "take outside": (Take(name="n", axis=0, indices=(3,)), [(3, 4)], "outside axis 0"),
    "take negative": (Take(name="n", axis=0, indices=(-1,)), [(3, 4)], "outside axis 0"),
    "take nothing": (Take(name="n", axis=0, indices=()), [(3, 4)], "take 0 values"),
    "pad rank": (Pad(name="n", pads=((0, 1),)), [(3, 4)], "cannot pad"),
    "pad negative": (Pad(name="n", pads=((0, -1), (0, 0))), [(3, 4)], "cannot pad"),
    "concat rank": (Concat(name="n"), [(3, 4), (3,)], "cannot concatenate"),
    "concat sizes": (Concat(name="n"), [(3, 4), (3, 5)], "cannot concatenate"),
    "concat axis": (Concat(name="n", axis=2), [(3, 4), (3, 4)], "axis 2"),
    "concat nothing": (Concat(name="n"), [], "cannot concatenate"),
    "relu bound": (ReLU(name="n", max_value=-1.0), [(3,)], "upper bound"),
    "relu bounds": (ReLU(name="n", max_value=np.array([1.0, 0.0, 1.0])), [(3,)], "upper bound 0.0 is not above zero"),
    "relu bounds that do not fit": (ReLU(name="n", max_value=np.ones(2)), [(3,)], r"bounds of shape \(2,\) do not fit"),
    "relu bounds of another rank": (ReLU(name="n", max_value=np.ones(4)), [(3, 4)], "do not fit"),
    "levels without a bound": (ReLU(name="n", levels=4), [(3,)], "need an upper bound"),
    "no levels": (ReLU(name="n", levels=0, max_value=1.0), [(3,)], "at least one"),
    "unknown function": (Elementwise(name="n", function="sine"), [(3,)], "no function 'sine'"),
    "softmax axis": (Softmax(name="n", axis=1), [(3,)], "no axis 1"),
}


@pytest.mark.parametrize("name", MISFITS)
def test_misfits_name_the_layer(name):
    node, shapes, message = MISFITS[name]
    sources = [Input(name=f"x{i}", shape=s) for i, s in enumerate(shapes)]
    fields = {f: getattr(node, f) for f in type(node).__dataclass_fields__}
    node = type(node)(**{**fields, "inputs": tuple(s.name for s in sources), "origin": ORIGIN})
    with pytest.raises(GraphError, match=message) as caught:
        Graph([*sources, node], ["n"])
    assert caught.value.layer == "layer_7 (keras Something)"


def test_labels_are_the_users_names_where_known():
    assert ReLU(name="r", origin=ORIGIN).label == "layer_7 (keras Something)"
    assert ReLU(name="r").label == "r (ReLU)"
    assert isinstance(LINEAR["dense"][0], LinearNode)
